/**
 * Comparing over a time in which the split was another one, as in a rollout. Added up, the candidate's requests are mostly
 * late ones and the control's mostly early ones, and a service that fails more often in the evening makes the candidate look
 * worse (Simpson's paradox). So each time with its own split is a stratum: the arms are compared in it, and the differences
 * are averaged with the weights of Cochran ("Some methods for strengthening the common chi-squared tests", 1954), which do
 * not depend on what is seen. Pure.
 */
import type { Estimate } from './estimate.ts';

export interface Stratum {
  readonly control: Estimate;
  readonly candidate: Estimate;
}

/**
 * One pair whose difference is the average of those of the strata; a stratum in which an arm has nothing says nothing. Of
 * one stratum that stratum.
 */
export function combined(strata: readonly Stratum[]): Stratum {
  const told = strata.filter(
    ({ control, candidate }) => control.observations > 0 && candidate.observations > 0,
  );
  const weights = told.map(
    ({ control: { observations: n }, candidate: { observations: m } }) => (n * m) / (n + m),
  );
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  const shares = weights.map((weight) => weight / whole);
  return {
    control: average(
      told.map(({ control }) => control),
      shares,
    ),
    candidate: average(
      told.map(({ candidate }) => candidate),
      shares,
    ),
  };
}

/** With weights that add up to 1; the error of the average, said as that of so many observations. */
function average(estimates: readonly Estimate[], weights: readonly number[]): Estimate {
  const sum = (of: (estimate: Estimate, weight: number) => number): number =>
    estimates.reduce((total, estimate, index) => total + of(estimate, weights[index]!), 0);
  const observations = sum((one) => one.observations);
  return {
    value: sum((one, weight) => weight * one.value),
    observations,
    variance: observations * sum((one, weight) => (weight ** 2 * one.variance) / one.observations),
    thirdMoment:
      observations ** 2 * sum((one, weight) => (weight ** 3 * one.thirdMoment) / one.observations ** 2),
  };
}
