/**
 * A token bucket: holds up to `burst` tokens, gains `perSecond` of them a second, and gives one to each request. Pure:
 * told the time, no timers; what has come in since the last request is reckoned when the next one asks.
 */

export interface RateSettings {
  /** Tokens that come in per second, above 0; may be a fraction. */
  readonly perSecond: number;
  /** Tokens it holds, and begins with; at least 1. */
  readonly burst: number;
}

/** A sum of fractions can fall short of a token by this much. */
const ROUNDING = 1e-9;

/** The tokens at `nowMs` of a bucket that had `tokens` at `atMs`. A clock that went back brings none and takes none. */
export function refilled(tokens: number, atMs: number, nowMs: number, settings: RateSettings): number {
  if (nowMs <= atMs) return Math.min(tokens, settings.burst);
  return Math.min(settings.burst, tokens + ((nowMs - atMs) * settings.perSecond) / 1000);
}

/** Whether there is a token to take. */
export function hasToken(tokens: number): boolean {
  return tokens >= 1 - ROUNDING;
}

/** How long until there is a token, in milliseconds; 0: there is one. */
export function tokenInMs(tokens: number, { perSecond }: RateSettings): number {
  return hasToken(tokens) ? 0 : ((1 - tokens) * 1000) / perSecond;
}

/** One bucket. */
export class TokenBucket {
  #settings: RateSettings;
  #tokens: number;
  #atMs: number;

  /** Begins full at `nowMs`. */
  constructor(settings: RateSettings, nowMs: number) {
    this.#settings = settings;
    this.#tokens = settings.burst;
    this.#atMs = nowMs;
  }

  /** Takes a token. False: there is none, and none is taken. */
  take(nowMs: number): boolean {
    const tokens = refilled(this.#tokens, this.#atMs, nowMs, this.#settings);
    const isGiven = hasToken(tokens);
    this.#tokens = isGiven ? tokens - 1 : tokens;
    this.#atMs = nowMs;
    return isGiven;
  }

  /** How long until there is a token, in milliseconds; 0: there is one. */
  waitMs(nowMs: number): number {
    return tokenInMs(refilled(this.#tokens, this.#atMs, nowMs, this.#settings), this.#settings);
  }

  /** Other settings from now on; the tokens stay, as far as there is room for them. */
  reconfigure(settings: RateSettings, nowMs: number): void {
    this.#tokens = Math.min(refilled(this.#tokens, this.#atMs, nowMs, this.#settings), settings.burst);
    this.#atMs = nowMs;
    this.#settings = settings;
  }
}
