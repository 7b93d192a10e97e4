/** Observations by minute of the last hour, for what finds gaps and jumps. Told the time. Pure. */
import type { Span } from '../validity.ts';

const SPAN_MS = 60_000;
const SPANS_MAX = 60;

export class RecentSpans {
  /** Whole minutes from the first observation on, those without any among them. */
  #spans: Span[] = [];
  /** The minute that is not over. */
  #startMs = 0;
  #observations = 0;

  add(observations: number, nowMs: number): void {
    // Also when the clock was set back: what comes would else wait for the time that it was.
    if (this.#startMs === 0 || nowMs < this.#startMs) this.#startMs = startOf(nowMs);
    this.#roll(nowMs);
    this.#observations += observations;
  }

  /** Minutes that are over, oldest first: part of one would look like a drop. */
  list(nowMs: number): readonly Span[] {
    if (this.#startMs > 0) this.#roll(nowMs);
    return this.#spans;
  }

  toJSON(): object {
    return { spans: this.#spans, startMs: this.#startMs, observations: this.#observations };
  }

  /** @throws RangeError for what `toJSON` has not made. */
  static fromJSON(form: unknown): RecentSpans {
    const { spans, startMs, observations } = Object(form) as Record<string, unknown>;
    if (!isCount(startMs) || !isCount(observations) || !Array.isArray(spans) || !spans.every(isSpan))
      throw new RangeError('recent-spans: no spans.');
    const recent = new RecentSpans();
    recent.#startMs = startMs;
    recent.#observations = observations;
    recent.#spans = spans.slice(-SPANS_MAX);
    return recent;
  }

  #roll(nowMs: number): void {
    // After a long silence, or a clock that was set forward, what is out of the hour is not made.
    const firstMs = startOf(nowMs) - SPANS_MAX * SPAN_MS;
    while (this.#startMs + SPAN_MS <= nowMs) {
      const [startMs, endMs] = [this.#startMs, this.#startMs + SPAN_MS];
      if (startMs >= firstMs || this.#observations > 0)
        this.#spans = [
          ...this.#spans.slice(1 - SPANS_MAX),
          { startMs, endMs, observations: this.#observations },
        ];
      this.#observations = 0;
      this.#startMs = Math.max(endMs, firstMs);
    }
  }
}

function isSpan(value: unknown): value is Span {
  const { startMs, endMs, observations } = Object(value) as Record<string, unknown>;
  return isCount(startMs) && isCount(endMs) && isCount(observations);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function startOf(ms: number): number {
  return Math.floor(ms / SPAN_MS) * SPAN_MS;
}
