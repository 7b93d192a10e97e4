/** Keeps health checks, synthetic traffic and bots out of experiments, and counts them. Bound once per Snapshot. */
import type { RequestAttributes } from '../experiment/model.ts';
import type { TrafficClass, TrafficClassifier } from '../experiment/traffic-class.ts';
import { Field } from '../http1/field.ts';
import type { Head } from '../http1/head.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Participation } from './decision.ts';

export class Exclusion {
  readonly #classifier: TrafficClassifier;
  readonly #metrics: Metrics;

  constructor(classifier: TrafficClassifier, metrics: Metrics) {
    this.#classifier = classifier;
    this.#metrics = metrics;
  }

  /** The class of a request; null: it is anybody's. */
  classOf(head: Head, request: RequestAttributes): TrafficClass | null {
    const i = head.first(Field.userAgent);
    const isEmpty = i < 0 || head.valueStart[i] === head.valueEnd[i];
    const firstByte = isEmpty ? -1 : head.bytes[head.valueStart[i]!]!;
    return this.#classifier.isWorthAsking(firstByte) ? this.#classifier.classOf(request) : null;
  }

  /** Counts a request of a class once, if that kept it out of any of the first `count` participations. */
  count(trafficClass: TrafficClass, participations: readonly Participation[], count: number): void {
    for (let i = 0; i < count; i++) {
      if (participations[i]!.assignment!.reason !== 'excluded') continue;
      this.#metrics.traffic.excluded(trafficClass).value++;
      return;
    }
  }
}
