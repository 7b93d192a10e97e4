/**
 * What the bucketing algorithms of other systems have in common: a unit goes in, its variant comes out.
 *
 * `fairlead1` is not one of them: it lives in `bucket.ts` and `slots.ts`, and `assign.ts` asks it directly. These
 * are here so that a team that moves to Fairlead keeps its cohorts, so each does what its system does to the last
 * bit, flaws included, and never changes. Pure; the vectors of every system are in `test/vectors`.
 */
import { SLOTS } from '../bucket.ts';

export const COMPATIBLE_ALGORITHMS = [
  'unleash',
  'growthbook1',
  'growthbook2',
  'flagd1',
  'flagd2',
  'launchdarkly',
  'eppo',
] as const;
export type CompatibleAlgorithm = (typeof COMPATIBLE_ALGORITHMS)[number];

/** Where a unit belongs. */
export interface Placement {
  /** Index of the variant. */
  readonly variant: number;
  /** The number the system's hash came to, scaled to [0, 1,000,000): for people to read, nothing decides by it. */
  readonly slot: number;
}

/** One experiment's algorithm with its settings, made once and shared by all requests. */
export interface Bucketing {
  readonly name: CompatibleAlgorithm;
  /**
   * Are the shares written in the system's own numbers? Then they are changed in the file only: a percentage set at
   * run time would not say which of the ranges or weights it means.
   */
  readonly isExact: boolean;
  /**
   * The unit's place, or null when it does not take part. The same unit has the same place in every process and
   * release. `trace` collects a sentence a step, without the unit in it. `unit` is not empty. Throws nothing.
   */
  place(unit: string, trace?: string[]): Placement | null;
}

/** A number in [0, 1] as a slot; 1 itself, which some of the systems can reach, is in the last one. */
export function slotOfRatio(ratio: number): number {
  return Math.min(SLOTS - 1, Math.floor(ratio * SLOTS));
}

/**
 * The first index whose cumulative weight is more than `target`, or -1. Adds up in the order given, from 0, in
 * doubles, as all of the systems do: another order could round to another variant.
 */
export function firstBeyond(weights: readonly number[], target: number): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    sum += weights[i]!;
    if (target < sum) return i;
  }
  return -1;
}
