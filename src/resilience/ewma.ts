/**
 * How long the answers of an endpoint take, as Finagle's peak EWMA has it: an average that fades with time, and jumps
 * to whatever is above it, so that an endpoint that turns slow is avoided from the first slow answer on. Told the time.
 *
 * An endpoint that fails fast must not look like a fast one: a failure doubles the estimate, whatever it took.
 */

/** Time constant of the fading: after this long without an answer, 37 % of an estimate are left. */
const FADING_MS = 10_000;

/** A failure doubles no less than this, ms: what answers in microseconds would need too many. */
const FAILURE_MIN_MS = 1;

/** Above this it makes no difference. */
const FAILURE_MAX_MS = 10_000;

export class PeakEwma {
  /** Below 0: nothing is known. */
  #valueMs = -1;
  #atMs = 0;

  /** An answer took `tookMs`. */
  succeeded(tookMs: number, nowMs: number): void {
    const beforeMs = this.#valueMs;
    const kept = tookMs >= beforeMs ? 0 : Math.exp((this.#atMs - nowMs) / FADING_MS);
    this.#valueMs = tookMs * (1 - kept) + beforeMs * kept;
    this.#atMs = nowMs;
  }

  /** There was none, or it was an error. */
  failed(tookMs: number, nowMs: number): void {
    const beforeMs = Math.max(this.at(nowMs), tookMs, FAILURE_MIN_MS);
    this.#valueMs = Math.max(beforeMs, Math.min(2 * beforeMs, FAILURE_MAX_MS));
    this.#atMs = nowMs;
  }

  /** The estimate at `nowMs`, ms; below 0: there is none. */
  at(nowMs: number): number {
    return this.#valueMs < 0 ? -1 : this.#valueMs * Math.exp((this.#atMs - nowMs) / FADING_MS);
  }
}
