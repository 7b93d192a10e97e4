/**
 * flagd: the `fractional` operator, before and after it became exact.
 *
 * `flagd2` maps the hash to the weights with integers, `(hash * total) >> 32`. `flagd1` is what flagd did until
 * then: `abs(int32(hash)) / MaxInt32 * 100` in doubles against percentages, where two hashes out of four thousand
 * million reach 100 and belong to nobody: they get the default variant, here the fallback.
 */
import { type Bucketing, firstBeyond, type Placement, slotOfRatio } from './bucketing.ts';
import { murmur32 } from './murmur.ts';

const INT32_MAX = 0x7fff_ffff;
const HASHES = 2 ** 32;
const HALF = 2 ** 16;
const PERCENT = 100;

export interface FlagdSettings {
  /** What stands before the unit in the text that is hashed: the flag's key, or the first part of a `cat`. */
  readonly prefix: string;
  /** Whole numbers, in the order of the variants; together at most 2,147,483,647. */
  readonly weights: readonly number[];
  readonly isExact: boolean;
}

/** Exact buckets: flagd since `fractional` is exact. */
export function flagd2({ prefix, weights, isExact }: FlagdSettings): Bucketing {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const place = (unit: string, trace?: string[]): Placement | null => {
    const hash = murmur32(prefix + unit, 0);
    const bucket = scale(hash, total);
    trace?.push(`flagd2: the hash with prefix ${JSON.stringify(prefix)} is in bucket ${bucket} of ${total}`);
    const variant = firstBeyond(weights, bucket);
    return variant === -1 ? null : { variant, slot: slotOfRatio(hash / HASHES) };
  };
  return { name: 'flagd2', isExact, place };
}

/** Percentages in doubles: flagd before that. */
export function flagd1({ prefix, weights, isExact }: FlagdSettings): Bucketing {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const percentages = weights.map((weight) => (PERCENT * weight) / total);
  const place = (unit: string, trace?: string[]): Placement | null => {
    const ratio = Math.abs(murmur32(prefix + unit, 0) | 0) / INT32_MAX;
    const bucket = ratio * PERCENT;
    trace?.push(`flagd1: the hash with prefix ${JSON.stringify(prefix)} is ${bucket} of ${PERCENT}`);
    const variant = firstBeyond(percentages, bucket);
    return variant === -1 ? null : { variant, slot: slotOfRatio(ratio) };
  };
  return { name: 'flagd1', isExact, place };
}

/** `(hash * total) >> 32` of unsigned integers, `total` below 2^31: in two halves, since the product has 63 bits. */
function scale(hash: number, total: number): number {
  const high = Math.floor(hash / HALF) * total;
  const low = (hash % HALF) * total;
  return Math.floor((high + Math.floor(low / HALF)) / HALF);
}
