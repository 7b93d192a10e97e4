/**
 * All that is collected of one experiment, since it was last begun anew. A new split begins a new stratum; the one before
 * stays open for the requests that were under way. Told the time. Pure.
 */

import { readForm, readNumbers } from '../plain-form.ts';
import type { Collected, CollectedPair } from './collected.ts';
import type { CollectedRow } from './delta.ts';
import type { Measure } from './measure.ts';
import { type HistoryPoint, RecentHistory } from './recent-history.ts';
import { RecentSpans } from './recent-spans.ts';
import { isSameSplit, type Split, StratumTotals } from './stratum-totals.ts';
import { readStratum, stratumForm } from './totals-form.ts';
import type { EventResult } from './unit-totals.ts';

const KIND = 'experiment-totals';

/** More are a rollout that nobody follows; the oldest go. */
export const STRATA_MAX = 32;
/** Those that requests may still come to. */
const OPEN_MAX = 2;
/** Lost rows below this share of all change nothing that could be seen. */
const LOST_MAX = 0.001;

/** How long an event from the future is held against the numbers. */
const SKEW_KEPT_MS = 3_600_000;

/** A value that came by itself. */
export interface CollectedEvent {
  readonly unit: number;
  readonly measure: number;
  readonly value: number;
  /** How far its own time is ahead of ours. */
  readonly aheadMs: number;
}

/** What the numbers are of. */
export interface ExperimentShape {
  readonly experiment: string;
  readonly variants: readonly string[];
  readonly fallback: number;
  readonly measures: readonly Measure[];
  /** Of all that must be the same for numbers to be added up. */
  readonly digest: string;
}

export class ExperimentTotals {
  readonly shape: ExperimentShape;
  /** In the numbers. */
  requests = 0;
  #strata: StratumTotals[] = [];
  #limit: number;
  /** Strata that were let go. */
  #forgotten = 0;
  /** Rows that were lost, and those of strata that are closed. */
  #lost = 0;
  #skewMs = 0;
  /** When the event came that was so far ahead. */
  #skewAtMs = 0;
  #spans = new RecentSpans();
  readonly #history: RecentHistory;

  /** @param limit How many units of a stratum are followed at most. */
  constructor(shape: ExperimentShape, limit: number) {
    this.shape = shape;
    this.#limit = limit;
    this.#history = new RecentHistory(shape.variants.length);
  }

  /** Units that are followed at present. */
  get followed(): number {
    return this.#strata.at(-1)?.followed?.size ?? 0;
  }

  /** This is the split from now on. */
  begin(split: Split): void {
    const last = this.#strata.at(-1);
    if (last !== undefined && isSameSplit(last, split)) return;
    // Nothing came of it: it has never been.
    if (last?.isEmpty === true) this.#strata.pop();
    const { measures, variants } = this.shape;
    this.#strata.push(new StratumTotals(split, { measures, variants: variants.length }, this.#limit));
    for (const stratum of this.#strata.slice(0, -OPEN_MAX)) if (stratum.followed !== null) stratum.close();
    if (this.#strata.length <= STRATA_MAX) return;
    this.#strata.shift();
    this.#forgotten++;
  }

  /** From now on so many units are followed at most. */
  limitTo(limit: number): void {
    if (limit === this.#limit) return;
    this.#limit = limit;
    for (const stratum of this.#strata) stratum.followed?.limitTo(limit);
  }

  /** The stratum of a split that requests may still come to; null: there is none. */
  stratumOf(split: Split): StratumTotals | null {
    return this.#strata.findLast((one) => one.followed !== null && isSameSplit(one, split)) ?? null;
  }

  /** A request that was settled about now. `stratum`: of `stratumOf`; null: it comes too late for its own. */
  add(stratum: StratumTotals | null, row: CollectedRow, nowMs: number): void {
    this.#history.add(row.served, row.outcome, row.servedMs, nowMs);
    if (stratum === null) {
      this.#lost++;
      return;
    }
    this.requests++;
    stratum.add(row, nowMs);
  }

  /** So many requests were settled about now. */
  settled(requests: number, nowMs: number): void {
    this.#spans.add(requests, nowMs);
  }

  /** So many requests were lost on their way here. */
  lost(requests: number): void {
    this.#lost += requests;
  }

  /** A value of a unit that came by itself. */
  addEvent({ unit, measure, value, aheadMs }: CollectedEvent, nowMs: number): EventResult {
    if (aheadMs > this.#skewAt(nowMs)) {
      this.#skewMs = aheadMs;
      this.#skewAtMs = nowMs;
    }
    const open = this.#strata.filter(({ followed }) => followed !== null).reverse();
    if (open.some((stratum) => stratum.addEvent(unit, measure, value))) return 'accepted';
    return open.every((stratum) => stratum.followed!.isFollowed(unit)) ? 'unknown' : 'notFollowed';
  }

  history(nowMs: number): readonly HistoryPoint[] {
    return this.#history.list(nowMs);
  }

  /** As it is now, and not a copy of it. */
  collected(nowMs: number): Collected {
    const { experiment, variants, fallback } = this.shape;
    return {
      ...{ experiment, variants, fallback },
      strata: this.#strata.filter(({ isEmpty }) => !isEmpty).map((stratum) => stratum.view()),
      spans: this.#spans.list(nowMs),
      skewMs: this.#skewAt(nowMs),
      doubts: this.#doubts(),
    };
  }

  /** The followed units that are in both at present; null: there are none. */
  pair(other: ExperimentTotals): CollectedPair | null {
    const [own, others] = [this, other].map((one) => one.#strata.at(-1)?.followed ?? null);
    const cells = own == null || others == null ? null : own.join(others);
    if (cells === null) return null;
    const { experiment, variants, fallback } = other.shape;
    return { other: experiment, otherVariants: variants, otherFallback: fallback, cells };
  }

  /** But for the history, which is for looking at. */
  toJSON(): object {
    return {
      ...{ kind: KIND, version: 1, digest: this.shape.digest, requests: this.requests },
      ...{ skewMs: this.#skewMs, skewAtMs: this.#skewAtMs },
      ...{ forgotten: this.#forgotten, lost: this.#lost, spans: this.#spans },
      strata: this.#strata.map(stratumForm),
    };
  }

  /**
   * Null: they are numbers of another shape.
   * @throws RangeError for what `toJSON` has not made.
   */
  static fromJSON(form: unknown, shape: ExperimentShape, limit: number): ExperimentTotals | null {
    const counts = readNumbers(form, KIND, ['requests', 'skewMs', 'skewAtMs', 'forgotten', 'lost']);
    const { digest, strata, spans } = readForm(form, KIND);
    if (digest !== shape.digest) return null;
    if (!Array.isArray(strata) || strata.length > STRATA_MAX || counts.some((count) => count < 0))
      throw new RangeError(`${KIND}: no strata, or a count that is none.`);
    const totals = new ExperimentTotals(shape, limit);
    const { measures, variants } = shape;
    const unitShape = { measures, variants: variants.length };
    totals.#strata = strata.map((one) => readStratum(one, unitShape, limit));
    totals.#spans = RecentSpans.fromJSON(spans);
    const [requests = 0, skewMs = 0, skewAtMs = 0, forgotten = 0, lost = 0] = counts;
    totals.requests = requests;
    totals.#skewMs = skewMs;
    totals.#skewAtMs = skewAtMs;
    totals.#forgotten = forgotten;
    totals.#lost = lost;
    return totals;
  }

  /** A clock that was put right is forgiven. */
  #skewAt(nowMs: number): number {
    return Math.abs(nowMs - this.#skewAtMs) > SKEW_KEPT_MS ? 0 : this.#skewMs;
  }

  #doubts(): string[] {
    const doubts: string[] = [];
    if (this.#forgotten > 0)
      doubts.push(`only the last ${STRATA_MAX} splits are kept; ${this.#forgotten} before them are left out`);
    if (this.#lost > LOST_MAX * this.requests)
      doubts.push(`${this.#lost} of ${this.requests + this.#lost} requests are not in the numbers`);
    return doubts;
  }
}
