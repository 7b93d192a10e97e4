/** The numbers of faults that were made on purpose. */
import type { Registry } from '@prometheus-io/client';
import { registerCounters } from './counter-family.ts';
import { type LabelBudget, LabelSets } from './label-sets.ts';
import { Counter } from './series.ts';

export class FaultMetrics {
  readonly #faults: LabelSets<Counter>;

  constructor(budget: LabelBudget) {
    this.#faults = new LabelSets(['route', 'experiment', 'variant', 'kind'], budget, () => new Counter());
  }

  /** Attempts that were hit. Experiment and variant are '' for a fault of a whole route. */
  injected(route: string, experiment: string, variant: string, kind: string): Counter {
    return this.#faults.get(route, experiment, variant, kind);
  }

  register(registry: Registry): void {
    registerCounters(
      registry,
      this.#faults,
      'fairlead_faults_total',
      'Attempts that a fault made on purpose has hit, by what it did.',
    );
  }
}
