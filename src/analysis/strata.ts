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

/** Whether what is observed in one stratum is something else than in another: requests are, units may come back. */
export type Observed = 'once' | 'again';

/**
 * One pair whose difference is the average of those of the strata; a stratum in which an arm has nothing says nothing. Of
 * one stratum that stratum. `again`: units that came in one stratum may be those of another, and what one of them is like
 * does not average out; the error is then the largest that it may be.
 */
export function combined(strata: readonly Stratum[], observed: Observed = 'once'): Stratum {
  const told = strata.filter(
    ({ control, candidate }) => control.observations > 0 && candidate.observations > 0,
  );
  const weights = told.map(
    ({ control: { observations: n }, candidate: { observations: m } }) => (n * m) / (n + m),
  );
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  const shares = weights.map((weight) => weight / whole);
  const average = observed === 'once' ? averageOnce : averageAgain;
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
function averageOnce(estimates: readonly Estimate[], weights: readonly number[]): Estimate {
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

/**
 * Two means of units are most alike when the smaller set is part of the larger one and each unit is always the same:
 * their covariance is then sd x sd / (the larger count), by Cauchy and Schwarz never more. For a single stratum, what
 * `averageOnce` says.
 */
function averageAgain(estimates: readonly Estimate[], weights: readonly number[]): Estimate {
  const { value, observations } = averageOnce(estimates, weights);
  const deviations = estimates.map(({ variance }, index) => weights[index]! * Math.sqrt(variance));
  const skews = estimates.map(({ thirdMoment }, index) => weights[index]! * Math.cbrt(thirdMoment));
  const counts = estimates.map((one) => one.observations);
  let variance = 0;
  let thirdMoment = 0;
  for (const [i, n] of counts.entries())
    for (const [j, m] of counts.entries()) {
      variance += (deviations[i]! * deviations[j]!) / Math.max(n, m);
      for (const [k, l] of counts.entries())
        thirdMoment += (skews[i]! * skews[j]! * skews[k]! * Math.min(n, m, l)) / (n * m * l);
    }
  return {
    value,
    observations,
    variance: observations * variance,
    thirdMoment: observations ** 2 * thirdMoment,
  };
}
