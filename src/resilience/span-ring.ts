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

/** A bucket that was read out: how long ago its newest call may have been, in ms, calls and failures. */
export type SpanRow = readonly [ageMs: number, requests: number, failures: number];

export class SpanRing {
  readonly spanMs: number;
  readonly #bucketMs: number;
  readonly #requests = new Float64Array(ROWS);
  readonly #failures = new Float64Array(ROWS);
  /** Number of the newest bucket since time 0; below 0 for what was before. */
  #newest = Number.NEGATIVE_INFINITY;

  constructor(spanMs: number) {
    this.spanMs = spanMs;
    this.#bucketMs = spanMs / BUCKETS;
  }

  /** Count calls that ended at `atMs`; what is older than the ring holds is left out. */
  add({ requests, failures }: Spent, atMs: number): void {
    const bucket = Math.floor(atMs / this.#bucketMs);
    if (bucket > this.#newest) this.#roll(bucket);
    if (bucket <= this.#newest - ROWS) return;
    const row = rowOf(bucket);
    this.#requests[row]! += requests;
    this.#failures[row]! += failures;
  }

  /** All calls of the time up to `nowMs`. */
  total(nowMs: number): Spent {
    this.#roll(Math.floor(nowMs / this.#bucketMs));
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
    this.#roll(Math.floor(nowMs / this.#bucketMs));
    const rows: SpanRow[] = [];
    for (let bucket = this.#newest - BUCKETS; bucket <= this.#newest; bucket++) {
      const requests = this.#requests[rowOf(bucket)]!;
      if (requests === 0) continue;
      const endMs = Math.min(nowMs, (bucket + 1) * this.#bucketMs);
      rows.push([Math.round(nowMs - endMs), requests, this.#failures[rowOf(bucket)]!]);
    }
    return rows;
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
