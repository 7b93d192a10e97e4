/**
 * Units seen on more than one variant. A few are unavoidable (a cleared cookie, a log-in); many, and the variants are
 * compared with themselves. The share is held against a limit with an exact interval that holds at every look. Pure.
 */
import { type Bounds, concentrationFor, shareBounds } from './mixture.ts';
import { mixingVariance, TUNED_FOR } from './sequence.ts';

/** More than this share of the units on several variants makes results worthless: GrowthBook's limit. */
export const CROSSOVER_MAX = 0.01;

export interface Crossover extends Bounds {
  /** `ok`: surely below the limit. `breach`: surely above. */
  readonly state: 'ok' | 'breach' | 'insufficient';
  readonly share: number;
}

/** `alpha`: the probability that `ok` or `breach` is wrong, ever. */
export function judgeCrossover(
  crossed: number,
  units: number,
  { alpha, max = CROSSOVER_MAX }: { readonly alpha: number; readonly max?: number },
): Crossover {
  const variance = mixingVariance({ alpha, sides: 'two', tunedFor: TUNED_FOR });
  const bounds = shareBounds({ hits: crossed, trials: units }, alpha, concentrationFor(variance));
  const state = bounds.low > max ? 'breach' : bounds.high <= max ? 'ok' : 'insufficient';
  return { state, share: units === 0 ? 0 : crossed / units, ...bounds };
}
