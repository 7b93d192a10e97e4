/**
 * Times with different splits are looked at one by one where they cannot be averaged: quantiles, exact shares, the shares
 * of the units. Each look at another time is another chance to be wrong, so each gets a part of alpha before it begins:
 * 1/2, 1/6, 1/12, ... which add up to 1 for any number of them. Whatever any of them says then holds together with the
 * others (Bonferroni), so it may be chosen freely which of them to listen to. Pure.
 */

/** The part of alpha for a time with its own split; `index` from 0, in the order in which they came. */
export function partOfSplit(index: number): number {
  return 1 / ((index + 1) * (index + 2));
}
