/**
 * What an experiment's variants did over the last half hour, in points of five seconds, by the variant that served: for
 * lines on a page, not for conclusions. Told the time. Pure.
 */
import { Distribution } from '../distribution.ts';

export const POINT_MS = 5000;
export const POINTS_MAX = 360;

/** Milliseconds; null: there was no request. */
export interface HistoryFigures {
  readonly requests: number;
  readonly failures: number;
  readonly slow: number;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export interface HistoryPoint {
  /** The beginning of the five seconds, milliseconds since the epoch. */
  readonly atMs: number;
  /** By variant. */
  readonly variants: readonly HistoryFigures[];
}

const FAILURE = 1;
const SLOW = 2;
const IGNORED = 3;

export class RecentHistory {
  #points: HistoryPoint[] = [];
  #atMs = 0;
  readonly #present: readonly Tally[];

  constructor(variants: number) {
    this.#present = Array.from({ length: variants }, () => new Tally());
  }

  /** A request that was settled about now. `outcome`: a number of `OUTCOMES`. */
  add(served: number, outcome: number, latencyMs: number, nowMs: number): void {
    // Also when the clock was set back: what comes would else wait for the time that it was.
    if (this.#atMs === 0 || nowMs < this.#atMs) this.#atMs = startOf(nowMs);
    if (nowMs >= this.#atMs + POINT_MS) this.#roll(nowMs);
    this.#present[served]!.add(outcome, latencyMs);
  }

  /** Points that are over, oldest first; those without a request among them. */
  list(nowMs: number): readonly HistoryPoint[] {
    if (this.#atMs > 0) this.#roll(nowMs);
    return this.#points;
  }

  #roll(nowMs: number): void {
    const firstMs = startOf(nowMs) - POINTS_MAX * POINT_MS;
    while (this.#atMs + POINT_MS <= nowMs) {
      if (this.#atMs >= firstMs)
        this.#points.push({ atMs: this.#atMs, variants: this.#present.map((tally) => tally.figures()) });
      for (const tally of this.#present) tally.clear();
      this.#atMs = Math.max(this.#atMs + POINT_MS, firstMs);
    }
    this.#points = this.#points.slice(-POINTS_MAX);
  }
}

class Tally {
  #requests = 0;
  #failures = 0;
  #slow = 0;
  #latencies = new Distribution();

  add(outcome: number, latencyMs: number): void {
    this.#requests++;
    if (outcome === IGNORED) return;
    if (outcome === FAILURE) this.#failures++;
    else if (outcome === SLOW) this.#slow++;
    this.#latencies.add(latencyMs);
  }

  figures(): HistoryFigures {
    const quantile = (q: number) => rounded(this.#latencies.quantile(q));
    return {
      requests: this.#requests,
      failures: this.#failures,
      slow: this.#slow,
      p50: quantile(0.5),
      p95: quantile(0.95),
      p99: quantile(0.99),
    };
  }

  clear(): void {
    if (this.#requests === 0) return;
    this.#requests = 0;
    this.#failures = 0;
    this.#slow = 0;
    this.#latencies = new Distribution();
  }
}

/** To a thousandth: nobody needs more of what is right within 0.5 %. */
function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms * 1000) / 1000;
}

function startOf(ms: number): number {
  return Math.floor(ms / POINT_MS) * POINT_MS;
}
