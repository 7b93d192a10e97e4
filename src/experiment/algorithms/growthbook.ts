/**
 * GrowthBook: hash versions 1 and 2, bucket ranges, coverage, namespaces, filters and rollout rules.
 *
 * FNV-1a runs over UTF-16 code units, not bytes, as in GrowthBook's own SDK and specification. Ranges begin where
 * they would with full coverage, so raising the coverage only adds units. All arithmetic is in doubles and in
 * GrowthBook's order: its specification has users at the ends of ranges that another order would move.
 */
import { type Bucketing, type Placement, slotOfRatio } from './bucketing.ts';

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
/** Version 1 has a thousand buckets, version 2 ten thousand. */
const BUCKETS_1 = 1000;
const BUCKETS_2 = 10_000;
/** GrowthBook's tolerance for weights that do not add up to 1; beyond it all weights are equal. */
const WEIGHTS_MIN = 0.99;
const WEIGHTS_MAX = 1.01;

export type HashVersion = 1 | 2;
/** From, inclusive, and to, exclusive, in [0, 1]. */
export type GrowthbookRange = readonly [from: number, to: number];

/** Units whose hash with this seed is in none of the ranges do not take part. */
export interface GrowthbookFilter {
  readonly seed: string;
  readonly version: HashVersion;
  readonly ranges: readonly GrowthbookRange[];
}

export interface GrowthbookSettings {
  readonly version: HashVersion;
  readonly seed: string;
  /** One for each variant; the first that holds the hash wins. */
  readonly ranges: readonly GrowthbookRange[];
  readonly filters: readonly GrowthbookFilter[];
  readonly isExact: boolean;
}

/** An experiment. */
export function growthbook(settings: GrowthbookSettings): Bucketing {
  const { version, seed, ranges, filters, isExact } = settings;
  const name = nameOf(version);
  const place = (unit: string, trace?: string[]): Placement | null => {
    if (!passes(name, filters, unit, trace)) return null;
    const hash = growthbookHash(seed, unit, version);
    trace?.push(`${name}: the hash with seed ${seed} is ${hash}`);
    const variant = chooseVariation(hash, ranges);
    return variant === -1 ? null : { variant, slot: slotOfRatio(hash) };
  };
  return { name, isExact, place };
}

/**
 * A rollout rule, `force` with `coverage`: on for every hash below the coverage, off for all others. As GrowthBook's
 * specification has it; its SDK for JavaScript up to 1.8.0 also takes the one hash that equals the coverage.
 */
export function growthbookRollout(
  settings: Pick<GrowthbookSettings, 'version' | 'seed' | 'filters'> & {
    readonly coverage: number;
    readonly on: number;
    readonly off: number;
  },
): Bucketing {
  const { version, seed, filters, coverage, on, off } = settings;
  const name = nameOf(version);
  const place = (unit: string, trace?: string[]): Placement | null => {
    if (!passes(name, filters, unit, trace)) return null;
    const hash = growthbookHash(seed, unit, version);
    trace?.push(`${name}: the hash with seed ${seed} is ${hash}, the coverage ${coverage}`);
    return { variant: hash < coverage ? on : off, slot: slotOfRatio(hash) };
  };
  return { name, isExact: false, place };
}

/** A namespace as the filter it amounts to. */
export function namespaceFilter(id: string, range: GrowthbookRange): GrowthbookFilter {
  return { seed: `__${id}`, version: 1, ranges: [range] };
}

/** The hash of a value, in [0, 1). */
export function growthbookHash(seed: string, value: string, version: HashVersion): number {
  if (version === 1) return (fnv1a32(seed, fnv1a32(value, FNV_OFFSET)) % BUCKETS_1) / BUCKETS_1;
  const first = fnv1a32(value, fnv1a32(seed, FNV_OFFSET));
  return (fnv1a32(String(first), FNV_OFFSET) % BUCKETS_2) / BUCKETS_2;
}

/**
 * A range for each variation. `coverage` is brought into [0, 1]; weights of the wrong number, or that are far from
 * adding up to 1, count as equal, and no weights likewise.
 */
export function growthbookRanges(
  variations: number,
  coverage: number,
  weights: readonly number[] | null,
): GrowthbookRange[] {
  const covered = Math.min(1, Math.max(0, coverage));
  const equal = new Array<number>(variations).fill(1 / variations);
  let start = 0;
  return (isUsable(weights, variations) ? weights : equal).map((weight) => {
    const range = [start, start + covered * weight] as const;
    start += weight;
    return range;
  });
}

/** Index of the first range with this hash in it, or -1. */
export function chooseVariation(hash: number, ranges: readonly GrowthbookRange[]): number {
  return ranges.findIndex((range) => isInside(hash, range));
}

/** Would GrowthBook use these weights? */
export function isUsable(
  weights: readonly number[] | null,
  variations: number,
): weights is readonly number[] {
  if (weights === null || weights.length !== variations) return false;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return total >= WEIGHTS_MIN && total <= WEIGHTS_MAX;
}

function passes(name: string, filters: readonly GrowthbookFilter[], unit: string, trace?: string[]): boolean {
  for (const { seed, version, ranges } of filters) {
    const hash = growthbookHash(seed, unit, version);
    const isIn = ranges.some((range) => isInside(hash, range));
    trace?.push(`${name}: the filter's hash with seed ${seed} is ${hash}, ${isIn ? 'inside' : 'outside'}`);
    if (!isIn) return false;
  }
  return true;
}

function isInside(hash: number, [from, to]: GrowthbookRange): boolean {
  return hash >= from && hash < to;
}

function nameOf(version: HashVersion): 'growthbook1' | 'growthbook2' {
  return version === 1 ? 'growthbook1' : 'growthbook2';
}

/** FNV-1a over UTF-16 code units, going on from `state`; unsigned. */
function fnv1a32(text: string, state: number): number {
  let hash = state;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  return hash >>> 0;
}
