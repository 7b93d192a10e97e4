/**
 * What one variant's value is, with how far off it may be: the same three numbers for a proportion, a mean and a ratio,
 * so that everything after this file is written once. Pure.
 */
import type { Moments } from './moments.ts';
import type { UnitSums } from './unit-sums.ts';

export interface Estimate {
  readonly value: number;
  /** What was counted: requests or units. */
  readonly observations: number;
  /** Of one observation; the squared standard error of the value is this by `observations`. */
  readonly variance: number;
  /** Mean third power of one observation's deviation: how lopsided they are. */
  readonly thirdMoment: number;
}

const NOTHING: Estimate = { value: 0, observations: 0, variance: 0, thirdMoment: 0 };

/**
 * The share of `hits` among `trials`. Its error is that of the share with one hit and one miss more (Agresti and Caffo,
 * "Simple and effective confidence intervals for proportions", 2000): of no hits in 40 trials nobody knows that there
 * never is one.
 */
export function proportion(hits: number, trials: number): Estimate {
  if (trials === 0) return NOTHING;
  const share = (hits + 1) / (trials + 2);
  const variance = share * (1 - share);
  return { value: hits / trials, observations: trials, variance, thirdMoment: variance * (1 - 2 * share) };
}

/** The mean of numbers that do not depend on each other. */
export function mean(moments: Moments): Estimate {
  const { count: observations, mean: value, variance, thirdMoment } = moments;
  return { value, observations, variance, thirdMoment };
}

/**
 * Sum of the numerators by sum of the denominators, where what does not depend on each other are the units: the delta
 * method (Deng, Knoblich and Lu, "Applying the delta method in metric analytics", KDD 2018), as the mean of the units'
 * residuals (numerator - ratio x denominator) by the mean denominator.
 */
export function ratio(sums: UnitSums): Estimate {
  const { units, denominator } = sums;
  if (units < 2 || denominator === 0) return { ...NOTHING, observations: units };
  const value = sums.numerator / denominator;
  const mean = denominator / units;
  return {
    value,
    observations: units,
    variance: Math.max(0, sums.residual(value, 2)) / (units - 1) / mean ** 2,
    thirdMoment: sums.residual(value, 3) / units / mean ** 3,
  };
}

/**
 * As if every observation were `factor` times what it is. For a margin that is relative: whether the candidate is at most
 * 5 % above control is whether it is at most at 1.05 times control.
 */
export function scaled({ value, observations, variance, thirdMoment }: Estimate, factor: number): Estimate {
  return {
    value: factor * value,
    observations,
    variance: factor ** 2 * variance,
    thirdMoment: factor ** 3 * thirdMoment,
  };
}
