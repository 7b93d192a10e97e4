/**
 * One coarse timer for everything with a deadline: connections register once and a request stores a number.
 * A timer per request costs 0.2-0.45 us and a heap of closures; a sweep of 10,000 connections each tick costs less
 * than one of them. Deadlines are met at most one tick late.
 */
import type { Clock } from '../base/clock.ts';

/** How often deadlines and in-flight slowness are looked at. */
export const TICK_MS = 50;

/**
 * Calls `tick` each TICK_MS, and perhaps once more after it was cleared. Behind what waits to be read: timers come
 * before it, and after a pause, of the machine or to collect garbage, what came in time must not count as too late.
 */
export function eachTick(tick: () => void): NodeJS.Timeout {
  return setInterval(() => setImmediate(tick), TICK_MS);
}

/** Something that may run out of time. */
export interface Timed {
  /** Monotonic milliseconds; Infinity: no deadline. */
  deadlineMs: number;
  /** Position in the sweep, kept by `Deadlines`. */
  timedIndex: number;
  /** Called once when the deadline has passed; the callee sets the next one. */
  onDeadline(nowMs: number): void;
}

export class Deadlines {
  /** The time of the latest tick: good to TICK_MS, free to read. */
  nowMs: number;
  readonly #clock: Clock;
  readonly #timed: Timed[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.nowMs = clock.now();
  }

  add(timed: Timed): void {
    timed.timedIndex = this.#timed.length;
    this.#timed.push(timed);
  }

  remove(timed: Timed): void {
    const index = timed.timedIndex;
    if (index < 0) return;
    timed.timedIndex = -1;
    const last = this.#timed.pop()!;
    if (last === timed) return;
    this.#timed[index] = last;
    last.timedIndex = index;
  }

  /** Calls whoever is past its deadline. Walks backwards, because a callee may remove itself. */
  sweep(): void {
    const nowMs = this.#clock.now();
    this.nowMs = nowMs;
    for (let i = this.#timed.length - 1; i >= 0; i--) {
      const timed = this.#timed[i];
      if (timed === undefined || timed.deadlineMs > nowMs) continue;
      timed.deadlineMs = Number.POSITIVE_INFINITY;
      timed.onDeadline(nowMs);
    }
  }
}

/** `timeoutMs` from now; 0 means none. */
export function deadline(nowMs: number, timeoutMs: number): number {
  return timeoutMs === 0 ? Number.POSITIVE_INFINITY : nowMs + timeoutMs;
}
