/**
 * Which variant owns which of an experiment's 1,000,000 slots, and how a change of weights moves them.
 *
 * Every treatment has a fixed home and an order of preference over all slots. It grows into the fallback's
 * slots nearest its home and shrinks by giving the furthest back, so a ramp moves only who must move and a ramp
 * down and up restores the same units. A slot goes from one treatment to another only when the fallback's own
 * slots do not suffice. With one or two treatments the table is a function of the weights alone; with more, as
 * long as no treatment holds more than its home's share (1 / number of treatments). Why, and what was rejected:
 * `docs/decisions/0004-slot-table.md`. Not on the request path, but for `variantAt`.
 */
import { SLOTS } from './bucket.ts';
import type { SlotRange } from './model.ts';

/** Owner of the slots that a treatment has just given up: the last resort for the next one that grows. */
const RELEASED = -1;

/** Where a treatment starts, and whether it grows up from there (wrapping at the top) or down from the top. */
interface Home {
  readonly slot: number;
  readonly isDown: boolean;
}

/** A change of owner: `count` slots of `from` become `to`'s, those nearest the home or those furthest from it. */
interface Transfer {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly end: 'nearest' | 'furthest';
}

/** The table of an experiment that starts with these weights. Weights are parts per million, in variant order. */
export function allocate(weightsPpm: readonly number[], fallbackIndex: number): SlotRange[] {
  return reallocate([{ start: 0, end: SLOTS, variant: fallbackIndex }], weightsPpm, fallbackIndex);
}

/**
 * The table after a change of weights, with as few slots moved as the rules above allow: every shrinking
 * treatment gives back, every growing one takes, nothing else moves. `previous` may hold variants beyond the
 * weights (removed ones): their slots are released. Throws RangeError for weights that are not whole parts per
 * million adding up to 1,000,000, a fallback that is not there, or a previous table with gaps.
 */
export function reallocate(
  previous: readonly SlotRange[],
  weightsPpm: readonly number[],
  fallbackIndex: number,
): SlotRange[] {
  checkWeights(weightsPpm, fallbackIndex);
  if (!isSlotTable(previous))
    throw new RangeError('slots: the previous table has gaps, overlaps or a bad owner');
  let table = merge(
    previous.map((range) => (range.variant < weightsPpm.length ? range : owned(range, RELEASED))),
  );
  const treatments = weightsPpm.map((_, variant) => variant).filter((variant) => variant !== fallbackIndex);
  const homes = treatments.map((_, position) => homeOf(position, treatments.length));

  for (const [position, variant] of treatments.entries()) {
    const count = slotsOwned(table, variant) - weightsPpm[variant]!;
    if (count > 0)
      table = transfer(table, homes[position]!, { from: variant, to: RELEASED, count, end: 'furthest' });
  }
  for (const [position, variant] of treatments.entries()) {
    const missing = weightsPpm[variant]! - slotsOwned(table, variant);
    if (missing <= 0) continue;
    const spare = Math.min(missing, slotsOwned(table, fallbackIndex));
    const home = homes[position]!;
    table = transfer(table, home, { from: fallbackIndex, to: variant, count: spare, end: 'nearest' });
    table = transfer(table, home, { from: RELEASED, to: variant, count: missing - spare, end: 'nearest' });
  }
  return merge(table.map((range) => (range.variant === RELEASED ? owned(range, fallbackIndex) : range)));
}

/** Index of the variant that owns `slot`. `slots` is a table as made above; `slot` an integer in [0, SLOTS). */
export function variantAt(slots: readonly SlotRange[], slot: number): number {
  let low = 0;
  let high = slots.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (slot < slots[middle]!.end) high = middle;
    else low = middle + 1;
  }
  return slots[low]!.variant;
}

/** Does this cover every slot once, in ascending order, with owners that are whole numbers from 0? */
export function isSlotTable(slots: readonly SlotRange[]): boolean {
  let at = 0;
  for (const { start, end, variant } of slots) {
    if (start !== at || !Number.isInteger(end) || end <= start) return false;
    if (!Number.isInteger(variant) || variant < 0) return false;
    at = end;
  }
  return at === SLOTS;
}

function checkWeights(weightsPpm: readonly number[], fallbackIndex: number): void {
  const sum = weightsPpm.reduce((total, weight) => total + weight, 0);
  const isWhole = weightsPpm.every((weight) => Number.isInteger(weight) && weight >= 0);
  if (!isWhole || sum !== SLOTS)
    throw new RangeError(`slots: weights must be whole and add up to ${SLOTS}, not ${sum}`);
  if (weightsPpm[fallbackIndex] === undefined)
    throw new RangeError(`slots: no variant ${fallbackIndex} to fall back to`);
}

/** One treatment grows up from the bottom, a second down from the top; more are spread evenly and grow up. */
function homeOf(position: number, treatments: number): Home {
  if (treatments === 2 && position === 1) return { slot: SLOTS, isDown: true };
  return { slot: Math.floor((position * SLOTS) / treatments), isDown: false };
}

function slotsOwned(table: readonly SlotRange[], variant: number): number {
  return table.reduce((sum, range) => (range.variant === variant ? sum + range.end - range.start : sum), 0);
}

function owned(range: SlotRange, variant: number): SlotRange {
  return { start: range.start, end: range.end, variant };
}

function transfer(table: readonly SlotRange[], home: Home, change: Transfer): SlotRange[] {
  const isNearest = change.end === 'nearest';
  const preferred = fromHome(table, home);
  const result: SlotRange[] = [];
  let left = change.count;
  for (const range of isNearest ? preferred : preferred.reverse()) {
    const taken = range.variant === change.from ? Math.min(left, range.end - range.start) : 0;
    left -= taken;
    const cut = isNearest ? range.start + taken : range.end - taken;
    result.push({ start: range.start, end: cut, variant: isNearest ? change.to : range.variant });
    result.push({ start: cut, end: range.end, variant: isNearest ? range.variant : change.to });
  }
  return merge(toSlots(result, home));
}

/** The ranges numbered by distance from the home: 0 is the slot the treatment likes best. Ascending. */
function fromHome(table: readonly SlotRange[], home: Home): SlotRange[] {
  if (home.isDown) return table.map((range) => flipped(range)).reverse();
  const below = table.filter((range) => range.start < home.slot);
  const above = table.filter((range) => range.end > home.slot);
  return [
    ...above.map((range) => shifted(range, Math.max(range.start, home.slot), range.end, -home.slot)),
    ...below.map((range) => shifted(range, range.start, Math.min(range.end, home.slot), SLOTS - home.slot)),
  ];
}

/** The way back from `fromHome`, for ranges in any order. */
function toSlots(ranges: readonly SlotRange[], home: Home): SlotRange[] {
  if (home.isDown) return ranges.map((range) => flipped(range));
  const wrap = SLOTS - home.slot;
  return ranges.map((range) =>
    shifted(range, range.start, range.end, range.start < wrap ? home.slot : -wrap),
  );
}

function flipped(range: SlotRange): SlotRange {
  return { start: SLOTS - range.end, end: SLOTS - range.start, variant: range.variant };
}

function shifted(range: SlotRange, start: number, end: number, by: number): SlotRange {
  return { start: start + by, end: end + by, variant: range.variant };
}

/** In ascending order, without empty ranges, neighbours of one owner as one. */
function merge(ranges: readonly SlotRange[]): SlotRange[] {
  const merged: SlotRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    if (range.start === range.end) continue;
    const last = merged.at(-1);
    if (last?.variant === range.variant) merged[merged.length - 1] = { ...last, end: range.end };
    else merged.push(range);
  }
  return merged;
}
