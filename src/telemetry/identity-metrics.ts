/** The numbers of who sends requests: tokens that are not valid, and what sticky assignments came to. */
import type { Registry } from '@prometheus-io/client';
import { registerCounters } from './counter-family.ts';
import { type LabelBudget, LabelSets } from './label-sets.ts';
import { Counter } from './series.ts';

export class IdentityMetrics {
  readonly #invalidTokens: LabelSets<Counter>;
  readonly #sticky: LabelSets<Counter>;

  constructor(budget: LabelBudget) {
    const counter = (...names: string[]) => new LabelSets(names, budget, () => new Counter());
    this.#invalidTokens = counter('reason');
    this.#sticky = counter('experiment', 'result');
  }

  /** Requests whose token was asked for and is not valid; `reason` is from a fixed list. */
  invalidTokens(reason: string): Counter {
    return this.#invalidTokens.get(reason);
  }

  /** What came of the sticky assignments of an experiment; `result` is from a fixed list. Look it up once. */
  sticky(experiment: string, result: string): Counter {
    return this.#sticky.get(experiment, result);
  }

  register(registry: Registry): void {
    registerCounters(
      registry,
      this.#invalidTokens,
      'fairlead_tokens_invalid_total',
      'Requests with a JSON web token that was asked for a claim and is not valid, by reason.',
    );
    registerCounters(
      registry,
      this.#sticky,
      'fairlead_sticky_assignments_total',
      'Sticky assignments that came with requests, by what became of them, and those that were given out.',
    );
  }
}
