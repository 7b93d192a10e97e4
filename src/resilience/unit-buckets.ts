/**
 * A token bucket for each unit, in a table of numbers of a fixed most size. A unit is known by 64 bits of a hash with a
 * seed of its own, so no id is kept and nobody outside can look for collisions. A full bucket says the same as none, so
 * its place is free; when all places that a unit can have are taken, the fullest bucket is forgotten. That gives its
 * unit some tokens early, and takes none from anybody.
 *
 * 24 bytes an entry. The table grows with the units that are busy, up to the limit.
 */
import { hasToken, type RateSettings, refilled, tokenInMs } from './token-bucket.ts';

/** A unit can be in any of these places, which are next to each other. */
const WAYS = 8;
const SETS_AT_FIRST = 16;
/** Odd, so that multiplying loses nothing. */
const LOW_FACTOR = 0x85eb_ca6b;
const HIGH_FACTOR = 0xc2b2_ae35;

export class UnitBuckets {
  readonly #setsMax: number;
  readonly #seed: number;
  #settings: RateSettings;
  #setMask: number;
  /** Two halves of a hash each; both 0: a free place. */
  #keys: Uint32Array;
  /** Its tokens, and when it had them. */
  #buckets: Float64Array;

  /** `entriesMax` is rounded up to 8 times a power of two. `seed`: any integer. */
  constructor(settings: RateSettings, entriesMax: number, seed: number) {
    this.#settings = settings;
    this.#seed = seed | 0;
    this.#setsMax = 2 ** Math.ceil(Math.log2(Math.max(1, entriesMax / WAYS)));
    const sets = Math.min(SETS_AT_FIRST, this.#setsMax);
    this.#setMask = sets - 1;
    this.#keys = new Uint32Array(sets * WAYS * 2);
    this.#buckets = new Float64Array(sets * WAYS * 2);
  }

  /** Places there are now. */
  get capacity(): number {
    return this.#keys.length / 2;
  }

  /** Takes a token of the unit; 0: it has one. Else none is taken, and this is how many milliseconds until there is one. */
  take(unit: string, nowMs: number): number {
    hash(unit, this.#seed);
    const { low, high } = hashed;
    let at = this.#find(low, high);
    if (at < 0) {
      at = this.#makeRoom(low, nowMs);
      this.#keys[at] = low;
      this.#keys[at + 1] = high;
      this.#buckets[at] = this.#settings.burst;
      this.#buckets[at + 1] = nowMs;
    }
    const tokens = this.#tokensAt(at, nowMs);
    const isGiven = hasToken(tokens);
    this.#buckets[at] = isGiven ? tokens - 1 : tokens;
    this.#buckets[at + 1] = nowMs;
    return isGiven ? 0 : tokenInMs(tokens, this.#settings);
  }

  /** Other settings from now on; every unit keeps its tokens, as far as there is room for them. */
  reconfigure(settings: RateSettings, nowMs: number): void {
    for (let at = 0; at < this.#keys.length; at += 2) {
      this.#buckets[at] = this.#tokensAt(at, nowMs);
      this.#buckets[at + 1] = nowMs;
    }
    this.#settings = settings;
  }

  #tokensAt(at: number, nowMs: number): number {
    return refilled(this.#buckets[at]!, this.#buckets[at + 1]!, nowMs, this.#settings);
  }

  /** The place of the unit; negative: it has none. */
  #find(low: number, high: number): number {
    const keys = this.#keys;
    const first = (low & this.#setMask) * WAYS * 2;
    for (let at = first; at < first + WAYS * 2; at += 2) {
      if (keys[at] === low && keys[at + 1] === high) return at;
    }
    return -1;
  }

  /** A place for a unit that has none. */
  #makeRoom(low: number, nowMs: number): number {
    let fullest = this.#fullestIn(low, nowMs);
    while (!this.#isFree(fullest, nowMs) && this.#setMask + 1 < this.#setsMax) {
      this.#grow(nowMs);
      fullest = this.#fullestIn(low, nowMs);
    }
    return fullest;
  }

  #isFree(at: number, nowMs: number): boolean {
    return this.#isUnused(at) || this.#tokensAt(at, nowMs) >= this.#settings.burst;
  }

  #isUnused(at: number): boolean {
    return this.#keys[at] === 0 && this.#keys[at + 1] === 0;
  }

  #fullestIn(low: number, nowMs: number): number {
    const first = (low & this.#setMask) * WAYS * 2;
    let fullest = first;
    let most = -1;
    for (let at = first; at < first + WAYS * 2; at += 2) {
      if (this.#isUnused(at)) return at;
      const tokens = this.#tokensAt(at, nowMs);
      if (tokens > most) {
        most = tokens;
        fullest = at;
      }
    }
    return fullest;
  }

  /** Twice as many sets; each unit of a set goes to one of two, so all have room. */
  #grow(nowMs: number): void {
    const keys = this.#keys;
    const buckets = this.#buckets;
    const isFree = Uint8Array.from({ length: keys.length / 2 }, (_, entry) =>
      this.#isFree(entry * 2, nowMs) ? 1 : 0,
    );
    this.#setMask = this.#setMask * 2 + 1;
    this.#keys = new Uint32Array(keys.length * 2);
    this.#buckets = new Float64Array(buckets.length * 2);
    for (let from = 0; from < keys.length; from += 2) {
      if (isFree[from / 2] === 1) continue;
      let to = (keys[from]! & this.#setMask) * WAYS * 2;
      while (!this.#isUnused(to)) to += 2;
      this.#keys.set(keys.subarray(from, from + 2), to);
      this.#buckets.set(buckets.subarray(from, from + 2), to);
    }
  }
}

/** What `hash` has come to; never both 0. */
const hashed = { low: 0, high: 0 };

function hash(text: string, seed: number): void {
  let low = seed;
  let high = ~seed;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    low = Math.imul(low ^ code, LOW_FACTOR);
    high = Math.imul((high << 5) ^ (high >>> 27) ^ code, HIGH_FACTOR);
  }
  // The finalizer of MurmurHash3: each bit of the result depends on each of both.
  low ^= high >>> 16;
  low = Math.imul(low ^ (low >>> 16), LOW_FACTOR);
  low = Math.imul(low ^ (low >>> 13), HIGH_FACTOR);
  hashed.low = (low ^ (low >>> 16)) >>> 0;
  hashed.high = (high ^ (low >>> 7)) >>> 0 || 1;
}
