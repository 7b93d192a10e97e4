/** The numbers of mirroring: what was compared, what differs, what was not mirrored. */
import type { Registry } from '@prometheus-io/client';
import { registerCounters } from './counter-family.ts';
import { type LabelBudget, LabelSets } from './label-sets.ts';
import { Counter } from './series.ts';

/** Why a request that was chosen was not compared. */
export const MIRROR_MISSED = ['rate', 'concurrency', 'load', 'breaker', 'body', 'unanswered'] as const;
export type MirrorMissed = (typeof MIRROR_MISSED)[number];

export class MirrorMetrics {
  readonly #compared: LabelSets<Counter>;
  readonly #differences: LabelSets<Counter>;
  readonly #missed: LabelSets<Counter>;

  constructor(budget: LabelBudget) {
    const counter = (...names: string[]) => new LabelSets(names, budget, () => new Counter());
    this.#compared = counter('experiment', 'variant');
    this.#differences = counter('experiment', 'variant');
    this.#missed = counter('experiment', 'reason');
  }

  /** Answers of a variant that were compared with one of control; look it up once. */
  compared(experiment: string, variant: string): Counter {
    return this.#compared.get(experiment, variant);
  }

  /** Those that differ, noise left out. */
  differences(experiment: string, variant: string): Counter {
    return this.#differences.get(experiment, variant);
  }

  missed(experiment: string, reason: MirrorMissed): Counter {
    return this.#missed.get(experiment, reason);
  }

  register(registry: Registry): void {
    registerCounters(
      registry,
      this.#compared,
      'fairlead_mirror_compared_total',
      'Answers to mirrored requests that were compared with one of control, by the variant that gave them.',
    );
    registerCounters(
      registry,
      this.#differences,
      'fairlead_mirror_differences_total',
      'Those that differ, noise left out. What control has is noise that is not known yet.',
    );
    registerCounters(
      registry,
      this.#missed,
      'fairlead_mirror_missed_total',
      'Requests that were chosen to be mirrored and were not compared, by why.',
    );
  }
}
