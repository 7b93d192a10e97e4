/** The numbers of flag evaluations: what the application asked its sidecar for over OFREP. Not on the request path. */
import type { Registry } from '@prometheus-io/client';
import type { Reason } from '../experiment/model.ts';
import { registerCounters } from './counter-family.ts';
import { type LabelBudget, LabelSets } from './label-sets.ts';
import { Counter } from './series.ts';

export class EvaluationMetrics {
  readonly #evaluations: LabelSets<Counter>;
  readonly #errors: LabelSets<Counter>;

  constructor(budget: LabelBudget) {
    const counter = (...names: string[]) => new LabelSets(names, budget, () => new Counter());
    this.#evaluations = counter('experiment', 'variant', 'reason');
    this.#errors = counter('code');
  }

  /** Counts a flag that was evaluated. */
  evaluated(experiment: string, variant: string, reason: Reason): void {
    this.#evaluations.get(experiment, variant, reason).value++;
  }

  /** Counts one that was not, or a request that was refused, by its error code of OpenFeature. */
  failed(code: string): void {
    this.#errors.get(code).value++;
  }

  register(registry: Registry): void {
    registerCounters(
      registry,
      this.#evaluations,
      'fairlead_flag_evaluations_total',
      'Flags evaluated for the application, by reason. Not requests, and not exposures.',
    );
    registerCounters(
      registry,
      this.#errors,
      'fairlead_flag_evaluation_errors_total',
      'Flag evaluations that failed, by error code of OpenFeature.',
    );
  }
}
