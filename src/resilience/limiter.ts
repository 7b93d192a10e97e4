/**
 * How many calls of an upstream or a variant may be under way: a fixed number, or one that finds itself (`gradient.ts`).
 * Nothing waits here: whoever comes beyond it is told no at once. Pure: told the time.
 */
import { Gradient, type GradientSettings } from './gradient.ts';

export type ConcurrencySettings =
  | { readonly kind: 'fixed'; readonly max: number }
  | ({ readonly kind: 'adaptive' } & GradientSettings);

/** Everything there is to see of a limiter. */
export interface LimiterView {
  readonly name: string;
  readonly kind: ConcurrencySettings['kind'];
  readonly limit: number;
  readonly inFlight: number;
  /** Turned away so far. */
  readonly rejected: number;
  /** What a call usually takes; null: not known, or the limit is fixed. */
  readonly usualMs: number | null;
}

export class Limiter {
  readonly name: string;
  /** Calls that have acquired and not released. */
  inFlight = 0;
  /** Calls that were told no. */
  rejected = 0;
  #settings: ConcurrencySettings;
  #gradient: Gradient | null = null;
  #limit = 0;

  constructor(name: string, settings: ConcurrencySettings) {
    this.name = name;
    this.#settings = settings;
    this.reconfigure(settings);
  }

  /** Calls that may be in flight. */
  get limit(): number {
    return this.#limit;
  }

  /** Whether the next call would get in. Counts nothing. */
  get hasRoom(): boolean {
    return this.inFlight < this.#limit;
  }

  /** May this call be made? True: `release` must follow, exactly once. False is counted. */
  acquire(): boolean {
    if (this.inFlight >= this.#limit) {
      this.rejected++;
      return false;
    }
    this.inFlight++;
    return true;
  }

  /**
   * An acquired call is over. `tookMs`: of the upstream's time; negative: that says nothing, as of a stream, or of a
   * call that was never made. `isGood`: answered as it should be. Throws if none is in flight.
   */
  release(tookMs: number, isGood: boolean, nowMs: number): void {
    if (this.inFlight === 0) throw new Error(`The limiter ${this.name} has no call in flight to release.`);
    const { inFlight } = this;
    this.inFlight--;
    if (this.#gradient === null || tookMs < 0) return;
    this.#gradient.add(tookMs, isGood, inFlight, nowMs);
    this.#limit = this.#gradient.limit;
  }

  /** Other settings from now on. Calls in flight stay, also beyond a lower limit; what was learnt stays as well. */
  reconfigure(settings: ConcurrencySettings): void {
    this.#settings = settings;
    if (settings.kind === 'fixed') {
      this.#gradient = null;
      this.#limit = settings.max;
      return;
    }
    if (this.#gradient === null) this.#gradient = new Gradient(settings);
    else this.#gradient.reconfigure(settings);
    this.#limit = this.#gradient.limit;
  }

  view(): LimiterView {
    const { name, inFlight, rejected } = this;
    const usualMs = this.#gradient?.usualMs ?? 0;
    const { kind } = this.#settings;
    return { name, kind, limit: this.#limit, inFlight, rejected, usualMs: usualMs === 0 ? null : usualMs };
  }
}
