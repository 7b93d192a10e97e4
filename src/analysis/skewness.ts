/**
 * What lopsided values do to the error of a difference, and how it is undone: the transformation of Hall, "On the removal
 * of skewness by transformation" (Journal of the Royal Statistical Society B, 1992). Pure.
 */
import type { Estimate } from './estimate.ts';

/** The skewness of the error of candidate - control, if the values of both are spread alike. */
export function skewnessOf(control: Estimate, candidate: Estimate): number {
  const [n, m] = [control.observations, candidate.observations];
  const variance = (n * control.variance + m * candidate.variance) / (n + m);
  const thirdMoment = (n * control.thirdMoment + m * candidate.thirdMoment) / (n + m);
  const cubed = (variance * (1 / n + 1 / m)) ** 1.5;
  // Deviations so small that their powers are 0 have no shape.
  return cubed === 0 ? 0 : (thirdMoment * (1 / m ** 2 - 1 / n ** 2)) / cubed;
}

/** A studentised value, in standard errors, whose error has this skewness: nearly normal after it. */
export function straightened(errors: number, skewness: number): number {
  return errors + (skewness * errors ** 2) / 3 + (skewness ** 2 * errors ** 3) / 27 + skewness / 6;
}

/** Below this the inverse would lose digits, and there is nothing to undo. */
const NEGLIGIBLE = 1e-6;

/** The inverse of `straightened`. */
export function bent(errors: number, skewness: number): number {
  if (Math.abs(skewness) < NEGLIGIBLE) return errors;
  return (3 / skewness) * (Math.cbrt(1 + skewness * (errors - skewness / 6)) - 1);
}
