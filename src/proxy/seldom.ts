/** Keeps what may happen a thousand times a second to one log line in a while. Counts what it kept back. */

/** Between two lines about the same thing. */
const INTERVAL_MS = 10_000;

export class Seldom {
  #nextMs = Number.NEGATIVE_INFINITY;
  #count = 0;

  /** Counts one. Answers how many there were since the last line, or 0 when it is too soon for another. */
  count(nowMs: number): number {
    this.#count++;
    if (nowMs < this.#nextMs) return 0;
    const count = this.#count;
    this.#count = 0;
    this.#nextMs = nowMs + INTERVAL_MS;
    return count;
  }
}
