/**
 * How many different units there are, without keeping them all: exact up to 512, then a HyperLogLog of 4,096 registers
 * (4 KB) whose standard error is 1.6 % (Flajolet, Fusy, Gandouet and Meunier, 2007), estimated as Ertl does, without
 * tables and right from the first to the last register ("New cardinality estimation algorithms for HyperLogLog
 * sketches", 2017). Merging is the union, exactly the same in any order. Keeps hashes of 53 bits, no ids. Pure.
 */
import { Buffer } from 'node:buffer';
import { FORM_VERSION, readForm } from './plain-form.ts';

const KIND = 'distinct';
/** Up to here every hash is kept: 4 KB of numbers, as much as the registers. */
export const EXACT_MAX = 512;
/** The standard error of the estimate above that: 1.04 / sqrt(4,096). */
export const DISTINCT_ERROR = 0.016;
const INDEX_BITS = 12;
const REGISTERS = 2 ** INDEX_BITS;
const HASH_BITS = 53;
const VALUE_BITS = HASH_BITS - INDEX_BITS;
const VALUES = 2 ** VALUE_BITS;
export interface DistinctForm {
  readonly kind: typeof KIND;
  readonly version: number;
  /** While exact: the hashes. */
  readonly hashes?: readonly number[];
  /** After: the registers, base64. */
  readonly registers?: string;
}

export class Distinct {
  #hashes: Set<number> | null = new Set();
  #registers: Uint8Array | null = null;

  get isExact(): boolean {
    return this.#registers === null;
  }

  /** How many different ones: exact while `isExact`, then within 1.6 % (one standard error). */
  get count(): number {
    return this.#registers === null ? this.#hashes!.size : Math.round(estimate(this.#registers));
  }

  add(unit: string): void {
    this.#put(hashOf(unit));
  }

  /** One whose hash is known: 53 bits of it, evenly spread. Never beside `add`, which hashes another way. */
  addHash(hash: number): void {
    this.#put(hash);
  }

  merge(other: Distinct): void {
    if (other.#registers !== null) {
      const registers = this.#sketch();
      for (let i = 0; i < REGISTERS; i++) registers[i] = Math.max(registers[i]!, other.#registers[i]!);
    } else for (const hash of other.#hashes!) this.#put(hash);
  }

  toJSON(): DistinctForm {
    const head = { kind: KIND, version: FORM_VERSION } as const;
    if (this.#registers === null) return { ...head, hashes: [...this.#hashes!].sort((a, b) => a - b) };
    return { ...head, registers: Buffer.from(this.#registers).toString('base64') };
  }

  /** @throws RangeError for what `toJSON` has not made. */
  static fromJSON(form: unknown): Distinct {
    const { hashes, registers } = readForm(form, KIND);
    const distinct = new Distinct();
    if (typeof registers === 'string') {
      const bytes = Buffer.from(registers, 'base64');
      if (bytes.length !== REGISTERS || bytes.some((byte) => byte > VALUE_BITS + 1))
        throw new RangeError(`${KIND}: no registers.`);
      distinct.#sketch().set(bytes);
    } else if (Array.isArray(hashes) && hashes.length <= EXACT_MAX) {
      for (const hash of hashes) {
        if (!Number.isSafeInteger(hash) || hash < 0) throw new RangeError(`${KIND}: a hash that is none.`);
        distinct.#put(hash);
      }
    } else throw new RangeError(`${KIND}: neither hashes nor registers.`);
    return distinct;
  }

  #put(hash: number): void {
    if (this.#registers !== null) putHash(this.#registers, hash);
    else {
      this.#hashes!.add(hash);
      if (this.#hashes!.size > EXACT_MAX) this.#sketch();
    }
  }

  /** The registers, from now on. */
  #sketch(): Uint8Array {
    if (this.#registers === null) {
      this.#registers = new Uint8Array(REGISTERS);
      for (const hash of this.#hashes!) putHash(this.#registers, hash);
      this.#hashes = null;
    }
    return this.#registers;
  }
}

/** 32 bits of one lane, 21 of the other. */
const LOW_BITS = HASH_BITS - 32;

/**
 * 53 bits of a text, straight from its code units. Two lanes that multiply by odd numbers and mix into each other at the
 * end. Part of the form: both sides of a merge must have the same. Not for secrets.
 */
function hashOf(text: string): number {
  let one = 0x9e3779b1;
  let other = 0x85ebca77 ^ text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    one = Math.imul(one ^ unit, 0xcc9e2d51);
    one ^= one >>> 15;
    other = Math.imul(other ^ unit, 0x1b873593);
    other ^= other >>> 13;
  }
  const high = mixed(one ^ Math.imul(other, 0x2c1b3c6d));
  const low = mixed(other ^ Math.imul(high, 0x297a2d39));
  return high * 2 ** LOW_BITS + (low >>> (32 - LOW_BITS));
}

/** The end of MurmurHash3: every bit of 32 depends on every other. */
function mixed(bits: number): number {
  let mix = bits ^ (bits >>> 16);
  mix = Math.imul(mix, 0x85ebca6b);
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35);
  return (mix ^ (mix >>> 16)) >>> 0;
}

/** A register keeps the longest run of leading zeros, and one, of the hashes that are its. */
function putHash(registers: Uint8Array, hash: number): void {
  const index = Math.floor(hash / VALUES);
  const value = hash % VALUES;
  const rank = value === 0 ? VALUE_BITS + 1 : VALUE_BITS - Math.floor(Math.log2(value));
  if (rank > registers[index]!) registers[index] = rank;
}

/** Ertl's improved raw estimator (algorithm 6). */
function estimate(registers: Uint8Array): number {
  const counts = new Array<number>(VALUE_BITS + 2).fill(0);
  for (const rank of registers) counts[rank]!++;
  let z = REGISTERS * tau(1 - counts[VALUE_BITS + 1]! / REGISTERS);
  for (let rank = VALUE_BITS; rank >= 1; rank--) z = (z + counts[rank]!) / 2;
  z += REGISTERS * sigma(counts[0]! / REGISTERS);
  return REGISTERS ** 2 / (2 * Math.LN2 * z);
}

function sigma(share: number): number {
  if (share === 1) return Number.POSITIVE_INFINITY;
  let x = share;
  let y = 1;
  let z = x;
  for (let before = -1; z !== before; y *= 2) {
    before = z;
    x *= x;
    z += x * y;
  }
  return z;
}

function tau(share: number): number {
  if (share === 0 || share === 1) return 0;
  let x = share;
  let y = 1;
  let z = 1 - x;
  for (let before = -1; z !== before; ) {
    before = z;
    x = Math.sqrt(x);
    y /= 2;
    z -= (1 - x) ** 2 * y;
  }
  return z / 3;
}
