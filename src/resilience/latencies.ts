/**
 * How long the finished calls of a breaker took, over its window: how many took longer than each of a few levels,
 * exactly, and where somebody compares quantiles, how many there are of each size.
 *
 * A call that failed fast says nothing about how long the upstream takes, and must not look like a quick one: it is
 * left out. One that failed after a level was past has shown that it took longer than that. So has a call that its
 * client gave up. Told the time; memory is fixed: 0.4 KB a level, and 53 KB for the sizes.
 */
import { Window } from '../base/window.ts';
import type { Share } from './confidence.ts';
import { columnOf, LATENCY_COLUMNS } from './latency-scale.ts';
import type { Watch } from './limits.ts';

/** Counts as they go from one worker to another: a column, its count, the next column, ... */
export interface LatencyTally {
  /** What the columns mean; counts of another layout count for nothing. */
  readonly layout: string;
  readonly counts: readonly number[];
}

/** Columns: calls that did not fail; then for each level those over it, and of these those that are not among the first. */
const GOOD = 0;
const PER_LEVEL = 2;

export class Latencies {
  // First what each call touches: with thousands of breakers each line of memory is fetched anew.
  readonly #levelsMs: readonly number[];
  #window: Window;
  /** Where the sizes begin. */
  readonly #sizes: number;
  readonly #columns: number;
  /** Counted here since `take`, by column: the other workers do not know of them. Null: there are none. */
  readonly #untold: Uint32Array | null;
  readonly layout: string;
  #isTold = true;
  /** In flight with the other workers, past each level. */
  agedElsewhere: readonly number[] = [];

  /** @param isShared other workers count as well, so `take` is called */
  constructor(windowMs: number, { levelsMs, hasHistogram }: Watch, isShared = true) {
    this.layout = layoutOf({ levelsMs, hasHistogram });
    this.#levelsMs = levelsMs;
    this.#sizes = 1 + PER_LEVEL * levelsMs.length;
    this.#columns = this.#sizes + (hasHistogram ? LATENCY_COLUMNS : 0);
    this.#window = new Window(windowMs, this.#columns);
    this.#untold = isShared ? new Uint32Array(this.#columns) : null;
  }

  get levelsMs(): readonly number[] {
    return this.#levelsMs;
  }

  get hasHistogram(): boolean {
    return this.#columns > this.#sizes;
  }

  /** Count a call that was over after `ageMs`. Not good: it failed, or its client gave it up. */
  add(isGood: boolean, ageMs: number, nowMs: number): void {
    if (isGood) this.#count(GOOD, nowMs);
    const levels = this.#levelsMs;
    for (let level = 0; level < levels.length; level++) {
      if (ageMs <= levels[level]!) break;
      this.#count(1 + PER_LEVEL * level, nowMs);
      if (!isGood) this.#count(2 + PER_LEVEL * level, nowMs);
    }
    if (isGood && this.#columns > this.#sizes) this.#count(this.#sizes + columnOf(ageMs), nowMs);
  }

  /**
   * Calls over a level among those that say something about it, of those finished since `sinceMs`, with `aged` in
   * flight here; null: it is not counted.
   */
  over(levelMs: number, aged: number, sinceMs: number): Share | null {
    const level = this.#levelsMs.indexOf(levelMs);
    if (level === -1) return null;
    const total = (column: number): number => this.#window.totalSince(sinceMs, column);
    const inFlight = aged + (this.agedElsewhere[level] ?? 0);
    const calls = total(GOOD) + total(2 + PER_LEVEL * level) + inFlight;
    return { bad: total(1 + PER_LEVEL * level) + inFlight, calls };
  }

  /** Good calls since `sinceMs` by size, into `LATENCY_COLUMNS`. */
  sizes(sinceMs: number, into: Uint32Array): void {
    this.#window.totalsSince(sinceMs, this.#sizes, into);
  }

  advance(nowMs: number): void {
    this.#window.advance(nowMs);
  }

  clear(): void {
    this.#window.clear();
    this.#forgetUntold();
    this.agedElsewhere = [];
  }

  resize(windowMs: number): void {
    if (windowMs !== this.#window.windowMs) this.#window = this.#window.resized(windowMs);
  }

  /** Count what another worker has, as if it had ended now. */
  merge({ layout, counts }: LatencyTally, nowMs: number): void {
    if (layout !== this.layout) return;
    for (let i = 0; i < counts.length; i += 2) this.#window.addMany(nowMs, counts[i]!, counts[i + 1]!);
  }

  /** What `add` has counted since the last time, or null. */
  take(): LatencyTally | null {
    if (this.#isTold || this.#untold === null) return null;
    const counts: number[] = [];
    for (const [column, count] of this.#untold.entries()) if (count > 0) counts.push(column, count);
    this.#forgetUntold();
    return { layout: this.layout, counts };
  }

  #count(column: number, nowMs: number): void {
    this.#window.add(nowMs, column);
    if (this.#untold === null) return;
    this.#untold[column]! += 1;
    this.#isTold = false;
  }

  #forgetUntold(): void {
    if (this.#isTold) return;
    this.#untold?.fill(0);
    this.#isTold = true;
  }
}

/** Two with the same layout count the same. */
export function layoutOf({ levelsMs, hasHistogram }: Watch): string {
  return `${levelsMs.join(' ')}${hasHistogram ? ' sizes' : ''}`;
}

/** Both; of two layouts the later, since whoever is told has it already or soon will. */
export function addLatencies(
  earlier: LatencyTally | undefined,
  later: LatencyTally | undefined,
): LatencyTally | undefined {
  if (earlier === undefined || later === undefined) return later ?? earlier;
  if (earlier.layout !== later.layout) return later;
  const sums = new Map<number, number>();
  for (const { counts } of [earlier, later])
    for (let i = 0; i < counts.length; i += 2)
      sums.set(counts[i]!, (sums.get(counts[i]!) ?? 0) + counts[i + 1]!);
  return { layout: later.layout, counts: [...sums].flat() };
}
