/**
 * Which share of an experiment's units goes from which variant to which when its rules change: computed from the slots
 * of its holdouts, its layer, its gate and its split, which are all hashes of their own, and not by counting units.
 * Exact for fairlead1. Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import { SLOTS } from '../experiment/bucket.ts';
import { type Holdout, type LayerRange, slotsIn } from '../experiment/layer.ts';
import { phaseOf } from '../experiment/lifecycle.ts';
import type { Experiment, Variant } from '../experiment/model.ts';
import { unitText } from '../experiment/unit.ts';

/** Of all units that meet the targeting and the prerequisites. */
export interface Move {
  /** Null: not in the experiment, which is served the fallback. */
  readonly from: string | null;
  readonly to: string | null;
  /** 0 to 1. */
  readonly share: number;
}

interface Owned extends LayerRange {
  readonly variant: string;
}

/** An experiment, as far as units are concerned. */
interface Dealing {
  /** By the hash that a unit's slot comes from: the slots that let it in. */
  readonly gates: ReadonlyMap<string, readonly LayerRange[]>;
  /** The hash of the split. */
  readonly split: string;
  readonly owners: readonly Owned[];
}

const EVERYONE: readonly LayerRange[] = [{ start: 0, end: SLOTS }];

/**
 * The moves between two states of an experiment; null: there was none, or there is none any more.
 *
 * @returns null when units are dealt out by another system's algorithm, whose shares do not say who moves
 */
export function exactMoves(
  before: Experiment | null,
  after: Experiment | null,
  wallMs: number,
): Move[] | null {
  const [left, right] = [dealing(before, wallMs), dealing(after, wallMs)];
  if (left === null || right === null) return null;
  const { both, onlyLeft, onlyRight } = gateShares(left, right);
  const moves: Move[] = [];
  const add = (from: string | null, to: string | null, share: number): void => {
    if (from !== to && share > 0) moves.push({ from, to, share });
  };
  for (const [from, to, share] of joint(left, right)) add(from, to, both * share);
  for (const [variant, share] of ownShares(left)) add(variant, null, onlyLeft * share);
  for (const [variant, share] of ownShares(right)) add(null, variant, onlyRight * share);
  return moves;
}

/** Share of all units in each variant, 0 to 1; of another system's algorithm nothing. */
export function sharesIn(experiment: Experiment | null, wallMs: number): Record<string, number> {
  const dealt = dealing(experiment, wallMs);
  if (dealt === null) return {};
  const { onlyLeft } = gateShares(dealt, dealing(null, wallMs)!);
  return Object.fromEntries(Array.from(ownShares(dealt), ([variant, share]) => [variant, onlyLeft * share]));
}

/**
 * Share of an experiment's slots, 0 to 1, that have another owner in another table of it; 0 where the slots do not deal.
 */
export function otherOwners(experiment: Experiment | null, other: Experiment | null): number {
  if (experiment === null || other === null || experiment.bucketing !== null) return 0;
  let same = 0;
  for (const a of experiment.slots)
    for (const b of other.slots) if (a.variant === b.variant) same += commonSlots(a, b);
  return (SLOTS - same) / SLOTS;
}

/** What is different about an experiment without being among its own settings: whom the rules around it let in. */
export function inheritedSettings(before: Experiment | null, after: Experiment | null): string[] {
  if (before === null || after === null) return [];
  const kinds = (['holdout', 'layer-holdout'] as const).filter(
    (kind) => !isDeepStrictEqual(holdoutOf(before, kind), holdoutOf(after, kind)),
  );
  const isSameLayer = before.layer?.name === after.layer?.name;
  const settings = kinds.flatMap((kind) => {
    if (kind === 'holdout') return ['holdout'];
    return isSameLayer ? [`holdout of layer ${after.layer?.name}`] : [];
  });
  const isDealtElsewhere = isSameLayer && before.layer?.salt !== after.layer?.salt;
  return isDealtElsewhere ? [...settings, `salt of layer ${after.layer?.name}`] : settings;
}

function holdoutOf({ holdouts }: Experiment, kind: Holdout['kind']): Holdout | undefined {
  return holdouts.find((holdout) => holdout.kind === kind);
}

/** Who gets one variant whatever the unit: all of a concluded one, and of one that ended with a winner. */
function winnerFor({ status, winner, fallback, schedule }: Experiment, wallMs: number): Variant | null {
  if (status === 'concluded') return winner ?? fallback;
  const hasEnded = status === 'running' && schedule !== null && phaseOf(schedule, wallMs) === 'ended';
  return hasEnded && schedule.afterwards.index !== fallback.index ? schedule.afterwards : null;
}

function isOn({ status, schedule }: Experiment, wallMs: number): boolean {
  return status === 'running' && (schedule === null || phaseOf(schedule, wallMs) === null);
}

function dealing(experiment: Experiment | null, wallMs: number): Dealing | null {
  const nobody: Dealing = { gates: new Map([['nobody', []]]), split: 'nobody', owners: [] };
  if (experiment === null) return nobody;
  const winner = winnerFor(experiment, wallMs);
  if (winner !== null)
    return { gates: new Map(), split: 'everyone', owners: [{ ...EVERYONE[0]!, variant: winner.name }] };
  if (!isOn(experiment, wallMs)) return nobody;
  if (experiment.bucketing !== null) return null;
  // Ids of another kind are other ids.
  const kind = experiment.unit[0] === undefined ? '' : unitText(experiment.unit[0]);
  const gates = new Map<string, readonly LayerRange[]>();
  for (const { kind: purpose, salt, sharePpm } of experiment.holdouts)
    gates.set(`${kind} ${purpose} ${salt}`, [{ start: sharePpm, end: SLOTS }]);
  if (experiment.layer !== null) gates.set(`${kind} layer ${experiment.layer.salt}`, experiment.layer.ranges);
  gates.set(`${kind} enrol ${experiment.salt}`, [{ start: 0, end: experiment.trafficPpm }]);
  return {
    gates,
    split: `${kind} variant ${experiment.salt}`,
    owners: experiment.slots.map(({ start, end, variant }) => ({
      start,
      end,
      variant: experiment.variants[variant]!.name,
    })),
  };
}

/** Hashes are independent of one another, so shares multiply; the same hash lets in the same units. */
function gateShares(left: Dealing, right: Dealing): { both: number; onlyLeft: number; onlyRight: number } {
  let [both, inLeft, inRight] = [1, 1, 1];
  for (const hash of new Set([...left.gates.keys(), ...right.gates.keys()])) {
    const [of, other] = [left.gates.get(hash) ?? EVERYONE, right.gates.get(hash) ?? EVERYONE];
    inLeft *= slotsIn(of) / SLOTS;
    inRight *= slotsIn(other) / SLOTS;
    both *= common(of, other) / SLOTS;
  }
  return { both, onlyLeft: inLeft - both, onlyRight: inRight - both };
}

function common(left: readonly LayerRange[], right: readonly LayerRange[]): number {
  let slots = 0;
  for (const a of left) for (const b of right) slots += commonSlots(a, b);
  return slots;
}

function commonSlots(a: LayerRange, b: LayerRange): number {
  return Math.max(0, Math.min(a.end, b.end) - Math.max(a.start, b.start));
}

/** The share of every pair of variants among the units that both let in. */
function joint(left: Dealing, right: Dealing): [from: string, to: string, share: number][] {
  if (left.split !== right.split)
    return [...ownShares(left)].flatMap(([from, share]) =>
      [...ownShares(right)].map(([to, other]): [string, string, number] => [from, to, share * other]),
    );
  const slots = new Map<string, [from: string, to: string, slots: number]>();
  for (const a of left.owners) {
    for (const b of right.owners) {
      const key = `${a.variant}\0${b.variant}`;
      const pair = slots.get(key) ?? [a.variant, b.variant, 0];
      slots.set(key, [pair[0], pair[1], pair[2] + commonSlots(a, b)]);
    }
  }
  return Array.from(slots.values(), ([from, to, count]) => [from, to, count / SLOTS]);
}

function ownShares({ owners }: Dealing): Map<string, number> {
  const shares = new Map<string, number>();
  for (const { variant, start, end } of owners)
    shares.set(variant, (shares.get(variant) ?? 0) + (end - start) / SLOTS);
  return shares;
}
