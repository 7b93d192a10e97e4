/**
 * Unleash: the gradual rollout and the variants of a flag, as Unleash's client specification has them.
 *
 * Two hashes, two seeds: `murmur3(groupId:id, 0) % 100 + 1` must be within the rollout, and
 * `murmur3(groupId:id, 86028157) % total + 1` walks the cumulative weights. The text is hashed as UTF-8, as in
 * Unleash's Rust core and its clients for Java, Go and Python; the old client for Node took the low byte of every
 * UTF-16 code unit, so that ids outside ASCII differ there.
 */

import { SLOTS } from '../bucket.ts';
import { type Bucketing, firstBeyond, type Placement } from './bucketing.ts';
import { murmur32 } from './murmur.ts';

const ROLLOUT_SEED = 0;
/** A prime of Unleash's, so that the variants are independent of the rollout. */
const VARIANT_SEED = 86_028_157;
const PERCENT = 100;

export interface UnleashSettings {
  /** Of the strategy; the flag's name unless the strategy says otherwise. */
  readonly groupId: string;
  /** Of the variants: the same for variants of the strategy, the flag's name for variants of the flag. */
  readonly variantGroupId: string;
  /** 0 to 100: who takes part. */
  readonly rolloutPercent: number;
  /** In the order of the variants; whole numbers in Unleash, where they usually add up to 1000. */
  readonly weights: readonly number[];
  readonly isExact: boolean;
}

/** A flag with variants: the rollout says who takes part, the weights say with which variant. */
export function unleash(settings: UnleashSettings): Bucketing {
  const { groupId, variantGroupId, rolloutPercent, weights, isExact } = settings;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const place = (unit: string, trace?: string[]): Placement | null => {
    if (!isInRollout(groupId, unit, rolloutPercent, trace) || total <= 0) return null;
    const target = (murmur32(`${variantGroupId}:${unit}`, VARIANT_SEED) % total) + 1;
    trace?.push(`unleash: the variants' hash of group ${variantGroupId} is ${target} of ${total}`);
    // Unleash stops at the first sum that is not below the target, and both count from 1.
    const variant = firstBeyond(weights, target - 1);
    return variant === -1 ? null : { variant, slot: Math.floor(((target - 1) * SLOTS) / total) };
  };
  return { name: 'unleash', isExact, place };
}

/** A flag without variants: on for those within the rollout, off for all others, and both are arms. */
export function unleashRollout(settings: {
  readonly groupId: string;
  readonly rolloutPercent: number;
  readonly on: number;
  readonly off: number;
}): Bucketing {
  const { groupId, rolloutPercent, on, off } = settings;
  const place = (unit: string, trace?: string[]): Placement => {
    const value = rolloutValue(groupId, unit, rolloutPercent, trace);
    return {
      variant: value <= rolloutPercent ? on : off,
      slot: Math.floor(((value - 1) * SLOTS) / PERCENT),
    };
  };
  return { name: 'unleash', isExact: false, place };
}

function isInRollout(groupId: string, unit: string, rolloutPercent: number, trace?: string[]): boolean {
  if (rolloutPercent >= PERCENT) return true;
  return rolloutValue(groupId, unit, rolloutPercent, trace) <= rolloutPercent;
}

/** 1 to 100. */
function rolloutValue(groupId: string, unit: string, rolloutPercent: number, trace?: string[]): number {
  const value = (murmur32(`${groupId}:${unit}`, ROLLOUT_SEED) % PERCENT) + 1;
  trace?.push(
    `unleash: the rollout's hash of group ${groupId} is ${value}, ${value <= rolloutPercent ? 'within' : 'beyond'} ${rolloutPercent} of ${PERCENT}`,
  );
  return value;
}
