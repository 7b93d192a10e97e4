/** What goes beyond the shape of an algorithm: which options it has, and whether they fit the experiment. Pure. */
import { isUsable } from '../experiment/algorithms/growthbook.ts';
import { totalShards } from './algorithm-shares.ts';
import type { ConfigPath } from './issue.ts';
import { type AlgorithmConfig, NATIVE_ALGORITHM } from './schema-algorithm.ts';
import type { ExperimentConfig } from './schema-experiment.ts';
import { didYouMean } from './suggest.ts';
import { PPM } from './units.ts';
import { fallbackName } from './weights.ts';

type Name = AlgorithmConfig['name'];
type Option = Exclude<keyof AlgorithmConfig, 'name'>;
type At = (keys: ConfigPath, message: string, options?: { isKey?: boolean }) => void;

const GROWTHBOOK = ['seed', 'rollout', 'weights', 'ranges', 'namespace', 'filters'] as const;
const FLAGD = ['flagKey', 'seed', 'weights'] as const;
const OPTIONS: Readonly<Record<Name, readonly Option[]>> = {
  fairlead1: [],
  unleash: ['groupId', 'variantGroupId', 'rollout', 'weights'],
  growthbook1: GROWTHBOOK,
  growthbook2: GROWTHBOOK,
  flagd1: FLAGD,
  flagd2: FLAGD,
  launchdarkly: ['key', 'salt', 'seed', 'buckets'],
  eppo: ['totalShards', 'splits'],
};

/** Two options that say the same thing: `[what is given, what it makes void]`. */
const EXCLUSIVE: readonly (readonly [Option, Option])[] = [
  ['ranges', 'weights'],
  ['rollout', 'weights'],
  ['rollout', 'ranges'],
  ['rollout', 'variantGroupId'],
  ['filters', 'namespace'],
  ['seed', 'flagKey'],
];

/** The systems whose experiments have a gate of their own, which `traffic` is. */
const GATED: ReadonlySet<Name> = new Set<Name>(['fairlead1', 'unleash', 'growthbook1', 'growthbook2']);

/** Adds up to at most this: flagd's limit. */
const WEIGHTS_MAX = 2_147_483_647;

/** @param report Told every mistake, with its path from the experiment on. */
export function checkAlgorithm(experiment: ExperimentConfig, report: At): void {
  const { algorithm } = experiment;
  if (algorithm === undefined) return;
  const at: At = (keys, message, options) => report(['algorithm', ...keys], message, options);
  checkOptions(algorithm, at);
  if (algorithm.name === NATIVE_ALGORITHM) return;
  if (experiment.salt !== undefined)
    report(['salt'], `the salt is the key of fairlead1's hash; ${algorithm.name} has its own options`);
  checkTraffic(experiment, algorithm, report);
  checkVariants(experiment, algorithm, at);
  checkNumbers(experiment, algorithm, at);
}

function isGiven(algorithm: AlgorithmConfig, option: Option): boolean {
  return algorithm[option] !== undefined && algorithm[option] !== false;
}

function checkOptions(algorithm: AlgorithmConfig, at: At): void {
  const { name } = algorithm;
  const allowed = OPTIONS[name];
  for (const option of Object.keys(algorithm) as (keyof AlgorithmConfig)[]) {
    if (option === 'name' || !isGiven(algorithm, option) || allowed.includes(option)) continue;
    const rest = allowed.length === 0 ? 'it has none' : `it has ${allowed.join(', ')}`;
    at([option], `${name} has no such option; ${rest}`, { isKey: true });
  }
  for (const [given, other] of EXCLUSIVE) {
    if (isGiven(algorithm, given) && isGiven(algorithm, other) && allowed.includes(other))
      at([other], `${given} is given, which ${other} cannot go with; keep one`, { isKey: true });
  }
  if (name === 'launchdarkly' && algorithm.salt === undefined && algorithm.seed === undefined)
    at([], "launchdarkly needs the flag's salt, or the seed of an experiment");
  if (name === 'eppo' && algorithm.splits === undefined)
    at([], "eppo needs splits, as in the flag's allocation");
  if (name.startsWith('growthbook') && (typeof algorithm.seed === 'number' || algorithm.seed === ''))
    at(['seed'], 'the seed is a text; put it in quotes, or leave it out for the name of the experiment');
}

function checkTraffic(experiment: ExperimentConfig, algorithm: AlgorithmConfig, report: At): void {
  if (experiment.traffic === PPM) return;
  const { name } = algorithm;
  if (!GATED.has(name))
    report(['traffic'], `${name} knows no share of traffic; leave it out and say it with the variants`);
  else if (algorithm.rollout)
    report(['traffic'], 'of a rollout the weight of the variant that is on is the share; leave traffic out');
  else if (algorithm.ranges !== undefined)
    report(['traffic'], 'the ranges say who takes part; leave traffic out');
}

function checkVariants(experiment: ExperimentConfig, algorithm: AlgorithmConfig, at: At): void {
  const variants = Object.keys(experiment.variants);
  const { weights, ranges, buckets, splits, rollout } = algorithm;
  const check = (keys: ConfigPath, name: string, isKey = false): void => {
    if (!variants.includes(name))
      at(keys, `there is no variant ${JSON.stringify(name)}${didYouMean(name, variants)}`, { isKey });
  };
  for (const name of Object.keys(weights ?? {})) check(['weights', name], name, true);
  for (const name of Object.keys(ranges ?? {})) check(['ranges', name], name, true);
  for (const [index, { variant }] of (buckets ?? []).entries()) check(['buckets', index, 'variant'], variant);
  for (const [index, { variant }] of (splits ?? []).entries()) check(['splits', index, 'variant'], variant);
  for (const name of weights === undefined ? [] : variants) {
    if (!Object.hasOwn(weights ?? {}, name))
      at(['weights'], `the weight of ${JSON.stringify(name)} is missing`, { isKey: true });
  }
  if (rollout && variants.length !== 2)
    at(['rollout'], `a rollout is on or off, which are two variants; found ${variants.length}`);
}

function checkNumbers(experiment: ExperimentConfig, algorithm: AlgorithmConfig, at: At): void {
  const { name, weights, buckets, splits } = algorithm;
  if (weights !== undefined) checkWeights(name, Object.values(weights), at);
  for (const [index, { variant, untracked }] of (buckets ?? []).entries()) {
    if (untracked && variant !== fallbackName(experiment))
      at(
        ['buckets', index, 'untracked'],
        `who is not part of the experiment gets the fallback ${fallbackName(experiment)}, not ${variant}`,
      );
  }
  const total = totalShards(algorithm);
  for (const [index, { shards }] of (splits ?? []).entries()) {
    for (const [inner, { ranges }] of shards.entries()) {
      for (const [last, { end }] of ranges.entries()) {
        if (end > total)
          at(
            ['splits', index, 'shards', inner, 'ranges', last, 'end'],
            `found ${end}; there are ${total} shards`,
          );
      }
    }
  }
}

function checkWeights(name: Name, weights: readonly number[], at: At): void {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (name.startsWith('growthbook')) {
    if (!isUsable(weights, weights.length))
      at(['weights'], `the weights add up to ${total}, not 1, and GrowthBook would make them equal`, {
        isKey: true,
      });
    return;
  }
  if (weights.some((weight) => !Number.isInteger(weight)))
    at(['weights'], `the weights of ${name} are whole numbers`, { isKey: true });
  if (total === 0) at(['weights'], 'the weights add up to 0, so nobody gets a variant', { isKey: true });
  if (total > WEIGHTS_MAX)
    at(['weights'], `the weights add up to ${total}; the limit is ${WEIGHTS_MAX}`, { isKey: true });
}
