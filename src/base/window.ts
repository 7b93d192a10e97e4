/**
 * A sliding time window over counts: a ring of buckets that is told the time. No timer, no clock, no allocation
 * after construction, memory fixed by the number of columns.
 *
 * Granularity: a bucket is a `BUCKETS`th (2 %) of the window. What was added is counted for at least `windowMs`
 * and for less than `windowMs` plus one bucket; nothing is estimated or decayed in between. A burst and the same
 * number of events spread over the window therefore give the same sum.
 *
 * After linkerd2-proxy's `success_rate.rs`: time is an argument, and an idle window costs nothing.
 */

/** 2 % of the window: fine enough that nobody sees the step (200 ms in 10 s), small enough to sit in one page. */
const BUCKETS = 50;

/** One more than fits the window, so that the oldest is dropped only when all of it is too old. */
const ROWS = BUCKETS + 1;

/**
 * Counts in several columns over the last `windowMs`. `nowMs` must come from one monotonic clock; a time before
 * the newest bucket is counted in the newest bucket.
 */
export class Window {
  readonly windowMs: number;
  /** Width of a bucket. */
  readonly bucketMs: number;
  readonly #columns: number;
  readonly #cells: Uint32Array;
  readonly #totals: Uint32Array;
  /** Number of the newest bucket since time 0. */
  #bucket = 0;
  /** Offset of the newest bucket's row in `#cells`. */
  #row = 0;
  /** When the newest bucket is over. */
  #endMs: number;

  constructor(windowMs: number, columns: number) {
    if (!(windowMs > 0 && windowMs < Number.POSITIVE_INFINITY)) {
      throw new RangeError(`A window needs a length above 0 ms, not ${windowMs}.`);
    }
    this.windowMs = windowMs;
    this.bucketMs = windowMs / BUCKETS;
    this.#columns = columns;
    this.#cells = new Uint32Array(ROWS * columns);
    this.#totals = new Uint32Array(columns);
    this.#endMs = this.bucketMs;
  }

  /** Count one event in a column. Hot: one comparison and two additions while the bucket lasts. */
  add(nowMs: number, column: number): void {
    if (nowMs >= this.#endMs) this.#roll(nowMs);
    this.#cells[this.#row + column]! += 1;
    this.#totals[column]! += 1;
  }

  /** Count several events that came in together. */
  addMany(nowMs: number, column: number, count: number): void {
    if (nowMs >= this.#endMs) this.#roll(nowMs);
    this.#cells[this.#row + column]! += count;
    this.#totals[column]! += count;
  }

  /** Forget what is too old at `nowMs`; after it `total` is exact for `nowMs`. */
  advance(nowMs: number): void {
    if (nowMs >= this.#endMs) this.#roll(nowMs);
  }

  /** Events in a column, as of the last `add` or `advance`. */
  total(column: number): number {
    return this.#totals[column]!;
  }

  /**
   * Events in a column since the bucket of `sinceMs` began, as of the last `add` or `advance`. Costs up to one addition a
   * bucket.
   */
  totalSince(sinceMs: number, column: number): number {
    const first = Math.floor(sinceMs / this.bucketMs);
    if (first <= this.#bucket - BUCKETS) return this.#totals[column]!;
    let total = 0;
    for (let bucket = Math.max(0, first); bucket <= this.#bucket; bucket++)
      total += this.#cells[(bucket % ROWS) * this.#columns + column]!;
    return total;
  }

  /** `totalSince` of `into.length` columns, the first of them `column`. */
  totalsSince(sinceMs: number, column: number, into: Uint32Array): void {
    const first = Math.floor(sinceMs / this.bucketMs);
    const end = column + into.length;
    if (first <= this.#bucket - BUCKETS) return into.set(this.#totals.subarray(column, end));
    into.fill(0);
    for (let bucket = Math.max(0, first); bucket <= this.#bucket; bucket++) {
      const row = (bucket % ROWS) * this.#columns + column;
      for (let i = 0; i < into.length; i++) into[i]! += this.#cells[row + i]!;
    }
  }

  /** Forget everything. */
  clear(): void {
    this.#cells.fill(0);
    this.#totals.fill(0);
  }

  /**
   * The same counts in a window of another length. Where in an old bucket an event was is not known: each bucket
   * moves whole, as if all of it had come at its start, so what is carried over is forgotten up to one old bucket
   * early, and nothing late.
   */
  resized(windowMs: number): Window {
    const resized = new Window(windowMs, this.#columns);
    for (let bucket = Math.max(0, this.#bucket - BUCKETS); bucket <= this.#bucket; bucket++) {
      resized.advance(bucket * this.bucketMs);
      resized.#receive(this.#cells, (bucket % ROWS) * this.#columns);
    }
    return resized;
  }

  #receive(cells: Uint32Array, row: number): void {
    for (let column = 0; column < this.#columns; column++) {
      const count = cells[row + column]!;
      this.#cells[this.#row + column]! += count;
      this.#totals[column]! += count;
    }
  }

  /** Move on to the bucket of `nowMs`, emptying the rows in between; at most the whole ring. */
  #roll(nowMs: number): void {
    const bucket = Math.floor(nowMs / this.bucketMs);
    const steps = bucket - this.#bucket;
    if (steps >= ROWS) {
      this.clear();
    } else {
      for (let step = 1; step <= steps; step++) this.#drop(((this.#bucket + step) % ROWS) * this.#columns);
    }
    this.#bucket = bucket;
    this.#row = (bucket % ROWS) * this.#columns;
    this.#endMs = (bucket + 1) * this.bucketMs;
  }

  #drop(row: number): void {
    for (let column = 0; column < this.#columns; column++) {
      this.#totals[column]! -= this.#cells[row + column]!;
      this.#cells[row + column] = 0;
    }
  }
}
