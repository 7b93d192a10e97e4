/** Requests of one variant, added up one by one. Fixed memory but for the range of what is seen. Pure. */

import { Distribution } from '../distribution.ts';
import { Moments } from '../moments.ts';
import { readForm, readNumbers } from '../plain-form.ts';
import type { CollectedArm, CollectedValues } from './collected.ts';
import type { Measure } from './measure.ts';

const KIND = 'arm-totals';
const COUNTS = ['requests', 'failures', 'slow', 'ignored'] as const;
const FAILURE = 1;
const SLOW = 2;
/** Numbers of `OUTCOMES`. */
export const IGNORED = 3;

export class ArmTotals implements CollectedArm {
  requests = 0;
  failures = 0;
  slow = 0;
  ignored = 0;
  latency = new Moments();
  latencies = new Distribution();
  bytes = new Moments();
  readonly metrics: ReadonlyMap<string, ValueTotals>;
  /** The same, by number. */
  readonly values: readonly ValueTotals[];

  constructor(measures: readonly Measure[]) {
    this.values = measures.map(() => new ValueTotals());
    this.metrics = new Map(measures.map(({ name }, index) => [name, this.values[index]!]));
  }

  /** A request. `outcome`: a number of `OUTCOMES`. */
  add(outcome: number, latencyMs: number, bytes: number): void {
    this.requests++;
    if (outcome === IGNORED) {
      this.ignored++;
      return;
    }
    if (outcome === FAILURE) this.failures++;
    else if (outcome === SLOW) this.slow++;
    this.latency.add(latencyMs);
    this.latencies.add(latencyMs);
    this.bytes.add(bytes);
  }

  toJSON(): object {
    const { requests, failures, slow, ignored, latency, latencies, bytes, values } = this;
    return { kind: KIND, version: 1, requests, failures, slow, ignored, latency, latencies, bytes, values };
  }

  /** @throws RangeError for what `toJSON` has not made of the same measures. */
  static fromJSON(form: unknown, measures: readonly Measure[]): ArmTotals {
    const arm = new ArmTotals(measures);
    const [requests, failures, slow, ignored] = readNumbers(form, KIND, COUNTS);
    const { latency, latencies, bytes, values } = readForm(form, KIND);
    if (!Array.isArray(values) || values.length !== measures.length)
      throw new RangeError(`${KIND}: of other metrics.`);
    Object.assign(arm, { requests, failures, slow, ignored });
    arm.latency = Moments.fromJSON(latency);
    arm.latencies = Distribution.fromJSON(latencies);
    arm.bytes = Moments.fromJSON(bytes);
    for (const [index, value] of values.entries()) arm.values[index]!.restore(value);
    return arm;
  }
}

/** Values of one metric of one's own. */
export class ValueTotals implements CollectedValues {
  moments = new Moments();
  distribution: Distribution | null = new Distribution();

  add(value: number): void {
    this.moments.add(value);
    if (value < 0) this.distribution = null;
    else this.distribution?.add(value);
  }

  /** @throws RangeError */
  restore(form: unknown): void {
    const { moments, distribution } = form as { readonly moments?: unknown; readonly distribution?: unknown };
    this.moments = Moments.fromJSON(moments);
    this.distribution = distribution === null ? null : Distribution.fromJSON(distribution);
  }
}
