/** The numbers of what is collected for the analysis, and of what is lost on the way there. */
import type { Registry } from '@prometheus-io/client';
import { registerCounters } from './counter-family.ts';
import { registerFamily } from './exposition.ts';
import { type LabelBudget, LabelSets } from './label-sets.ts';
import { Counter } from './series.ts';
import { registerTrust, type TrustSample } from './trust-families.ts';

/** One experiment that is analysed. */
export interface AnalysisSample {
  readonly experiment: string;
  readonly requests: number;
  readonly unitsFollowed: number;
}

export class AnalysisMetrics {
  /** Requests that did not get into the numbers. */
  readonly dropped = new Counter();
  /** Values of headers and trailers that are no number. */
  readonly malformed = new Counter();
  readonly #events: LabelSets<Counter>;
  #source: () => Iterable<AnalysisSample> = () => [];
  #trust: () => Iterable<TrustSample> = () => [];

  constructor(budget: LabelBudget) {
    this.#events = new LabelSets(['experiment', 'result'], budget, () => new Counter());
  }

  /** Events that were posted; `result` is from a fixed list. */
  events(experiment: string, result: string): Counter {
    return this.#events.get(experiment, result);
  }

  /** Where the experiments are read at each scrape. */
  setSource(source: () => Iterable<AnalysisSample>): void {
    this.#source = source;
  }

  /** Where it is read at each scrape whether results are to be believed. */
  setTrustSource(source: () => Iterable<TrustSample>): void {
    this.#trust = source;
  }

  register(registry: Registry): void {
    registerTrust(registry, () => this.#trust());
    registerFamily(registry, {
      name: 'fairlead_analysis_requests_total',
      type: 'counter',
      help: 'Requests in the numbers of an experiment, since these were begun.',
      read: () =>
        Array.from(this.#source(), ({ experiment, requests }) => ({
          labels: { experiment },
          value: requests,
        })),
    });
    registerFamily(registry, {
      name: 'fairlead_analysis_units_followed',
      type: 'gauge',
      aggregator: 'first',
      help: 'Units that are followed one by one, under the present split.',
      read: () =>
        Array.from(this.#source(), ({ experiment, unitsFollowed }) => ({
          labels: { experiment },
          value: unitsFollowed,
        })),
    });
    const single = (counter: Counter, name: string, help: string): void =>
      registerFamily(registry, {
        name,
        type: 'counter',
        help,
        read: () => [{ labels: {}, value: counter.value }],
      });
    single(
      this.dropped,
      'fairlead_analysis_dropped_total',
      'Requests that did not get into the numbers of their experiment.',
    );
    single(
      this.malformed,
      'fairlead_analysis_values_malformed_total',
      'Values of headers and trailers that are no number, and not counted.',
    );
    registerCounters(
      registry,
      this.#events,
      'fairlead_analysis_events_total',
      'Events that were posted for the metrics of an experiment, by what came of them.',
    );
  }
}
