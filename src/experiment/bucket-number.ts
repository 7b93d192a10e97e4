/**
 * A unit's bucket as a number that Envoy's `WeightedCluster.header_name` understands: it takes the number modulo the sum
 * of its weights, and the first cluster whose cumulative weight is more than that. With the variants as clusters, in
 * their order and with weights in parts per million (so the sum is 1,000,000), it picks the variant we serve.
 *
 * The slot itself would not do, since after a ramp the slots of a variant do not lie together. The number is the slot's
 * place when the slots are sorted by variant: variants in their order, and the slots of each in theirs. Pure.
 */
import type { Experiment, SlotRange, Variant } from './model.ts';

/**
 * The number for a variant that is served, an integer in [0, 1,000,000), or null when the variant has no weight:
 * then no number makes Envoy pick it. `slot` is the unit's, or -1 when the split was not asked (an override, a
 * variant carried in): the number is then the first of the variant's.
 */
export function bucketNumber(experiment: Experiment, served: Variant, slot: number): number | null {
  if (served.weightPpm === 0) return null;
  let first = 0;
  for (let i = 0; i < served.index; i++) first += experiment.variants[i]!.weightPpm;
  // Another variant's slot, as after a breaker, has a number among those of the variant served as well.
  return first + Math.min(served.weightPpm - 1, slotsBelow(experiment.slots, served.index, slot));
}

/** Slots of a variant that come before `slot`. */
function slotsBelow(slots: readonly SlotRange[], variant: number, slot: number): number {
  let count = 0;
  for (let i = 0; i < slots.length; i++) {
    const range = slots[i]!;
    if (range.start >= slot) break;
    if (range.variant === variant) count += Math.min(range.end, slot) - range.start;
  }
  return count;
}
