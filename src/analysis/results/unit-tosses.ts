/**
 * A share of requests that belong to units, as tosses of a coin that do not depend on each other. Ten requests of one
 * user who always fails tell no more than one of them; of users who fail at random each tells something. How many
 * tosses all of them are worth is found from how much the units differ: the effective sample size of Korn and Graubard,
 * "Confidence intervals for proportions with small expected number of positive counts estimated from survey data" (1998).
 * With it the exact intervals of `share-difference.ts` hold for units too, also when next to nothing ever fails, where
 * a ratio has an error of 0 and says nothing. Pure.
 */
import { ratio } from '../estimate.ts';
import type { Tosses } from '../mixture.ts';
import { UnitSums } from '../unit-sums.ts';

/**
 * `sums`: numerators from 0 to their denominators, such as failed requests by requests. One unit more that always fails and
 * one that never does are taken in for the spread, as for a proportion: of units that never failed nobody knows how alike
 * their failures are, and each is worth one toss until there are some.
 */
export function tossesOfUnits(sums: UnitSums): Tosses {
  const { units, numerator, denominator } = sums;
  if (units === 0 || denominator === 0) return { hits: 0, trials: 0 };
  const size = denominator / units;
  const padded = new UnitSums();
  padded.merge(sums);
  padded.add(size, size);
  padded.add(0, size);
  const { value, variance, observations } = ratio(padded);
  const trials = Math.min(denominator, (value * (1 - value) * observations) / variance);
  return { hits: (numerator / denominator) * trials, trials };
}
