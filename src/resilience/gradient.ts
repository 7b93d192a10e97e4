/**
 * A concurrency limit that finds itself, after Gradient2 of Netflix's concurrency-limits: as long as calls take about as
 * long as they have taken over the past minutes, the limit grows by a few; when they take longer, a queue is building up
 * behind it, and the limit shrinks in proportion. Pure: told every call and the time.
 *
 * Calls are gathered into short windows, so that one slow call moves nothing. What failed quickly is left out, since an
 * error is no quick answer; what failed slowly counts like any slow call.
 */

export interface GradientSettings {
  /** Where the limit begins, and between what it stays; whole numbers. */
  readonly initial: number;
  readonly min: number;
  readonly max: number;
  /** How many calls may queue at the upstream: what the limit grows by while nothing gets slower. */
  readonly queue: number;
  /** Calls may take this many times as long as over the past minutes before that is taken for a queue; at least 1. */
  readonly tolerance: number;
}

/** Share of each new limit in the limit. */
const SMOOTHING = 0.2;
/** Windows that the long time is averaged over; a minute to ten. */
const LONG_WINDOWS = 600;
/** The first windows are averaged plainly: the first one is not more true than the others. */
const WARM_UP_WINDOWS = 10;
/** A window ends after so many calls, and no earlier than twice the time a call takes, between these. */
const WINDOW_CALLS = 10;
const WINDOW_MIN_MS = 100;
const WINDOW_MAX_MS = 1000;
/** No window takes more than half off. */
const GRADIENT_MIN = 0.5;
/** When calls have become much quicker than over the past minutes, those are forgotten faster. */
const RECOVERY_RATIO = 2;
const RECOVERY_DECAY = 0.95;

export class Gradient {
  #settings: GradientSettings;
  #estimate: number;
  #longMs = 0;
  #windows = 0;
  // The present window.
  #startedMs = 0;
  #calls = 0;
  #sumMs = 0;
  #inFlightMax = 0;

  constructor(settings: GradientSettings) {
    this.#settings = settings;
    this.#estimate = settings.initial;
  }

  /** Calls that may be in flight; a whole number. */
  get limit(): number {
    return Math.floor(this.#estimate);
  }

  /** What a call usually takes, in milliseconds; 0: nothing is known. */
  get usualMs(): number {
    return this.#longMs;
  }

  /**
   * A call is over: it took `tookMs` of the upstream's time, while up to `inFlight` were under way, itself among them.
   * `isGood`: it was answered as it should be.
   */
  add(tookMs: number, isGood: boolean, inFlight: number, nowMs: number): void {
    if (!isGood && tookMs <= this.#longMs) return;
    if (this.#calls === 0) this.#startedMs = nowMs;
    this.#calls++;
    this.#sumMs += tookMs;
    if (inFlight > this.#inFlightMax) this.#inFlightMax = inFlight;
    if (this.#calls < WINDOW_CALLS) return;
    const meanMs = this.#sumMs / this.#calls;
    const windowMs = Math.min(WINDOW_MAX_MS, Math.max(WINDOW_MIN_MS, 2 * meanMs));
    if (nowMs - this.#startedMs < windowMs) return;
    this.#update(meanMs, this.#inFlightMax);
    this.#calls = 0;
    this.#sumMs = 0;
    this.#inFlightMax = 0;
  }

  /** Other settings from now on; what was learnt stays, as far as they allow. */
  reconfigure(settings: GradientSettings): void {
    this.#settings = settings;
    this.#estimate = this.#bounded(this.#estimate);
  }

  #update(shortMs: number, inFlightMax: number): void {
    this.#windows++;
    const weight = this.#windows <= WARM_UP_WINDOWS ? 1 / this.#windows : 2 / (LONG_WINDOWS + 1);
    this.#longMs += (shortMs - this.#longMs) * weight;
    if (this.#longMs > RECOVERY_RATIO * shortMs) this.#longMs *= RECOVERY_DECAY;
    // With few calls under way, that they are quick says nothing of how many there could be.
    if (inFlightMax < this.#estimate / 2) return;
    const { queue, tolerance } = this.#settings;
    const ratio = shortMs === 0 ? 1 : (tolerance * this.#longMs) / shortMs;
    const gradient = Math.max(GRADIENT_MIN, Math.min(1, ratio));
    const next = this.#estimate * gradient + queue;
    this.#estimate = this.#bounded(this.#estimate * (1 - SMOOTHING) + next * SMOOTHING);
  }

  #bounded(limit: number): number {
    return Math.max(this.#settings.min, Math.min(this.#settings.max, limit));
  }
}
