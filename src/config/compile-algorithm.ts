/** A declared algorithm to the `Bucketing` that the request path asks; null is fairlead1. Pure. */
import type { Bucketing } from '../experiment/algorithms/bucketing.ts';
import { eppo } from '../experiment/algorithms/eppo.ts';
import { type FlagdSettings, flagd1, flagd2 } from '../experiment/algorithms/flagd.ts';
import {
  type GrowthbookFilter,
  type GrowthbookRange,
  growthbook,
  growthbookRanges,
  growthbookRollout,
  type HashVersion,
  namespaceFilter,
} from '../experiment/algorithms/growthbook.ts';
import { launchdarkly } from '../experiment/algorithms/launchdarkly.ts';
import { unleash, unleashRollout } from '../experiment/algorithms/unleash.ts';
import type { Variant } from '../experiment/model.ts';
import { isExact, totalShards } from './algorithm-shares.ts';
import { type AlgorithmConfig, LAUNCHDARKLY_TOTAL } from './schema-algorithm.ts';
import { PPM } from './units.ts';

/** Unleash writes variants' weights in thousandths. */
const UNLEASH_TOTAL = 1000;
const PERCENT = 100;

/** What a bucketing is made from. */
export interface Declared {
  /** Of the experiment. */
  readonly name: string;
  readonly algorithm: AlgorithmConfig | undefined;
  readonly trafficPpm: number;
  /** With the weights that are in effect. */
  readonly variants: readonly Variant[];
  readonly fallback: Variant;
}

export function compileAlgorithm(declared: Declared): Bucketing | null {
  const { algorithm } = declared;
  switch (algorithm?.name) {
    case undefined:
    case 'fairlead1':
      return null;
    case 'unleash':
      return compileUnleash(algorithm, declared);
    case 'growthbook1':
      return compileGrowthbook(1, algorithm, declared);
    case 'growthbook2':
      return compileGrowthbook(2, algorithm, declared);
    case 'flagd1':
      return flagd1(flagdSettings(algorithm, declared));
    case 'flagd2':
      return flagd2(flagdSettings(algorithm, declared));
    case 'launchdarkly':
      return compileLaunchdarkly(algorithm, declared);
    case 'eppo':
      return compileEppo(algorithm, declared);
  }
}

function compileUnleash(algorithm: AlgorithmConfig, declared: Declared): Bucketing {
  const groupId = algorithm.groupId ?? declared.name;
  if (algorithm.rollout) {
    const { on, off, sharePpm } = onAndOff(declared);
    return unleashRollout({ groupId, rolloutPercent: (sharePpm * PERCENT) / PPM, on, off });
  }
  return unleash({
    groupId,
    variantGroupId: algorithm.variantGroupId ?? groupId,
    rolloutPercent: (declared.trafficPpm * PERCENT) / PPM,
    weights: weightsOf(algorithm, declared, UNLEASH_TOTAL),
    isExact: isExact(algorithm),
  });
}

function compileGrowthbook(version: HashVersion, algorithm: AlgorithmConfig, declared: Declared): Bucketing {
  const seed = String(algorithm.seed ?? declared.name);
  const filters = filtersOf(algorithm);
  if (algorithm.rollout) {
    const { on, off, sharePpm } = onAndOff(declared);
    return growthbookRollout({ version, seed, filters, coverage: sharePpm / PPM, on, off });
  }
  const { ranges } = algorithm;
  const coverage = declared.trafficPpm / PPM;
  return growthbook({
    version,
    seed,
    filters,
    ranges:
      ranges === undefined
        ? growthbookRanges(declared.variants.length, coverage, weightsOf(algorithm, declared, 1))
        : declared.variants.map(({ name }) => pair(ranges[name] ?? [])),
    isExact: isExact(algorithm),
  });
}

function filtersOf({ filters, namespace }: AlgorithmConfig): GrowthbookFilter[] {
  if (namespace !== undefined) return [namespaceFilter(namespace.id, pair(namespace.range))];
  return (filters ?? []).map(({ seed, hashVersion, ranges }) => ({
    seed,
    version: hashVersion,
    ranges: ranges.map(pair),
  }));
}

/** A range that is not given has nobody in it. */
function pair(range: readonly number[]): GrowthbookRange {
  return [range[0] ?? 0, range[1] ?? 0];
}

function flagdSettings(algorithm: AlgorithmConfig, declared: Declared): FlagdSettings {
  return {
    prefix: String(algorithm.seed ?? algorithm.flagKey ?? declared.name),
    weights: weightsOf(algorithm, declared, PPM),
    isExact: isExact(algorithm),
  };
}

function compileLaunchdarkly(algorithm: AlgorithmConfig, declared: Declared): Bucketing {
  const { seed, key, salt, buckets } = algorithm;
  return launchdarkly({
    prefix: seed === undefined ? `${key ?? declared.name}.${salt ?? ''}` : String(seed),
    buckets:
      buckets === undefined
        ? declared.variants.map(({ index, weightPpm }) => ({
            variant: index,
            share: weightPpm / PPM,
            isUntracked: false,
          }))
        : buckets.map(({ variant, weight, untracked }) => ({
            variant: indexOf(declared, variant),
            share: weight / LAUNCHDARKLY_TOTAL,
            isUntracked: untracked,
          })),
    isExact: isExact(algorithm),
  });
}

function compileEppo(algorithm: AlgorithmConfig, declared: Declared): Bucketing {
  return eppo({
    totalShards: totalShards(algorithm),
    splits: (algorithm.splits ?? []).map(({ variant, shards }) => ({
      variant: indexOf(declared, variant),
      shards,
    })),
  });
}

/** The system's own weights if they are given, else the shares as numbers that add up to `total`. */
function weightsOf(algorithm: AlgorithmConfig, { variants }: Declared, total: number): number[] {
  const { weights } = algorithm;
  if (weights !== undefined) return variants.map(({ name }) => weights[name] ?? 0);
  return variants.map(({ weightPpm }) => (weightPpm * total) / PPM);
}

/** Of the two variants of a rollout, the fallback is what a flag is when it is off. */
function onAndOff({ variants, fallback }: Declared): { on: number; off: number; sharePpm: number } {
  const on = variants.find((variant) => variant.index !== fallback.index) ?? fallback;
  return { on: on.index, off: fallback.index, sharePpm: on.weightPpm };
}

function indexOf({ variants }: Declared, name: string): number {
  const index = variants.findIndex((variant) => variant.name === name);
  if (index === -1) throw new RangeError(`no variant ${name}`);
  return index;
}
