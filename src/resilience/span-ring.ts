/**
 * Calls and failures over a long time: a ring of 50 buckets, each 2 % of the time, like `base/window.ts`, but not for
 * the request path: what is counted may be of the past, so that a ring can be read out, kept, and filled again. Counts
 * are doubles: a month at ten thousand calls a second is more than 32 bits hold. Told the time; fixed memory.
 */

/** 2 % of the time, as the windows of breakers have it. */
const BUCKETS = 50;
/** One more than fits, so that the oldest is dropped only when all of it is too old. */
const ROWS = BUCKETS + 1;

/** Calls that have ended, and of these the failures. */
export interface Spent {
  readonly requests: number;
  readonly failures: number;
}

/** A bucket that was read out: how long ago it began, in ms to a thousandth, calls and failures. */
export type SpanRow = readonly [ageMs: number, requests: number, failures: number];

export class SpanRing {
  readonly spanMs: number;
  readonly #bucketMs: number;
  readonly #requests = new Float64Array(ROWS);
  readonly #failures = new Float64Array(ROWS);
  /** When bucket 0 began. */
  #originMs = 0;
  /** Number of the newest bucket; below 0 for what was before. */
  #newest = Number.NEGATIVE_INFINITY;

  constructor(spanMs: number) {
    this.spanMs = spanMs;
    this.#bucketMs = spanMs / BUCKETS;
  }

  /** Count calls that ended at `atMs`; what is older than the ring holds is left out. */
  add({ requests, failures }: Spent, atMs: number): void {
    const bucket = this.#bucketAt(atMs);
    if (bucket > this.#newest) this.#roll(bucket);
    if (bucket <= this.#newest - ROWS) return;
    const row = rowOf(bucket);
    this.#requests[row]! += requests;
    this.#failures[row]! += failures;
  }

  /** All calls of the time up to `nowMs`. */
  total(nowMs: number): Spent {
    this.#roll(this.#bucketAt(nowMs));
    let requests = 0;
    let failures = 0;
    for (let row = 0; row < ROWS; row++) {
      requests += this.#requests[row]!;
      failures += this.#failures[row]!;
    }
    return { requests, failures };
  }

  clear(): void {
    this.#requests.fill(0);
    this.#failures.fill(0);
  }

  /** The buckets that are not empty, the oldest first. */
  rows(nowMs: number): SpanRow[] {
    this.#roll(this.#bucketAt(nowMs));
    const rows: SpanRow[] = [];
    for (let bucket = this.#newest - BUCKETS; bucket <= this.#newest; bucket++) {
      const requests = this.#requests[rowOf(bucket)]!;
      if (requests === 0) continue;
      const ageMs = nowMs - this.#originMs - bucket * this.#bucketMs;
      rows.push([Math.round(ageMs * 1000) / 1000, requests, this.#failures[rowOf(bucket)]!]);
    }
    return rows;
  }

  /**
   * Enter rows that were read out `agoMs` ago, the oldest first. What is empty takes over where the buckets begin, so
   * that calls grow no younger and no older by being kept, however often.
   */
  restore(rows: readonly SpanRow[], agoMs: number, nowMs: number): void {
    for (const [ageMs, requests, failures] of rows) {
      const beginMs = nowMs - agoMs - ageMs;
      if (this.#newest === Number.NEGATIVE_INFINITY) this.#originMs = beginMs;
      // The middle, since ages are rounded.
      this.add({ requests, failures }, beginMs + this.#bucketMs / 2);
    }
  }

  #bucketAt(ms: number): number {
    return Math.floor((ms - this.#originMs) / this.#bucketMs);
  }

  /** Move on to `bucket`, emptying those in between; backwards it does not go. */
  #roll(bucket: number): void {
    if (bucket <= this.#newest) return;
    if (bucket - this.#newest >= ROWS) this.clear();
    else {
      for (let next = this.#newest + 1; next <= bucket; next++) {
        this.#requests[rowOf(next)] = 0;
        this.#failures[rowOf(next)] = 0;
      }
    }
    this.#newest = bucket;
  }
}

function rowOf(bucket: number): number {
  return ((bucket % ROWS) + ROWS) % ROWS;
}
