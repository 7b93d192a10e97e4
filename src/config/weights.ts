/**
 * The weights of an experiment as declared, with the remainder filled in. Pure.
 */
import { exactShares, isExact } from './algorithm-shares.ts';
import type { ExperimentConfig } from './schema-experiment.ts';
import { formatPercent, PPM } from './units.ts';

/** The name of the safe variant: the declared one, or else `control` if there is one; null when undecided. */
export function fallbackName(experiment: ExperimentConfig): string | null {
  if (experiment.fallback !== undefined) return experiment.fallback;
  return Object.hasOwn(experiment.variants, 'control') ? 'control' : null;
}

/** Variant name -> parts per million, in the order of the file; the fallback gets what is left if it says nothing. */
export function declaredWeights(experiment: ExperimentConfig): Map<string, number> {
  const { algorithm } = experiment;
  if (isExact(algorithm))
    return exactShares(algorithm, Object.keys(experiment.variants), fallbackName(experiment));
  const given = Object.entries(experiment.variants);
  const sum = given.reduce((total, [, variant]) => total + (variant.weight ?? 0), 0);
  return new Map(given.map(([name, variant]) => [name, variant.weight ?? Math.max(0, PPM - sum)]));
}

/** What is wrong with the declared weights, as a sentence, or null. */
export function weightsProblem(experiment: ExperimentConfig): string | null {
  const fallback = fallbackName(experiment);
  const entries = Object.entries(experiment.variants);
  if (isExact(experiment.algorithm)) return exactProblem(entries, experiment.algorithm.name);
  const without = entries.filter(([, variant]) => variant.weight === undefined).map(([name]) => name);
  const other = without.filter((name) => name !== fallback);
  if (other.length > 0) {
    const rest = fallback === null ? '' : `; only the fallback ${JSON.stringify(fallback)} may leave it out`;
    return `${other.map((name) => JSON.stringify(name)).join(' and ')} has no weight${rest}`;
  }
  const sum = entries.reduce((total, [, variant]) => total + (variant.weight ?? 0), 0);
  const list = entries.map(
    ([name, variant]) => `${name} ${variant.weight === undefined ? '(rest)' : formatPercent(variant.weight)}`,
  );
  const isRestPossible = without.length > 0 && sum <= PPM;
  if (sum === PPM || isRestPossible) return null;
  const hint =
    without.length > 0 ? '' : `; leave out the weight of ${JSON.stringify(fallback)} and it takes the rest`;
  return `the weights add up to ${formatPercent(sum)}, not 100% (${list.join(', ')})${hint}`;
}

function exactProblem(
  entries: readonly [string, { readonly weight?: number | undefined }][],
  algorithm: string,
): string | null {
  const weighted = entries.filter(([, variant]) => variant.weight !== undefined).map(([name]) => name);
  if (weighted.length === 0) return null;
  return `${weighted.map((name) => JSON.stringify(name)).join(' and ')} has a weight, but the numbers of ${algorithm} say the shares; leave it out`;
}
