/**
 * One probability of a false alarm, shared out to several metrics. By Bonferroni's inequality the chance that any of them
 * is wrong, ever, is at most the whole, however they depend on each other. Pure.
 */

/**
 * Each metric's part of `alpha`, by weight (above 0); 1 for each unless given. The parts add up to `alpha`.
 *
 * @throws RangeError for a weight that is not above 0.
 */
export function alphaBudget(
  alpha: number,
  metrics: readonly { readonly name: string; readonly weight?: number }[],
): ReadonlyMap<string, number> {
  for (const { name, weight = 1 } of metrics)
    if (!(weight > 0 && weight < Number.POSITIVE_INFINITY))
      throw new RangeError(`The weight of ${name} must be above 0.`);
  const whole = metrics.reduce((sum, { weight = 1 }) => sum + weight, 0);
  return new Map(metrics.map(({ name, weight = 1 }) => [name, (alpha * weight) / whole]));
}
