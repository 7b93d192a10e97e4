/**
 * What was collected of one experiment, over all processes: what `results.ts` is made of. Requests are counted twice, by
 * the variant that the unit was assigned (intention to treat) and by the one that served. Pure.
 */
import type { Dimension } from '../culprit.ts';
import type { Distribution } from '../distribution.ts';
import type { Moments } from '../moments.ts';
import type { UnitSums } from '../unit-sums.ts';
import type { Span } from '../validity.ts';

export interface Collected {
  readonly experiment: string;
  /** Names, in the order of every list by variant below. */
  readonly variants: readonly string[];
  /** Index of the variant that the others are compared with. */
  readonly fallback: number;
  /** Times with the same split, oldest first. Never to be added up: see `combined`. The last one is still growing. */
  readonly strata: readonly CollectedStratum[];
  /** Requests by span of time, oldest first, for `findInvalidities`. */
  readonly spans: readonly Span[];
  /** How far an event's own time was ahead of that of its arrival, at most, in the last hour. One that is behind may be late. */
  readonly skewMs: number;
  /** Other reasons not to believe the numbers, such as exposures that were lost: one sentence each. */
  readonly doubts: readonly string[];
}

export interface CollectedStratum {
  /** Of the experiment's slots and salt. */
  readonly epoch: number;
  /** By variant, in parts per million. */
  readonly shares: readonly number[];
  /** Milliseconds since the epoch: of its first and of its last request. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly assigned: readonly CollectedArm[];
  readonly served: readonly CollectedArm[];
  readonly units: CollectedUnits;
}

/** Request by request. */
export interface CollectedArm {
  readonly requests: number;
  readonly failures: number;
  readonly slow: number;
  /** Judged neither good nor bad: the client went away, or asked for what is not there. */
  readonly ignored: number;
  /** Milliseconds, of requests that are not ignored. */
  readonly latency: Moments;
  readonly latencies: Distribution;
  /** Of the response bodies of requests that are not ignored. */
  readonly bytes: Moments;
  /** By the names of metrics of one's own. */
  readonly metrics: ReadonlyMap<string, CollectedValues>;
}

/** Value by value. */
export interface CollectedValues {
  readonly moments: Moments;
  /** Null: a value may be negative, and has none. */
  readonly distribution: Distribution | null;
}

/**
 * Unit by unit, each with all that it did in this time. Of many units a share is followed, which the hash of the unit
 * decides, so that it is a fair sample.
 */
export interface CollectedUnits {
  /** 1: every unit is followed. */
  readonly followedShare: number;
  /** By the variant that was first assigned. */
  readonly arms: readonly CollectedUnitArm[];
  /** Followed units that were assigned more than one variant. */
  readonly crossed: number;
  /** Followed units that were dealt out (see `dealt`), by listener, worker, user agent class and so on. */
  readonly dimensions: readonly Dimension[];
}

export interface CollectedUnitArm {
  /** Followed. */
  readonly units: number;
  /**
   * Of those, whom the split has dealt out (reason `split` when first seen in this time). A sticky or propagated variant
   * is that of an earlier split, and held against the shares of this one it would be a mismatch.
   */
  readonly dealt: number;
  /** All, estimated within 1.6 % when there are many. */
  readonly distinct: number;
  /**
   * `errors`: failures by requests; `latency`: milliseconds by requests; `bytes`: by requests; and by the names of
   * metrics of one's own: the sum of values by what the metric is per (values, requests, or 1 for units). Requests are
   * those that were judged: `requests - ignored` of a `CollectedArm`.
   */
  readonly sums: ReadonlyMap<string, UnitSums>;
}

/** The followed units that are in two experiments at once. */
export interface CollectedPair {
  readonly other: string;
  readonly otherVariants: readonly string[];
  readonly otherFallback: number;
  /** By variant of the experiment, then of the other: the same sums as `CollectedUnitArm`. */
  readonly cells: readonly (readonly CollectedUnitArm[])[];
}

/** What an experiment's metrics mean, as its config has it. */
export interface AnalysisPlan {
  /** The probability that anything said of the metrics is wrong, ever; shared out by weight. */
  readonly alpha: number;
  readonly metrics: readonly AnalysisMetric[];
}

export interface AnalysisMetric {
  readonly name: string;
  /** `quantile`: of latency. `custom`: a name in `CollectedArm.metrics`. */
  readonly kind: 'errors' | 'latency' | 'quantile' | 'bytes' | 'custom';
  /** 0 to 1, of `quantile`; otherwise 0. */
  readonly quantile: number;
  /** What a difference is judged over; quantiles are over requests. */
  readonly over: 'units' | 'requests';
  /** By the variant that was assigned, or the one that served (over requests only). */
  readonly by: 'assigned' | 'served';
  /** A goal may be better or worse; a guardrail passes or is breached. */
  readonly role: 'goal' | 'guardrail';
  readonly unit: 'share' | 'ms' | 'bytes' | 'number';
  readonly better: 'lower' | 'higher';
  /** A difference up to this does not matter; absolute, in the metric's unit. */
  readonly margin: number;
  /** Part of alpha: 1 unless said otherwise. */
  readonly weight: number;
  /** Units or requests of both variants at which the interval is narrowest. */
  readonly tunedFor: number;
}
