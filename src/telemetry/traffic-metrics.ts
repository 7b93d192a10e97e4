/** The numbers of requests that are kept out of experiments, and of answers of caches that belong to another variant. */
import type { Registry } from '@prometheus-io/client';
import type { TrafficClass } from '../experiment/traffic-class.ts';
import { registerCounters } from './counter-family.ts';
import { type LabelBudget, LabelSets } from './label-sets.ts';
import { Counter } from './series.ts';

export class TrafficMetrics {
  readonly #excluded: LabelSets<Counter>;
  readonly #mixups: LabelSets<Counter>;

  constructor(budget: LabelBudget) {
    const counter = (...names: string[]) => new LabelSets(names, budget, () => new Counter());
    this.#excluded = counter('class');
    this.#mixups = counter('route', 'experiment');
  }

  /** Requests that were kept out of an experiment, by what they are. Look it up once. */
  excluded(trafficClass: TrafficClass): Counter {
    return this.#excluded.get(trafficClass);
  }

  /** Answers of a cache that bear the marker of another variant. */
  cacheMixups(route: string, experiment: string): Counter {
    return this.#mixups.get(route, experiment);
  }

  register(registry: Registry): void {
    registerCounters(
      registry,
      this.#excluded,
      'fairlead_excluded_total',
      'Requests kept out of experiments: health checks, synthetic traffic, bots.',
    );
    registerCounters(
      registry,
      this.#mixups,
      'fairlead_cache_mixups_total',
      'Answers that came from a cache and bear the marker of another variant than the request has.',
    );
  }
}
