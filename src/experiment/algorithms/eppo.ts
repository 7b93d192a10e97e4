/**
 * Eppo: an allocation's splits, each with the shards that a unit must be in, all of them.
 *
 * A unit's shard is the first 32 bits of the MD5 of `salt-unit`, modulo the number of shards. The first split that
 * matches gives the variant; a unit in none of them is not in the allocation.
 */
import { hash } from 'node:crypto';
import { type Bucketing, type Placement, slotOfRatio } from './bucketing.ts';

const HASH_DIGITS = 8;

export interface EppoRange {
  /** Inclusive. */
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

export interface EppoShard {
  readonly salt: string;
  readonly ranges: readonly EppoRange[];
}

export interface EppoSplit {
  /** Index of the variant. */
  readonly variant: number;
  /** None: everyone. */
  readonly shards: readonly EppoShard[];
}

export interface EppoSettings {
  readonly totalShards: number;
  readonly splits: readonly EppoSplit[];
}

export function eppo({ totalShards, splits }: EppoSettings): Bucketing {
  // Splits share salts as a rule (one of the traffic, one of the split), and each salt is hashed once for a unit.
  const salts = [...new Set(splits.flatMap((split) => split.shards.map((shard) => shard.salt)))];
  const plan = splits.map(({ variant, shards }) => ({
    variant,
    shards: shards.map(({ salt, ranges }) => ({ salt: salts.indexOf(salt), ranges })),
  }));
  const place = (unit: string, trace?: string[]): Placement | null => {
    const found = salts.map((salt) => eppoShard(salt, unit, totalShards));
    for (const [index, salt] of salts.entries())
      trace?.push(`eppo: the hash with salt ${salt} is shard ${found[index]} of ${totalShards}`);
    for (const { variant, shards } of plan) {
      if (!shards.every(({ salt, ranges }) => isInside(found[salt]!, ranges))) continue;
      // The last salt of the split that matched: by custom that of the split itself, after that of the traffic.
      const last = shards.at(-1);
      return { variant, slot: last === undefined ? 0 : slotOfRatio(found[last.salt]! / totalShards) };
    }
    return null;
  };
  return { name: 'eppo', isExact: true, place };
}

/** In [0, totalShards). */
export function eppoShard(salt: string, unit: string, totalShards: number): number {
  return Number.parseInt(hash('md5', `${salt}-${unit}`).slice(0, HASH_DIGITS), 16) % totalShards;
}

function isInside(shard: number, ranges: readonly EppoRange[]): boolean {
  return ranges.some(({ start, end }) => start <= shard && shard < end);
}
