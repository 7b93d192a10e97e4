/**
 * LaunchDarkly: percentage rollouts and experiments.
 *
 * The first 15 hex digits of the SHA-1 of `key.salt.unit`, or of `seed.unit`, divided by 0xFFFFFFFFFFFFFFF, walk the
 * cumulative weights; whoever is past their end gets the last bucket. In doubles, as LaunchDarkly's SDKs for
 * JavaScript and Python have it; those for Go and Java compute in single precision, which moves one unit in about
 * ten million.
 */
import { hash } from 'node:crypto';
import { type Bucketing, firstBeyond, type Placement, slotOfRatio } from './bucketing.ts';

const HASH_DIGITS = 15;
/** 0xFFFFFFFFFFFFFFF as a double. */
const HASH_MAX = 2 ** 60;

/** A bucket of the rollout; several may have the same variant. */
export interface LaunchdarklyBucket {
  readonly variant: number;
  /** Share of all units, 1 is everyone; LaunchDarkly's own numbers are these times 100,000. */
  readonly share: number;
  /** Its units are not part of the experiment. */
  readonly isUntracked: boolean;
}

export interface LaunchdarklySettings {
  /** `key.salt`, or the seed of an experiment; the SDKs for JavaScript take a seed of 0 for none. */
  readonly prefix: string;
  readonly buckets: readonly LaunchdarklyBucket[];
  readonly isExact: boolean;
}

export function launchdarkly({ prefix, buckets, isExact }: LaunchdarklySettings): Bucketing {
  const shares = buckets.map((bucket) => bucket.share);
  const place = (unit: string, trace?: string[]): Placement | null => {
    const value = launchdarklyHash(prefix, unit);
    const found = firstBeyond(shares, value);
    const index = found === -1 ? buckets.length - 1 : found;
    const bucket = buckets[index]!;
    trace?.push(
      `launchdarkly: the hash with prefix ${prefix} is ${value.toFixed(8)}, in bucket ${index + 1} of ${buckets.length}${bucket.isUntracked ? ', which is untracked' : ''}`,
    );
    return bucket.isUntracked ? null : { variant: bucket.variant, slot: slotOfRatio(value) };
  };
  return { name: 'launchdarkly', isExact, place };
}

/** In [0, 1]. */
export function launchdarklyHash(prefix: string, unit: string): number {
  return Number.parseInt(hash('sha1', `${prefix}.${unit}`).slice(0, HASH_DIGITS), 16) / HASH_MAX;
}
