/**
 * Units by their hash, each with a row of sums, in bounded memory. All of them are followed until the table is full; then
 * those whose hash is in the upper half of what is followed are let go, and from then on only the lower half is. Who is
 * followed depends on the hash alone, so that it is a fair sample, and the same one wherever the same units come. Pure.
 */
import { Buffer } from 'node:buffer';
import { FORM_VERSION, readForm, readNumbers } from '../plain-form.ts';
import { UNIT_HASH_MAX } from './unit-hash.ts';

const KIND = 'unit-table';
/** Rows at first; they double. */
const ROWS_FIRST = 256;
const NONE = -1;

export interface UnitTableShape {
  /** Numbers that a row has. */
  readonly sums: number;
  /** Small whole numbers, below 256, that a row has. */
  readonly marks: number;
}

export class UnitTable {
  readonly shape: UnitTableShape;
  /** Row by row; only the first `size` rows mean anything. */
  sums: Float64Array;
  marks: Uint8Array;
  hashes: Float64Array;
  #size = 0;
  #limit: number;
  /** Hashes up to this are followed. */
  #highest = UNIT_HASH_MAX;
  /** Row by the low bits of the hash, open addressing, at most half full. */
  #rows: Int32Array;

  /** @param limit How many units are followed at most, from 1. */
  constructor(shape: UnitTableShape, limit: number) {
    this.shape = shape;
    this.#limit = limit;
    const rows = Math.min(ROWS_FIRST, limit);
    this.sums = new Float64Array(rows * shape.sums);
    this.marks = new Uint8Array(rows * shape.marks);
    this.hashes = new Float64Array(rows);
    this.#rows = new Int32Array(slotsFor(rows)).fill(NONE);
  }

  /** Units that are followed. */
  get size(): number {
    return this.#size;
  }

  /** The share of all units that is followed: 1, a half, a quarter, ... */
  get followedShare(): number {
    return (this.#highest + 1) / (UNIT_HASH_MAX + 1);
  }

  isFollowed(hash: number): boolean {
    return hash <= this.#highest;
  }

  /** The row of a unit; -1: there is none. */
  find(hash: number): number {
    const rows = this.#rows;
    const mask = rows.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const row = rows[slot]!;
      if (row === NONE || this.hashes[row] === hash) return row;
    }
  }

  /** The row of a unit, all zeros when it is new; -1: it is not followed. */
  add(hash: number): number {
    if (hash > this.#highest) return NONE;
    const known = this.find(hash);
    if (known !== NONE) return known;
    if (this.#size === this.#limit) {
      this.#halve();
      return this.add(hash);
    }
    if (this.#size === this.hashes.length) this.#grow();
    const row = this.#size++;
    this.hashes[row] = hash;
    this.#place(hash, row);
    return row;
  }

  /** From now on so many at most. */
  limitTo(limit: number): void {
    this.#limit = limit;
    while (this.#size > limit) this.#halve();
  }

  toJSON(): object {
    const { sums, marks } = this.shape;
    return {
      kind: KIND,
      version: FORM_VERSION,
      ...{ sums, marks, size: this.#size, highest: this.#highest },
      hashes: toText(this.hashes.subarray(0, this.#size)),
      rows: toText(this.sums.subarray(0, this.#size * sums)),
      slices: toText(this.marks.subarray(0, this.#size * marks)),
    };
  }

  /** @throws RangeError for what `toJSON` has not made. */
  static fromJSON(form: unknown, limit: number): UnitTable {
    const [sums, marks, size, highest] = readNumbers(form, KIND, ['sums', 'marks', 'size', 'highest']);
    const { hashes, rows, slices } = readForm(form, KIND);
    const table = new UnitTable({ sums: sums!, marks: marks! }, Math.max(limit, size!));
    const allHashes = toNumbers(hashes, size!);
    const allSums = toNumbers(rows, size! * sums!);
    const allMarks = Buffer.from(String(slices), 'base64');
    if (allMarks.length !== size! * marks!) throw new RangeError(`${KIND}: rows that are cut.`);
    for (const [index, hash] of allHashes.entries()) {
      if (!(hash >= 1 && hash <= highest! && Number.isInteger(hash)))
        throw new RangeError(`${KIND}: no hash.`);
      const row = table.add(hash);
      if (row !== index) throw new RangeError(`${KIND}: a unit twice.`);
      table.sums.set(allSums.subarray(index * sums!, (index + 1) * sums!), row * sums!);
      table.marks.set(allMarks.subarray(index * marks!, (index + 1) * marks!), row * marks!);
    }
    table.#highest = highest!;
    table.limitTo(limit);
    return table;
  }

  #grow(): void {
    const rows = Math.min(this.#limit, this.hashes.length * 2);
    this.sums = copied(this.sums, new Float64Array(rows * this.shape.sums));
    this.marks = copied(this.marks, new Uint8Array(rows * this.shape.marks));
    this.hashes = copied(this.hashes, new Float64Array(rows));
    this.#index(slotsFor(rows));
  }

  /** Follow half as many: the rows that stay move together. */
  #halve(): void {
    this.#highest = Math.floor(this.#highest / 2);
    const { sums, marks } = this.shape;
    let to = 0;
    for (let row = 0; row < this.#size; row++) {
      if (this.hashes[row]! > this.#highest) continue;
      this.hashes[to] = this.hashes[row]!;
      this.sums.copyWithin(to * sums, row * sums, (row + 1) * sums);
      this.marks.copyWithin(to * marks, row * marks, (row + 1) * marks);
      to++;
    }
    this.sums.fill(0, to * sums, this.#size * sums);
    this.marks.fill(0, to * marks, this.#size * marks);
    this.#size = to;
    this.#index(this.#rows.length);
  }

  #index(slots: number): void {
    this.#rows = slots === this.#rows.length ? this.#rows.fill(NONE) : new Int32Array(slots).fill(NONE);
    for (let row = 0; row < this.#size; row++) this.#place(this.hashes[row]!, row);
  }

  #place(hash: number, row: number): void {
    const rows = this.#rows;
    const mask = rows.length - 1;
    let slot = hash & mask;
    while (rows[slot] !== NONE) slot = (slot + 1) & mask;
    rows[slot] = row;
  }
}

function slotsFor(rows: number): number {
  let slots = 2;
  while (slots < rows * 2) slots *= 2;
  return slots;
}

function copied<T extends Float64Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

function toText(numbers: Float64Array | Uint8Array): string {
  return Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength).toString('base64');
}

function toNumbers(text: unknown, count: number): Float64Array {
  const bytes = Buffer.from(String(text), 'base64');
  if (bytes.length !== count * 8) throw new RangeError(`${KIND}: rows that are cut.`);
  const numbers = new Float64Array(count);
  new Uint8Array(numbers.buffer).set(bytes);
  if (!numbers.every(Number.isFinite)) throw new RangeError(`${KIND}: a sum that is none.`);
  return numbers;
}
