/**
 * The units of a stratum: which variant each was first assigned, what it did, where it came from. Bounded memory, see
 * `unit-table.ts`. The sums over them go along with each request, so that looking at them costs nothing. Pure.
 */

import type { Dimension } from '../culprit.ts';
import { Distinct } from '../distinct.ts';
import { IGNORED } from './arm-totals.ts';
import type { CollectedUnitArm, CollectedUnits } from './collected.ts';
import { AGENTS, type CollectedRow, DEALT } from './delta.ts';
import type { Measure } from './measure.ts';
import { UnitArmTotals, UnitSum } from './unit-arm-totals.ts';
import { UnitTable } from './unit-table.ts';

const FAILURE = 1;

/**
 * Marks of a row: the variant and one, so that a new row has none; whether it has crossed; whether the split has dealt it
 * out; a slice of each dimension.
 */
const VARIANT = 0;
const CROSSED = 1;
const IS_DEALT = 2;
const SLICES = 3;
const DIMENSIONS = ['listener', 'worker', 'route', 'agent'] as const;
/** More slices are one that is called `other`. */
const SLICES_MAX = 64;
/** So many units are looked at before it is said that two experiments share none. */
const LOOKED_AT = 256;

/** What came of an event. */
export type EventResult = 'accepted' | 'unknown' | 'notFollowed';

/** What the units are of. */
export interface UnitShape {
  readonly measures: readonly Measure[];
  /** How many there are. */
  readonly variants: number;
}

interface Parts {
  readonly table: UnitTable;
  readonly distinct: readonly Distinct[];
  /** Names, by dimension. */
  readonly slices: readonly string[][];
}

export class UnitTotals {
  readonly #shape: UnitShape;
  readonly #table: UnitTable;
  readonly #distinct: readonly Distinct[];
  readonly #slices: readonly string[][];
  /** Over the units in the table: by variant, how many have crossed, and those that were dealt out by slice. */
  #arms: UnitArmTotals[] = [];
  #crossed = 0;
  #counts: number[][][] = [];

  /** @param limit How many units are followed at most. */
  constructor(shape: UnitShape, limit: number, { table, distinct, slices }: Parts = newParts(shape, limit)) {
    this.#shape = shape;
    this.#table = table;
    this.#distinct = distinct;
    this.#slices = slices;
    this.#count();
  }

  /** Units that are followed. */
  get size(): number {
    return this.#table.size;
  }

  /** From now on so many are followed at most. */
  limitTo(limit: number): void {
    const { followedShare } = this.#table;
    this.#table.limitTo(limit);
    if (this.#table.followedShare !== followedShare) this.#count();
  }

  /** A request of the unit `row.unit`. */
  add(row: CollectedRow): void {
    const table = this.#table;
    this.#distinct[row.assigned]!.addHash(row.unit);
    const { followedShare } = table;
    const at = table.add(row.unit);
    // Half of them were let go to make room for this one, which is new and counted below.
    if (table.followedShare !== followedShare) this.#count();
    if (at < 0) return;
    if (this.#variantAt(at) < 0) this.#markNew(at, row);
    else this.#markAgain(at, row);
    const arm = this.#arms[this.#variantAt(at)]!;
    const isDealt = this.#isDealt(at);
    if (row.outcome === IGNORED) return;
    arm.remove(table, at, isDealt);
    this.#addRequest(at, row);
    arm.add(table, at, isDealt);
  }

  /** The variant that a unit was first assigned; -1: it has not been seen, or is not followed. */
  variantOf(unit: number): number {
    const at = this.#table.find(unit);
    return at < 0 ? -1 : this.#variantAt(at);
  }

  isFollowed(unit: number): boolean {
    return this.#table.isFollowed(unit);
  }

  /** A value that came by itself, of a unit that has been seen. */
  addEvent(unit: number, measure: number, value: number): void {
    const at = this.#table.find(unit);
    const arm = this.#arms[this.#variantAt(at)]!;
    arm.remove(this.#table, at, this.#isDealt(at));
    this.#addValue(at, measure, value);
    arm.add(this.#table, at, this.#isDealt(at));
  }

  /** What is known of the units, as it is now. */
  sum(): CollectedUnits {
    return {
      followedShare: this.#table.followedShare,
      arms: this.#arms.map((arm, variant) => arm.summed(this.#distinct[variant]!.count)),
      crossed: this.#crossed,
      dimensions: this.#dimensions(),
    };
  }

  /**
   * The units that are in another experiment too, by the variants of both; null: of a few that are looked at none is. The
   * sums are of this experiment.
   */
  join(other: UnitTotals): CollectedUnitArm[][] | null {
    const table = this.#table;
    if (!this.#hasAnyOf(other)) return null;
    const { measures, variants } = this.#shape;
    const cells = Array.from({ length: variants }, () =>
      Array.from({ length: other.#shape.variants }, () => new UnitArmTotals(measures)),
    );
    for (let at = 0; at < table.size; at++) {
      const variant = other.variantOf(table.hashes[at]!);
      if (variant >= 0) cells[this.#variantAt(at)]![variant]!.add(table, at, this.#isDealt(at));
    }
    const share = Math.min(table.followedShare, other.#table.followedShare);
    return cells.map((row) => row.map((cell) => cell.summed(Math.round(cell.units / share))));
  }

  toJSON(): object {
    return { table: this.#table, distinct: this.#distinct, slices: this.#slices };
  }

  /** @throws RangeError for what `toJSON` has not made of the same shape. */
  static fromJSON(form: unknown, shape: UnitShape, limit: number): UnitTotals {
    const { table, distinct, slices } = Object(form) as Record<string, unknown>;
    const restored = UnitTable.fromJSON(table, limit);
    const { sums, marks } = newTable(shape, 1).shape;
    if (restored.shape.sums !== sums || restored.shape.marks !== marks)
      throw new RangeError('unit-totals: of other metrics.');
    if (!Array.isArray(distinct) || distinct.length !== shape.variants || !isNames(slices))
      throw new RangeError('unit-totals: of other variants.');
    const totals = new UnitTotals(shape, limit, {
      table: restored,
      distinct: distinct.map((one) => Distinct.fromJSON(one)),
      slices,
    });
    for (let at = 0; at < restored.size; at++) totals.#checkMarks(at);
    return totals;
  }

  /** All sums, from the table: at the beginning, and when it has let units go. */
  #count(): void {
    const { measures, variants } = this.#shape;
    this.#arms = Array.from({ length: variants }, () => new UnitArmTotals(measures));
    this.#counts = DIMENSIONS.map(() => []);
    this.#crossed = 0;
    for (let at = 0; at < this.#table.size; at++) if (this.#variantAt(at) >= 0) this.#countRow(at);
  }

  #countRow(at: number): void {
    const { marks, shape } = this.#table;
    this.#checkMarks(at);
    const variant = this.#variantAt(at);
    const isDealt = this.#isDealt(at);
    this.#arms[variant]!.add(this.#table, at, isDealt);
    this.#crossed += marks[at * shape.marks + CROSSED]!;
    if (!isDealt) return;
    for (const [dimension, counts] of this.#counts.entries()) {
      const slice = marks[at * shape.marks + SLICES + dimension]!;
      counts[slice] ??= new Array<number>(this.#shape.variants).fill(0);
      counts[slice][variant]!++;
    }
  }

  #markNew(at: number, row: CollectedRow): void {
    const { marks, shape } = this.#table;
    const first = at * shape.marks;
    marks[first + VARIANT] = row.assigned + 1;
    marks[first + IS_DEALT] = row.reason === DEALT ? 1 : 0;
    marks[first + SLICES] = this.#slice(0, row.listener);
    marks[first + SLICES + 1] = this.#slice(1, row.worker);
    marks[first + SLICES + 2] = this.#slice(2, row.route);
    marks[first + SLICES + 3] = this.#slice(3, AGENTS[row.agent]!);
    this.#countRow(at);
  }

  #markAgain(at: number, { assigned }: CollectedRow): void {
    const { marks, shape } = this.#table;
    const first = at * shape.marks;
    if (marks[first + VARIANT] === assigned + 1 || marks[first + CROSSED] === 1) return;
    marks[first + CROSSED] = 1;
    this.#crossed++;
  }

  #addRequest(at: number, row: CollectedRow): void {
    const { sums, shape } = this.#table;
    const first = at * shape.sums;
    sums[first + UnitSum.requests]!++;
    if (row.outcome === FAILURE) sums[first + UnitSum.failures]!++;
    sums[first + UnitSum.latency]! += row.latencyMs;
    sums[first + UnitSum.bytes]! += row.bytes;
    for (let i = 0; i < row.values.length; i++)
      if (!Number.isNaN(row.values[i])) this.#addValue(at, i, row.values[i]!);
  }

  #slice(dimension: number, name: string): number {
    const names = this.#slices[dimension]!;
    const known = names.indexOf(name);
    if (known >= 0) return known;
    if (names.length === SLICES_MAX) return SLICES_MAX - 1;
    return names.push(names.length === SLICES_MAX - 1 ? 'other' : name) - 1;
  }

  #variantAt(at: number): number {
    return this.#table.marks[at * this.#table.shape.marks + VARIANT]! - 1;
  }

  #isDealt(at: number): boolean {
    return this.#table.marks[at * this.#table.shape.marks + IS_DEALT] === 1;
  }

  #addValue(at: number, measure: number, value: number): void {
    const { sums, shape } = this.#table;
    const first = at * shape.sums + UnitSum.measures + 2 * measure;
    const sum = sums[first + 1]! + value;
    sums[first]!++;
    sums[first + 1] = this.#shape.measures[measure]!.isOnce ? Math.min(1, sum) : sum;
  }

  /** Of one slice nothing can be said beside the whole. */
  #dimensions(): Dimension[] {
    const none = new Array<number>(this.#shape.variants).fill(0);
    return DIMENSIONS.flatMap((name, dimension) => {
      const names = this.#slices[dimension]!;
      if (names.length < 2) return [];
      const counts = this.#counts[dimension]!;
      return [
        { name, slices: names.map((slice, index) => ({ name: slice, counts: counts[index] ?? none })) },
      ];
    });
  }

  #hasAnyOf(other: UnitTotals): boolean {
    const looked = Math.min(this.#table.size, LOOKED_AT);
    for (let at = 0; at < looked; at++) if (other.variantOf(this.#table.hashes[at]!) >= 0) return true;
    return false;
  }

  #checkMarks(at: number): void {
    const { marks, shape } = this.#table;
    const first = at * shape.marks;
    const variant = this.#variantAt(at);
    const isVariant = variant >= 0 && variant < this.#shape.variants && marks[first + CROSSED]! <= 1;
    const areSlices = this.#slices.every((names, index) => marks[first + SLICES + index]! < names.length);
    if (!isVariant || !areSlices) throw new RangeError('unit-totals: marks that mean nothing.');
  }
}

function newParts(shape: UnitShape, limit: number): Parts {
  return {
    table: newTable(shape, limit),
    distinct: Array.from({ length: shape.variants }, () => new Distinct()),
    slices: DIMENSIONS.map(() => []),
  };
}

function newTable({ measures }: UnitShape, limit: number): UnitTable {
  const sums = UnitSum.measures + 2 * measures.length;
  return new UnitTable({ sums, marks: SLICES + DIMENSIONS.length }, limit);
}

function isNames(value: unknown): value is string[][] {
  return (
    Array.isArray(value) &&
    value.length === DIMENSIONS.length &&
    value.every((names) => Array.isArray(names) && names.length <= SLICES_MAX && names.every(isText))
  );
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}
