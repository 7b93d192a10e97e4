/**
 * Layers and holdouts: which units an experiment may have at all.
 *
 * A layer deals every unit one of 1,000,000 slots by a hash of its own (`layer`). An experiment owns ranges of them,
 * written down in the configuration, so that all sidecars agree without asking one another; ranges of one layer never
 * overlap, so two of its experiments never share a unit. The experiment's own hash splits what its ranges let in, and
 * has nothing to do with the layer's. A holdout is a share of all units that gets no candidate. Why explicit ranges,
 * and what was rejected: `docs/decisions/0009-layers.md`. Pure; on the request path of experiments in a layer only.
 */
import { SLOTS, slotOf } from './bucket.ts';

/** Slots [start, end) of a layer. */
export interface LayerRange {
  readonly start: number;
  readonly end: number;
}

/** Units kept out of experiments. Two kinds, two hashes: who is held out of one layer says nothing about the rest. */
export interface Holdout {
  readonly kind: 'holdout' | 'layer-holdout';
  readonly salt: string;
  readonly sharePpm: number;
}

/** A layer as declared. */
export interface Layer {
  readonly name: string;
  readonly salt: string;
  readonly holdout: Holdout | null;
}

/** What an experiment has of its layer. */
export interface LayerShare {
  readonly name: string;
  readonly salt: string;
  /** Ascending, none empty, none overlapping. */
  readonly ranges: readonly LayerRange[];
}

/** The first holdout that keeps the unit out, or null. */
export function heldOut(holdouts: readonly Holdout[], unit: string): Holdout | null {
  for (let i = 0; i < holdouts.length; i++) {
    const holdout = holdouts[i]!;
    if (slotOf(holdout.salt, holdout.kind, unit) < holdout.sharePpm) return holdout;
  }
  return null;
}

/** The unit's slot in a layer, an integer in [0, 1,000,000). */
export function layerSlot(layer: { readonly salt: string }, unit: string): number {
  return slotOf(layer.salt, 'layer', unit);
}

/** Is the slot in one of the ranges? A plain loop: there are a few, since each is written by hand. */
export function isWithin(ranges: readonly LayerRange[], slot: number): boolean {
  for (let i = 0; i < ranges.length; i++) {
    if (slot < ranges[i]!.start) return false;
    if (slot < ranges[i]!.end) return true;
  }
  return false;
}

/** In ascending order, neighbours and overlaps as one. */
export function merged(ranges: readonly LayerRange[]): LayerRange[] {
  const result: LayerRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    if (last === undefined || last.end < range.start) result.push(range);
    else result[result.length - 1] = { start: last.start, end: Math.max(last.end, range.end) };
  }
  return result;
}

/** What is left of a layer beside these ranges: where a new experiment has room. */
export function freeRanges(taken: readonly LayerRange[]): LayerRange[] {
  const free: LayerRange[] = [];
  let at = 0;
  for (const { start, end } of merged(taken)) {
    if (start > at) free.push({ start: at, end: start });
    at = end;
  }
  if (at < SLOTS) free.push({ start: at, end: SLOTS });
  return free;
}

/** Slots that the ranges hold, each counted once. */
export function slotsIn(ranges: readonly LayerRange[]): number {
  return merged(ranges).reduce((sum, { start, end }) => sum + end - start, 0);
}

/** The first slots that both hold, or null. */
export function overlap(left: readonly LayerRange[], right: readonly LayerRange[]): LayerRange | null {
  for (const one of left) {
    for (const other of right) {
      const start = Math.max(one.start, other.start);
      const end = Math.min(one.end, other.end);
      if (start < end) return { start, end };
    }
  }
  return null;
}
