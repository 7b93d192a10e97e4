/**
 * How much is to be shed, out of how late the event loop runs and how much memory is in use. Pure: told both, and the
 * time, at every tick.
 *
 * The pressure goes up while a signal is beyond its limit, faster the further it is, and down again more slowly once
 * all are well below theirs; in between it stays. So what is shed is found by trying, as little as helps, and does not
 * flap. Each whole number is a level; within the last two the fraction is the share of requests that is shed.
 */

/** In the order in which they are given up, from level 1 on. */
export const SHED = ['mirror', 'exposure', 'candidate', 'ordinary', 'protected'] as const;

export type Shed = (typeof SHED)[number];

/** Levels from which on each is shed; `ordinary` and `protected` by shares. */
export const Level = { mirror: 1, exposure: 2, candidate: 3, ordinary: 4, protected: 5 } as const;

export interface LoadSettings {
  /** The event loop may be this late, on average; null: not looked at. */
  readonly delayMs: number | null;
  /** Resident bytes; null: not looked at. */
  readonly memoryBytes: number | null;
  /** Share of what the machine or its control group has that may be resident; null: not looked at. */
  readonly memoryRatio: number | null;
  /** Share of the most that the JavaScript heap may have; null: not looked at. */
  readonly heapRatio: number | null;
}

/** Share of a new delay in the smoothed one: a single stall of three times the limit moves nothing. */
const SMOOTHING = 0.3;
/** Levels a second, at a signal of just its limit; four times that at most. */
const RISE = 2;
const RISE_RATIO_MAX = 4;
/** Once all that is ordinary is shed, it takes a moment until that shows. */
const RISE_OF_PROTECTED = 0.5;
const FALL = 1;
/** Shares of requests are let in again more slowly: too many at once would bring the overload back. */
const FALL_OF_SHARES = 0.2;
/** Below this share of their limits, the signals let the pressure fall. Memory falls by itself only after a collection, so it has less of a margin. */
const CALM = 0.8;
const MEMORY_CALM = 0.95;
/**
 * As far as memory goes: most ordinary requests are shed, and no protected ones. What is in use falls only when something
 * is collected, so with no traffic at all it might never.
 */
const MEMORY_PRESSURE_MAX = 3.9;
/** A process that was stopped for a time is not overloaded for as long. */
const STEP_MAX_MS = 250;

export class LoadSignal {
  #settings: LoadSettings;
  #delayMs = 0;
  #memory = 0;
  #pressure = 0;
  #atMs: number | null = null;

  constructor(settings: LoadSettings) {
    this.#settings = settings;
  }

  /** From 0, nothing is shed, to 5, everything is. */
  get pressure(): number {
    return this.#pressure;
  }

  /** 0: nothing is shed; else the last of `SHED` that is, from 1. */
  get level(): number {
    return Math.ceil(this.#pressure);
  }

  /** How late the event loop runs, smoothed. */
  get delayMs(): number {
    return this.#delayMs;
  }

  /** What is in use of the memory that may be, as a share; 0: nothing is known. */
  get memory(): number {
    return this.#memory;
  }

  /** Share of ordinary (or protected) requests to shed, 0 to 1. */
  share(isProtected: boolean): number {
    const above = this.#pressure - (isProtected ? Level.protected : Level.ordinary) + 1;
    return Math.max(0, Math.min(1, above));
  }

  /** Which signal is furthest beyond its limit, as a sentence with the number and the limit; '' when none is. */
  get reason(): string {
    const { delayMs } = this.#settings;
    const delay = this.#delayRatio();
    if (delay >= 1 && delay >= this.#memory)
      return `the event loop is ${Math.round(this.#delayMs)}ms late > ${delayMs}ms`;
    return this.#memory >= 1 ? `memory is at ${Math.round(this.#memory * 100)}% of its limit` : '';
  }

  /** `lateMs`: how late this tick is. `memory`: what is in use as a share of its limit; 0 where there is none. */
  tick(lateMs: number, memory: number, nowMs: number): void {
    const before = this.#delayMs;
    this.#delayMs += (lateMs - this.#delayMs) * SMOOTHING;
    this.#memory = memory;
    const stepMs = this.#atMs === null ? 0 : Math.min(STEP_MAX_MS, Math.max(0, nowMs - this.#atMs));
    this.#atMs = nowMs;
    const delay = this.#delayRatio();
    const isMemoryOver = memory >= 1;
    // While the event loop catches up, what is shed is enough.
    const isCatchingUp = this.#delayMs < before;
    if (delay >= 1) {
      if (!isCatchingUp) this.#rise(delay, stepMs, SHED.length);
    } else if (isMemoryOver) this.#rise(memory, stepMs, MEMORY_PRESSURE_MAX);
    else if (delay < CALM && memory < MEMORY_CALM)
      this.#pressure = Math.max(0, this.#pressure - (this.#fall() * stepMs) / 1000);
  }

  /** Other settings from now on; the pressure stays, and falls if they are met. */
  reconfigure(settings: LoadSettings): void {
    this.#settings = settings;
  }

  #rise(ratio: number, stepMs: number, most: number): void {
    const speed = this.#pressure < Level.ordinary ? RISE : RISE_OF_PROTECTED;
    const risen = this.#pressure + (speed * Math.min(ratio, RISE_RATIO_MAX) * stepMs) / 1000;
    // What another signal has brought it to stays.
    this.#pressure = Math.max(this.#pressure, Math.min(most, risen));
  }

  /** Levels a second. */
  #fall(): number {
    return this.#pressure > Level.candidate ? FALL_OF_SHARES : FALL;
  }

  #delayRatio(): number {
    const { delayMs } = this.#settings;
    return delayMs === null ? 0 : this.#delayMs / delayMs;
  }
}
