/** What a breaker judges its calls by. Types only. */
import type { Relative } from './confidence.ts';

/** Ratios are in (0, 1]; a limit that is null is not used. With every limit null only people trip the breaker. */
export interface Limits {
  readonly windowMs: number;
  /** Below this many counted calls no rate is judged; at least 1. */
  readonly minimumRequests: number;
  readonly errorRatio: number | null;
  readonly slow: {
    readonly thresholdMs: number;
    readonly ratio: number;
    /** As long as everything may hang; null: for ever; left out: four times the threshold. */
    readonly stallMs?: number | null;
  } | null;
  readonly consecutiveFailures: number | null;
  /** What needs more than a comparison of two numbers; left out: nothing. */
  readonly compared?: Compared;
  /** What is done when the control reaches a limit as well; left out: nothing, it opens. */
  readonly sharedOutage?: SharedOutage;
  /** What is counted beside failures and slow calls, here or for those who compare themselves; left out: nothing. */
  readonly watch?: Watch;
}

/** How sure one must be. */
export interface Confidence {
  /** 0.99999: of those exactly at the limit, one in 100,000 is wronged in one length of the window. */
  readonly ratio: number;
  /** The same in nats; see `criticalSurprise`. */
  readonly surprise: number;
}

/** Limits that are judged on each tick, and only reached when it is too unlikely that they are not. */
export interface Compared {
  readonly confidence: Confidence;
  /** The error rate against the control's. */
  readonly error: Relative | null;
  /** The share of calls over `slow.thresholdMs` against the control's. */
  readonly slow: Relative | null;
  readonly quantiles: readonly QuantileLimit[];
}

/** `share` of the calls may take longer than this. */
export interface QuantileLimit {
  /** `p99`. */
  readonly name: string;
  /** 0.01 for p99. */
  readonly share: number;
  /** Milliseconds; `relative.plus` are milliseconds too. */
  readonly limit:
    | { readonly kind: 'fixed'; readonly ms: number }
    | ({ readonly kind: 'relative' } & Relative);
}

/** `hold`: a limit that the control is near as well does not open the breaker: going there would not help. */
export interface SharedOutage {
  readonly policy: 'hold' | 'trip';
  readonly confidence: Confidence;
}

export interface Watch {
  /** Ascending: how many calls take longer than each is counted. */
  readonly levelsMs: readonly number[];
  /** Latencies are kept by size, for relative quantiles. */
  readonly hasHistogram: boolean;
}
