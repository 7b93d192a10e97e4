/**
 * A latency histogram for the request path: fixed decimal bounds, one array increment per observation.
 *
 * The bucket is found without searching. The duration in whole microseconds is cut into log-linear cells (16 to
 * an octave, at most 6.25 % wide); a table says which bound is the first one not below the cell, and as no cell
 * holds two bounds, one comparison with the exact duration settles the rest. Nothing is allocated.
 *
 * Bounds are inclusive upper ends, as Prometheus has them. Never reads a clock.
 */

import { NO_NUMBERS, NOWHERE, takeRow } from './shared-numbers.ts';

/** Cells per octave as a power of two. Bounds may not be closer than 2^-4 = 6.25 %. */
const CELL_BITS = 4;
const CELLS_PER_OCTAVE = 1 << CELL_BITS;
/** 2^30 us = 17.9 minutes: everything longer is in the last bucket, so a bound may not be above it. */
const MICROS_MAX = 2 ** 30;
const CELLS = CELLS_PER_OCTAVE * (30 - CELL_BITS + 2);

/** Cell of a duration in whole microseconds below 2^30; the first 16 cells are 1 us wide. */
function cellOf(micros: number): number {
  if (micros < CELLS_PER_OCTAVE) return micros;
  const exponent = 31 - Math.clz32(micros);
  const shift = exponent - CELL_BITS;
  return (shift << CELL_BITS) + (micros >>> shift);
}

/** The lowest duration of a cell, microseconds: the inverse of `cellOf`. */
function cellStart(cell: number): number {
  if (cell < CELLS_PER_OCTAVE) return cell;
  const shift = (cell >>> CELL_BITS) - 1;
  return (cell - (shift << CELL_BITS)) * 2 ** shift;
}

/** The bucket bounds that any number of histograms share, and how a duration finds its bucket. */
export class Buckets {
  /** Inclusive upper ends in milliseconds, ascending; one more bucket than bounds, the last without an end. */
  readonly boundsMs: Float64Array;
  /** The same in seconds, as the `le` label has them. */
  readonly boundsSeconds: readonly number[];
  readonly #firstBound: Uint8Array;

  /** @throws RangeError when bounds are not ascending, above 2^30 us, or two are in one cell. */
  constructor(boundsSeconds: readonly number[]) {
    this.boundsSeconds = boundsSeconds;
    this.boundsMs = Float64Array.from(boundsSeconds, (seconds) => Number((seconds * 1000).toPrecision(12)));
    this.#firstBound = new Uint8Array(CELLS);
    const micros = Array.from(this.boundsMs, (ms) => Math.round(ms * 1000));
    for (const [index, bound] of micros.entries()) {
      const before = micros[index - 1] ?? -1;
      if (bound >= MICROS_MAX || (before >= 0 && cellOf(bound) <= cellOf(before))) {
        throw new RangeError(
          `bucket bound ${boundsSeconds[index]} s is out of order, too close or too large`,
        );
      }
    }
    for (let cell = 0; cell < CELLS; cell++) {
      const first = micros.findIndex((bound) => bound >= cellStart(cell));
      this.#firstBound[cell] = first < 0 ? micros.length : first;
    }
  }

  /** Number of buckets, the endless one included. */
  get count(): number {
    return this.boundsMs.length + 1;
  }

  /** Index of the bucket of a duration in milliseconds. Negative and NaN: the first. */
  indexOf(durationMs: number): number {
    if (!(durationMs > 0)) return 0;
    const micros = durationMs * 1000;
    if (micros >= MICROS_MAX) return this.boundsMs.length;
    const first = this.#firstBound[cellOf(micros | 0)] as number;
    return durationMs > (this.boundsMs[first] as number) ? first + 1 : first;
  }
}

/** A request that was counted, which can be looked at as a trace. */
export interface Exemplar {
  readonly traceId: string;
  /** Milliseconds since the epoch. */
  readonly wallMs: number;
  readonly durationMs: number;
}

/** Counts of one label set, not cumulative; the exposition adds them up. Takes its place with the first of them. */
export class Histogram {
  /** At `#at` the sum in milliseconds, and behind it the buckets. */
  #numbers = NO_NUMBERS;
  #at = NOWHERE;
  readonly buckets: Buckets;
  /** The latest of each bucket, by its index; null: there never was one. */
  exemplars: Exemplar[] | null = null;

  constructor(buckets: Buckets) {
    this.buckets = buckets;
  }

  /** Whether nothing was counted yet. */
  get isEmpty(): boolean {
    return this.#at === NOWHERE;
  }

  get sumMs(): number {
    return this.isEmpty ? 0 : this.#numbers[this.#at]!;
  }

  /** How many there are in a bucket. */
  count(index: number): number {
    return this.isEmpty ? 0 : this.#numbers[this.#at + 1 + index]!;
  }

  /** How many there are in all. */
  get total(): number {
    let total = 0;
    for (let index = 0; index < this.buckets.count; index++) total += this.count(index);
    return total;
  }

  /** Counts one duration in milliseconds. HOT. */
  record(durationMs: number): void {
    if (this.#at === NOWHERE) this.#settle();
    const numbers = this.#numbers;
    numbers[this.#at + 1 + this.buckets.indexOf(durationMs)]! += 1;
    if (durationMs > 0) numbers[this.#at]! += durationMs;
  }

  #settle(): void {
    const { numbers, at } = takeRow(1 + this.buckets.count);
    this.#numbers = numbers;
    this.#at = at;
  }

  /** An example of what was counted; the latest takes the place of the one before. */
  exemplify(exemplar: Exemplar): void {
    this.exemplars ??= [];
    this.exemplars[this.buckets.indexOf(exemplar.durationMs)] = exemplar;
  }
}

/** From half a millisecond to a minute: what a request through a sidecar may take. */
export const DURATION_BUCKETS = new Buckets([
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
]);

/** From 25 us: what the sidecar itself adds; above 100 ms something is wrong and the rest is one bucket. */
export const OVERHEAD_BUCKETS = new Buckets([
  0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1,
]);
