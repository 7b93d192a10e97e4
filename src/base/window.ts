/**
 * A sliding time window over counts: a ring of buckets that is told the time. No timer, no clock, no allocation
 * after the first event, memory fixed by the number of columns. Small windows share arrays: an array of its own would
 * be four objects to each of tens of thousands.
 *
 * Granularity: a bucket is a `BUCKETS`th (2 %) of the window. What was added is counted for at least `windowMs`
 * and for less than `windowMs` plus one bucket; nothing is estimated or decayed in between. A burst and the same
 * number of events spread over the window therefore give the same sum.
 *
 * After linkerd2-proxy's `success_rate.rs`: time is an argument, and an idle window costs nothing.
 */

/** 2 % of the window: fine enough that nobody sees the step (200 ms in 10 s), small enough to sit in one page. */
const BUCKETS = 50;

/** Numbers in an array that windows share: 64 KB, about a hundred windows of three columns. */
const SHARED_LENGTH = 16_384;

/** More than this, and a window has an array of its own: what is left over at the end of a shared one is less. */
const SHARE_MAX = SHARED_LENGTH / 16;

const NOWHERE = -1;

/** One more than fits the window, so that the oldest is dropped only when all of it is too old. */
const ROWS = BUCKETS + 1;

const NO_CELLS = new Uint32Array(0);

/** The array that the next window takes its place in, and how much of it is taken. */
let shared = NO_CELLS;
let taken = 0;

/**
 * Counts in several columns over the last `windowMs`. `nowMs` must come from one monotonic clock and not be negative; a time before
 * the newest bucket is counted in the newest bucket.
 */
export class Window {
  // First what `add` reads: with thousands of windows each line of memory is fetched anew.
  /** Not before this is the newest bucket over; whole, so that it is in here and not behind a pointer. */
  #endMs = 0;
  /** From `#at` on the totals and the counts of the newest bucket, side by side, then those of the buckets before. */
  #cells: Uint32Array = NO_CELLS;
  /** `NOWHERE`: nothing has been counted yet. */
  #at = NOWHERE;
  readonly #columns: number;
  /** Number of the newest bucket since time 0. */
  #bucket = 0;
  readonly windowMs: number;

  constructor(windowMs: number, columns: number) {
    if (!(windowMs > 0 && windowMs < Number.POSITIVE_INFINITY)) {
      throw new RangeError(`A window needs a length above 0 ms, not ${windowMs}.`);
    }
    this.windowMs = windowMs;
    this.#columns = columns;
  }

  /** Width of a bucket. */
  get bucketMs(): number {
    return this.windowMs / BUCKETS;
  }

  /** Count one event in a column. Hot: one comparison and two additions while the bucket lasts. */
  add(nowMs: number, column: number): void {
    if (nowMs >= this.#endMs) this.#roll(nowMs);
    const cells = this.#cells;
    cells[this.#newest + column]! += 1;
    cells[this.#at + column]! += 1;
  }

  /** Count several events that came in together. */
  addMany(nowMs: number, column: number, count: number): void {
    if (nowMs >= this.#endMs) this.#roll(nowMs);
    this.#cells[this.#newest + column]! += count;
    this.#cells[this.#at + column]! += count;
  }

  /** Forget what is too old at `nowMs`; after it `total` is exact for `nowMs`. */
  advance(nowMs: number): void {
    if (nowMs >= this.#endMs && this.#at !== NOWHERE) this.#roll(nowMs);
  }

  /** Events in a column, as of the last `add` or `advance`. */
  total(column: number): number {
    return this.#at === NOWHERE ? 0 : this.#cells[this.#at + column]!;
  }

  /**
   * Events in a column since the bucket of `sinceMs` began, as of the last `add` or `advance`. Costs up to one addition a
   * bucket.
   */
  totalSince(sinceMs: number, column: number): number {
    const first = Math.floor(sinceMs / this.bucketMs);
    if (this.#at === NOWHERE || first <= this.#bucket - BUCKETS) return this.total(column);
    let total = 0;
    for (let bucket = Math.max(0, first); bucket <= this.#bucket; bucket++)
      total += this.#cells[this.#rowOf(bucket) + column]!;
    return total;
  }

  /** `totalSince` of `into.length` columns, the first of them `column`. */
  totalsSince(sinceMs: number, column: number, into: Uint32Array): void {
    const first = Math.floor(sinceMs / this.bucketMs);
    into.fill(0);
    if (this.#at === NOWHERE) return;
    const from = this.#at + column;
    if (first <= this.#bucket - BUCKETS) return into.set(this.#cells.subarray(from, from + into.length));
    for (let bucket = Math.max(0, first); bucket <= this.#bucket; bucket++) {
      const row = this.#rowOf(bucket) + column;
      for (let i = 0; i < into.length; i++) into[i]! += this.#cells[row + i]!;
    }
  }

  /** Forget everything. */
  clear(): void {
    if (this.#at !== NOWHERE) this.#cells.fill(0, this.#at, this.#at + this.#length);
  }

  /**
   * The same counts in a window of another length. Where in an old bucket an event was is not known: each bucket
   * moves whole, as if all of it had come at its start, so what is carried over is forgotten up to one old bucket
   * early, and nothing late.
   */
  resized(windowMs: number): Window {
    const resized = new Window(windowMs, this.#columns);
    if (this.#at === NOWHERE) return resized;
    for (let bucket = Math.max(0, this.#bucket - BUCKETS); bucket <= this.#bucket; bucket++) {
      resized.#receive(bucket * this.bucketMs, this.#cells, this.#rowOf(bucket));
    }
    return resized;
  }

  #receive(nowMs: number, cells: Uint32Array, row: number): void {
    for (let column = 0; column < this.#columns; column++) this.addMany(nowMs, column, cells[row + column]!);
  }

  /** Where the newest bucket's counts are in `#cells`. */
  get #newest(): number {
    return this.#at + this.#columns;
  }

  get #length(): number {
    return (2 + ROWS) * this.#columns;
  }

  /** Where the counts of a bucket are. */
  #rowOf(bucket: number): number {
    return bucket === this.#bucket ? this.#newest : this.#ringRowOf(bucket);
  }

  #ringRowOf(bucket: number): number {
    return this.#at + (2 + (bucket % ROWS)) * this.#columns;
  }

  /** Move on to the bucket of `nowMs`, if it is a later one, emptying the rows in between; at most the whole ring. */
  #roll(nowMs: number): void {
    const bucket = Math.floor(nowMs / this.bucketMs);
    const steps = bucket - this.#bucket;
    if (this.#at === NOWHERE) this.#settle();
    else if (steps <= 0) return;
    else if (steps >= ROWS) this.clear();
    else {
      this.#putAway();
      for (let step = 1; step <= steps; step++) this.#drop(this.#ringRowOf(this.#bucket + step));
    }
    this.#bucket = bucket;
    this.#endMs = Math.floor((bucket + 1) * this.bucketMs);
  }

  /** The newest bucket is over. */
  #putAway(): void {
    const cells = this.#cells;
    const row = this.#ringRowOf(this.#bucket);
    for (let column = 0; column < this.#columns; column++) {
      cells[row + column] = cells[this.#newest + column]!;
      cells[this.#newest + column] = 0;
    }
  }

  #drop(row: number): void {
    const cells = this.#cells;
    for (let column = 0; column < this.#columns; column++) {
      cells[this.#at + column]! -= cells[row + column]!;
      cells[row + column] = 0;
    }
  }

  /** The first event is coming: take a place. It is given back with those of all who share the array. */
  #settle(): void {
    const length = this.#length;
    const isShared = length <= SHARE_MAX;
    if (isShared && taken + length > shared.length) {
      shared = new Uint32Array(SHARED_LENGTH);
      taken = 0;
    }
    this.#cells = isShared ? shared : new Uint32Array(length);
    this.#at = isShared ? taken : 0;
    if (isShared) taken += length;
  }
}
