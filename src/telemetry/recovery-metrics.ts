/** The numbers of what follows failed attempts, beside the retries and fallbacks themselves. */
import type { Registry } from '@prometheus-io/client';
import { registerCounters } from './counter-family.ts';
import { type LabelBudget, LabelSets } from './label-sets.ts';
import { Counter } from './series.ts';

/** Second attempts while the first was under way, and those of them that answered first. */
export interface HedgeCounters {
  readonly sent: Counter;
  readonly won: Counter;
  /** The budget was used up. */
  readonly refused: Counter;
}

export class RecoveryMetrics {
  readonly #hedges: LabelSets<Counter>;
  readonly #refused: LabelSets<Counter>;

  constructor(budget: LabelBudget) {
    this.#hedges = new LabelSets(['route', 'result'], budget, () => new Counter());
    this.#refused = new LabelSets(['route', 'kind'], budget, () => new Counter());
  }

  /** Attempts that would have followed, had the budget not been used up. */
  refused(route: string, kind: 'retry' | 'failover' | 'hedge'): Counter {
    return this.#refused.get(route, kind);
  }

  hedges(route: string): HedgeCounters {
    const of = (result: string) => this.#hedges.get(route, result);
    return { sent: of('sent'), won: of('won'), refused: this.refused(route, 'hedge') };
  }

  register(registry: Registry): void {
    registerCounters(
      registry,
      this.#hedges,
      'fairlead_hedges_total',
      'Second attempts at requests whose first was late, and those that answered first.',
    );
    registerCounters(
      registry,
      this.#refused,
      'fairlead_recoveries_refused_total',
      'Attempts that did not follow a failed one because the budget for them was used up.',
    );
  }
}
