/**
 * What is said of an experiment: the answer of `GET /v1/experiments/NAME/results`, and what the page and the terminal
 * show. Plain JSON: an end of an interval that is not known is null, times are ISO 8601. Pure.
 */
import type { MetricUnit } from '../wording.ts';

export interface Results {
  readonly experiment: string;
  /** `off`: the experiment has no `analysis`. `empty`: nothing was collected yet. */
  readonly state: 'off' | 'empty' | 'collecting';
  readonly fallback: string;
  readonly since: string | null;
  readonly until: string | null;
  /** The one sentence, and the kind of it. */
  readonly verdict: {
    readonly kind:
      | 'better'
      | 'worse'
      | 'noDifference'
      | 'mixed'
      | 'insufficient'
      | 'breach'
      | 'invalid'
      | 'off';
    readonly reason: string;
    readonly etaMs: number | null;
  };
  readonly assigned: readonly VariantSummary[];
  readonly served: readonly VariantSummary[];
  /** Of each variant but the fallback. */
  readonly comparisons: readonly Comparison[];
  readonly shares: SharesResult;
  readonly crossover: {
    readonly state: 'ok' | 'breach' | 'insufficient';
    readonly share: number;
    readonly low: number;
    readonly high: number;
    readonly reason: string;
  };
  readonly interactions: readonly InteractionResult[];
  /** Why the numbers are not to be believed; none: they are. */
  readonly invalid: readonly { readonly cause: string; readonly reason: string }[];
}

export interface VariantSummary {
  readonly name: string;
  readonly share: number;
  /** Of the units, 0 to 1; null: nothing was seen. Of `served` those of requests. */
  readonly seenShare: number | null;
  /** Those assigned, in each split in which they came; of `served` 0. */
  readonly units: number;
  readonly requests: number;
  readonly errorShare: number | null;
  readonly slowShare: number | null;
  readonly latencyMs: {
    readonly mean: number | null;
    readonly p50: number | null;
    readonly p90: number | null;
    readonly p95: number | null;
    readonly p99: number | null;
  };
  readonly bytesMean: number | null;
  /** Of metrics of one's own: values and their mean. */
  readonly metrics: readonly {
    readonly name: string;
    readonly count: number;
    readonly mean: number | null;
  }[];
}

export interface Comparison {
  readonly variant: string;
  readonly metrics: readonly MetricResult[];
}

export interface MetricResult {
  readonly name: string;
  readonly role: 'goal' | 'guardrail';
  readonly over: 'units' | 'requests';
  readonly by: 'assigned' | 'served';
  readonly unit: MetricUnit;
  readonly better: 'lower' | 'higher';
  readonly margin: number;
  readonly alpha: number;
  readonly control: number | null;
  readonly candidate: number | null;
  readonly difference: number | null;
  readonly low: number | null;
  readonly high: number | null;
  readonly p: number;
  readonly observations: number;
  readonly verdict: {
    readonly kind: 'better' | 'worse' | 'noDifference' | 'pass' | 'breach' | 'insufficient';
    readonly reason: string;
    readonly etaMs: number | null;
    readonly observationsNeeded: number | null;
  };
}

export interface SharesResult {
  readonly p: number;
  readonly isMismatch: boolean;
  readonly reason: string;
  readonly culprits: readonly {
    readonly dimension: string;
    readonly slice: string;
    readonly share: number;
    readonly expectedShare: number;
    readonly units: number;
    readonly explainsAll: boolean;
  }[];
}

export interface InteractionResult {
  readonly other: string;
  readonly reason: string;
  readonly isInteracting: boolean;
}
