/** A rate limit by its name: one bucket for all, or one for each unit. Pure: told the time. */
import { type RateSettings, TokenBucket } from './token-bucket.ts';
import { UnitBuckets } from './unit-buckets.ts';

export interface RateLimitSettings extends RateSettings {
  /** Units that are remembered; 0: one bucket for all. */
  readonly entriesMax: number;
}

/** Everything there is to see of a rate limit. */
export interface RateLimitView {
  readonly name: string;
  readonly perSecond: number;
  readonly burst: number;
  readonly isByUnit: boolean;
  /** Turned away so far. */
  readonly limited: number;
}

export class RateLimit {
  readonly name: string;
  /** Requests that found no token. */
  limited = 0;
  #settings: RateLimitSettings;
  readonly #all: TokenBucket | null;
  readonly #units: UnitBuckets | null;

  /** `seed`: any integer that nobody outside knows. */
  constructor(name: string, settings: RateLimitSettings, seed: number, nowMs: number) {
    this.name = name;
    this.#settings = settings;
    this.#all = settings.entriesMax === 0 ? new TokenBucket(settings, nowMs) : null;
    this.#units = settings.entriesMax === 0 ? null : new UnitBuckets(settings, settings.entriesMax, seed);
  }

  get settings(): RateLimitSettings {
    return this.#settings;
  }

  /**
   * Takes a token for a request of `unit`; those without one share a bucket. 0: it has one; else it is counted, and this
   * is how many milliseconds until there is one.
   */
  take(unit: string | null, nowMs: number): number {
    const waitMs = this.#units === null ? this.#takeOfAll(nowMs) : this.#units.take(unit ?? '', nowMs);
    if (waitMs > 0) this.limited++;
    return waitMs;
  }

  /** Other settings from now on; false: they need other buckets. */
  reconfigure(settings: RateLimitSettings, nowMs: number): boolean {
    if (settings.entriesMax !== this.#settings.entriesMax) return false;
    const isSame = settings.perSecond === this.#settings.perSecond && settings.burst === this.#settings.burst;
    this.#settings = settings;
    if (isSame) return true;
    this.#all?.reconfigure(settings, nowMs);
    this.#units?.reconfigure(settings, nowMs);
    return true;
  }

  view(): RateLimitView {
    const { perSecond, burst, entriesMax } = this.#settings;
    return { name: this.name, perSecond, burst, isByUnit: entriesMax > 0, limited: this.limited };
  }

  #takeOfAll(nowMs: number): number {
    const bucket = this.#all!;
    return bucket.take(nowMs) ? 0 : bucket.waitMs(nowMs);
  }
}
