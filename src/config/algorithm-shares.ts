/**
 * The share of each variant when the algorithm's own numbers say it (weights, ranges, buckets, splits). Pure. For
 * people, for metrics and for the check of sample ratios: what decides are the numbers themselves.
 */
import type { EppoShard } from '../experiment/algorithms/eppo.ts';
import { type AlgorithmConfig, LAUNCHDARKLY_TOTAL } from './schema-algorithm.ts';
import { PPM } from './units.ts';

const TOTAL_SHARDS = 10_000;

/** Are the shares in the system's own numbers, so that a percentage cannot stand for them? */
export function isExact(algorithm: AlgorithmConfig | undefined): algorithm is AlgorithmConfig {
  if (algorithm === undefined) return false;
  const { weights, ranges, buckets, splits } = algorithm;
  return (weights ?? ranges ?? buckets ?? splits) !== undefined;
}

export function totalShards(algorithm: AlgorithmConfig): number {
  return algorithm.totalShards ?? TOTAL_SHARDS;
}

/** Parts per million in the order of `variants`, adding up to 1,000,000; all to the fallback when there are none. */
export function exactShares(
  algorithm: AlgorithmConfig,
  variants: readonly string[],
  fallback: string | null,
): Map<string, number> {
  const parts = new Map(variants.map((name) => [name, 0]));
  for (const [name, part] of partsOf(algorithm)) parts.set(name, (parts.get(name) ?? 0) + part);
  return inPpm(parts, fallback);
}

function partsOf(algorithm: AlgorithmConfig): [variant: string, part: number][] {
  const { weights, ranges, buckets, splits } = algorithm;
  if (weights !== undefined) return Object.entries(weights);
  if (ranges !== undefined)
    return Object.entries(ranges).map(([name, [from = 0, to = 0]]) => [name, to - from]);
  if (buckets !== undefined) return bucketParts(buckets);
  // Salts are independent of each other, so the share of a split is the product of those of its shards.
  return (splits ?? []).map(({ variant, shards }) => [
    variant,
    shards.reduce((product, shard) => product * shardShare(shard, totalShards(algorithm)), 1),
  ]);
}

/** What is beyond 100,000 never gets anyone; what is missing to it belongs to the last bucket. */
function bucketParts(buckets: NonNullable<AlgorithmConfig['buckets']>): [string, number][] {
  let start = 0;
  return buckets.map(({ variant, weight, untracked }, index) => {
    const isLast = index === buckets.length - 1;
    const end = isLast ? LAUNCHDARKLY_TOTAL : Math.min(LAUNCHDARKLY_TOTAL, start + weight);
    const part = untracked ? 0 : end - start;
    start = end;
    return [variant, part];
  });
}

function shardShare(shard: EppoShard, total: number): number {
  return shard.ranges.reduce((sum, { start, end }) => sum + (end - start), 0) / total;
}

/** The largest remainders are rounded up, so that the sum is right. */
function inPpm(parts: ReadonlyMap<string, number>, fallback: string | null): Map<string, number> {
  const total = [...parts.values()].reduce((sum, part) => sum + part, 0);
  if (total === 0) return new Map([...parts.keys()].map((name) => [name, name === fallback ? PPM : 0]));
  const exact = [...parts].map(([name, part]) => ({ name, share: (part / total) * PPM }));
  const shares = new Map(exact.map(({ name, share }) => [name, Math.floor(share)]));
  let missing = PPM - [...shares.values()].reduce((sum, share) => sum + share, 0);
  for (const { name, share } of exact.toSorted((a, b) => (b.share % 1) - (a.share % 1))) {
    if (missing-- <= 0) break;
    shares.set(name, Math.floor(share) + 1);
  }
  return shares;
}
