/**
 * Ids to numbers, oldest out first: a table of numbers and no Map of strings, since every request adds to it and
 * most of what it holds is garbage of a minute ago. An id is known by 128 bits: a trace id by its own, another text
 * by those of a hash. Not a cryptographic one: who finds two texts with one hash could as well send one text twice.
 */
import { readTraceId } from './trace.ts';

/** A longer id is not looked at. */
export const TEXT_ID_MAX_CHARS = 200;

const NONE = -1;
/** Odd, so that multiplying loses nothing; of MurmurHash3. */
const FACTORS = [0x239b_961b, 0xab0e_9789, 0x38b3_4ae5, 0xa1e3_8b93] as const;

/** The id that is looked for or added. One for all tables: it is used at once. */
const id = new Uint32Array(4);

/** Makes the trace id of a `traceparent` the id; false: it is not valid. */
export function useTraceId(traceparent: string): boolean {
  return traceparent !== '' && readTraceId(traceparent, id);
}

/** Makes another text the id; false: it is empty, or too long. */
export function useText(text: string): boolean {
  if (text === '' || text.length > TEXT_ID_MAX_CHARS) return false;
  let a = text.length;
  let b = 0x9e37_79b9;
  let c = 0x7f4a_7c15;
  let d = 0x85eb_ca6b;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    a = b ^ Math.imul(a ^ code, FACTORS[0]);
    b = c ^ Math.imul(b ^ code, FACTORS[1]);
    c = d ^ Math.imul(c ^ code, FACTORS[2]);
    d = a ^ Math.imul(d ^ code, FACTORS[3]);
  }
  id[0] = mixed(a ^ (c >>> 15));
  id[1] = mixed(b ^ (d >>> 13));
  id[2] = mixed(c ^ (a >>> 16));
  id[3] = mixed(d ^ (b >>> 14));
  return true;
}

/** Called for each entry that goes. `isLate`: its time was over. */
export type OnForgotten = (number: number, isLate: boolean) => void;

export class IdTable {
  /** What one entry takes. */
  static readonly entryBytes = 40;

  readonly #entriesMax: number;
  readonly #seed: number;
  readonly #onForgotten: OnForgotten;
  /** Entries are a ring, in the order in which they were added. */
  readonly #ids: Uint32Array;
  readonly #untilMs: Float64Array;
  readonly #numbers: Int32Array;
  /** The next entry of the same bucket. */
  readonly #next: Int32Array;
  readonly #buckets: Int32Array;
  #oldest = 0;
  #size = 0;

  constructor(entriesMax: number, seed: number, onForgotten: OnForgotten) {
    this.#entriesMax = entriesMax;
    this.#seed = seed | 0;
    this.#onForgotten = onForgotten;
    this.#ids = new Uint32Array(4 * entriesMax);
    this.#untilMs = new Float64Array(entriesMax);
    this.#numbers = new Int32Array(entriesMax);
    this.#next = new Int32Array(entriesMax);
    this.#buckets = new Int32Array(2 ** Math.ceil(Math.log2(entriesMax))).fill(NONE);
  }

  get size(): number {
    return this.#size;
  }

  /** The place of the id, or -1. */
  find(): number {
    for (let at = this.#buckets[this.#bucket(id, 0)]!; at !== NONE; at = this.#next[at]!)
      if (this.#isAt(at)) return at;
    return NONE;
  }

  number(at: number): number {
    return this.#numbers[at]!;
  }

  /** When the time of an entry is over. */
  untilMs(at: number): number {
    return this.#untilMs[at]!;
  }

  /** It keeps its place in the order. */
  renew(at: number, number: number, untilMs: number): void {
    this.#numbers[at] = number;
    this.#untilMs[at] = untilMs;
  }

  /** Adds the id, which is not in the table; when it is full, the oldest goes. */
  add(number: number, untilMs: number, nowMs: number): void {
    if (this.#size === this.#entriesMax) this.forgetOldest(nowMs);
    const at = (this.#oldest + this.#size++) % this.#entriesMax;
    for (let word = 0; word < 4; word++) this.#ids[4 * at + word] = id[word]!;
    this.#numbers[at] = number;
    this.#untilMs[at] = untilMs;
    const bucket = this.#bucket(id, 0);
    this.#next[at] = this.#buckets[bucket]!;
    this.#buckets[bucket] = at;
  }

  /** False: there is none. */
  forgetOldest(nowMs: number): boolean {
    if (this.#size === 0) return false;
    const at = this.#oldest;
    this.#unlink(at);
    this.#oldest = (at + 1) % this.#entriesMax;
    this.#size--;
    this.#onForgotten(this.#numbers[at]!, this.#untilMs[at]! <= nowMs);
    return true;
  }

  #unlink(gone: number): void {
    const bucket = this.#bucket(this.#ids, 4 * gone);
    let at = this.#buckets[bucket]!;
    if (at === gone) {
      this.#buckets[bucket] = this.#next[gone]!;
      return;
    }
    while (this.#next[at] !== gone) at = this.#next[at]!;
    this.#next[at] = this.#next[gone]!;
  }

  #isAt(at: number): boolean {
    const ids = this.#ids;
    const first = 4 * at;
    return (
      ids[first] === id[0] && ids[first + 1] === id[1] && ids[first + 2] === id[2] && ids[first + 3] === id[3]
    );
  }

  #bucket(words: Uint32Array, first: number): number {
    const ab = Math.imul(words[first]! ^ this.#seed, FACTORS[0]) ^ Math.imul(words[first + 1]!, FACTORS[1]);
    const cd = Math.imul(words[first + 2]!, FACTORS[2]) ^ Math.imul(words[first + 3]!, FACTORS[3]);
    return mixed(Math.imul(mixed(ab), FACTORS[0]) ^ cd ^ this.#seed) & (this.#buckets.length - 1);
  }
}

/** The finalizer of MurmurHash3: each bit of the result depends on each of `h`. */
function mixed(h: number): number {
  let m = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  m = Math.imul(m ^ (m >>> 13), 0xc2b2_ae35);
  return m ^ (m >>> 16);
}
