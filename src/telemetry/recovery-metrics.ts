/** The numbers of what follows failed attempts, beside the retries and fallbacks themselves. */
import type { Registry } from '@prometheus-io/client';
import { registerCounters } from './counter-family.ts';
import { type LabelBudget, LabelSets } from './label-sets.ts';
import { Counter } from './series.ts';

export class RecoveryMetrics {
  readonly #refused: LabelSets<Counter>;

  constructor(budget: LabelBudget) {
    this.#refused = new LabelSets(['route', 'kind'], budget, () => new Counter());
  }

  /** Attempts that would have followed, had the budget not been used up. */
  refused(route: string, kind: 'retry' | 'failover' | 'hedge'): Counter {
    return this.#refused.get(route, kind);
  }

  register(registry: Registry): void {
    registerCounters(
      registry,
      this.#refused,
      'fairlead_recoveries_refused_total',
      'Attempts that did not follow a failed one because the budget for them was used up.',
    );
  }
}
