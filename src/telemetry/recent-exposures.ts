/**
 * Which exposures were recorded a short time ago: asked on every request, so it is a table of numbers and no Map of
 * strings. An exposure is known by 64 bits of a hash with a seed of its own: one lookup in 2^61 takes a new exposure
 * for a known one. Bounded: two sets of five, and of the first the oldest is forgotten when both are full, which costs
 * a duplicate record.
 */

/** A set is a cache line of 16 numbers: five times the two halves of a hash and when that was recorded. */
const SET_LENGTH = 16;
const WAYS = 5;
const WAY_LENGTH = 3;
const SETS_AT_FIRST = 1024;
/** Times are counted in this many milliseconds, which 32 bits hold two years of. */
const UNIT_MS = 16;
/** Fuller than this, and sets overflow while others are empty. */
const FILL = 1 / 3;
/** Odd, so that multiplying loses nothing. */
const LOW_FACTOR = 0x85eb_ca6b;
const HIGH_FACTOR = 0xc2b2_ae35;

export class RecentExposures {
  readonly #window: number;
  readonly #setsMax: number;
  readonly #seed: number;
  #sets: Uint32Array;
  #setMask: number;
  #size = 0;

  /**
   * Remembers `entriesMax` for `windowMs` each, give or take 16 ms. There is room for three to six times as many: with just
   * enough, a set would often be full while others are empty. `seed`: any integer; nobody outside can then look
   * for collisions.
   */
  constructor(entriesMax: number, windowMs: number, seed: number) {
    this.#window = Math.ceil(windowMs / UNIT_MS);
    this.#setsMax = 2 ** Math.ceil(Math.log2(entriesMax / (FILL * WAYS) + 1));
    this.#seed = seed | 0;
    const sets = Math.min(SETS_AT_FIRST, this.#setsMax);
    this.#sets = new Uint32Array(sets * SET_LENGTH);
    this.#setMask = sets - 1;
  }

  /** How many are remembered, those past their window included. */
  get size(): number {
    return this.#size;
  }

  /** Whether this was recorded within the window before `nowMs` (monotonic, above 0); if not, it is from now on. */
  isKnown(experiment: string, assigned: string, served: string, unit: string, nowMs: number): boolean {
    let low = this.#seed;
    let high = ~this.#seed;
    for (let part = 0; part < 4; part++) {
      const text = part === 0 ? unit : part === 1 ? experiment : part === 2 ? assigned : served;
      for (let i = 0; i < text.length; i++) {
        const code = text.charCodeAt(i);
        low = Math.imul(low ^ code, LOW_FACTOR);
        high = Math.imul((high << 5) ^ (high >>> 27) ^ code, HIGH_FACTOR);
      }
      // Where one part ends is part of the key.
      low = Math.imul(low ^ 0x10000, LOW_FACTOR);
      high = Math.imul(high ^ 0x10000, HIGH_FACTOR);
    }
    low = mixed(low ^ (high >>> 16));
    // Zero is a free place.
    return this.#isKnown(low >>> 0, high >>> 0, Math.floor(nowMs / UNIT_MS) + 1);
  }

  #isKnown(low: number, high: number, now: number): boolean {
    const sets = this.#sets;
    let at = this.#find(low, low, high);
    // Places are never given up, so nothing is in its second set while there is room in its first.
    const isFirstFull = sets[at + 2] !== 0 && !this.#isAt(at, low, high);
    if (isFirstFull) {
      const second = this.#find(high, low, high);
      if (sets[second + 2] === 0 || this.#isAt(second, low, high)) at = second;
    }
    const recorded = this.#isAt(at, low, high) ? sets[at + 2]! : 0;
    if (recorded > 0 && now - recorded < this.#window) return true;
    if (sets[at + 2] === 0) this.#size++;
    sets[at] = low;
    sets[at + 1] = high;
    sets[at + 2] = now;
    const setCount = this.#setMask + 1;
    if (setCount < this.#setsMax && this.#size > setCount * WAYS * FILL) this.#grow();
    return false;
  }

  /** The place of the hash in the set that `hash` leads to; without one a free place, or else the oldest. */
  #find(hash: number, low: number, high: number): number {
    const sets = this.#sets;
    const first = (hash & this.#setMask) * SET_LENGTH;
    let oldest = first;
    for (let at = first; at < first + WAYS * WAY_LENGTH; at += WAY_LENGTH) {
      if (this.#isAt(at, low, high)) return at;
      if (sets[at + 2]! < sets[oldest + 2]!) oldest = at;
    }
    return oldest;
  }

  #isAt(at: number, low: number, high: number): boolean {
    return this.#sets[at] === low && this.#sets[at + 1] === high && this.#sets[at + 2] !== 0;
  }

  /** Twice as many sets. */
  #grow(): void {
    const before = this.#sets;
    this.#setMask = this.#setMask * 2 + 1;
    this.#sets = new Uint32Array(before.length * 2);
    this.#size = 0;
    for (let set = 0; set < before.length; set += SET_LENGTH) {
      for (let at = set; at < set + WAYS * WAY_LENGTH; at += WAY_LENGTH)
        if (before[at + 2] !== 0) this.#isKnown(before[at]!, before[at + 1]!, before[at + 2]!);
    }
  }
}

/** The finalizer of MurmurHash3: each bit of the result depends on each of `h`. */
function mixed(h: number): number {
  let m = Math.imul(h ^ (h >>> 16), LOW_FACTOR);
  m = Math.imul(m ^ (m >>> 13), HIGH_FACTOR);
  return m ^ (m >>> 16);
}
