/**
 * What a rollout is told before it begins: its steps and what holds it to them. Here because a rollout decides by the
 * verdicts of this folder, and islands do not know each other. Plain data.
 */

/** A share of requests, counted for each variant. */
export interface Guardrail {
  /** For people: `errors`, `slower than 250ms`. */
  readonly name: string;
  /** Key of what is counted, in `ArmCounts.hits`: `errors`, `slow`, `above:250`. */
  readonly metric: string;
  /** How much higher than control's the share may be, 0 to 1; null: it is not compared. */
  readonly margin: number | null;
  /** How high the share may be at all, 0 to 1; null: as high as that of control. */
  readonly limit: number | null;
}

export interface RolloutStep {
  /** Of the enrolled units, to the candidate. */
  readonly sharePpm: number;
  /** It is watched for so long at least. */
  readonly bakeMs: number;
  /** And for so many requests of the candidate. */
  readonly requests: number;
  /** It does not begin before; wall time, -Infinity: whenever. */
  readonly notBeforeMs: number;
  /** A person ends it. */
  readonly isManual: boolean;
  readonly guardrails: readonly Guardrail[];
  /** Guardrails of the experiment's analysis, by name, which must pass too. */
  readonly analysis: readonly string[];
}

export type RolloutHook =
  | 'confirm-rollout'
  | 'pre-rollout'
  | 'rollout'
  | 'confirm-traffic-increase'
  | 'confirm-promotion'
  | 'post-rollout'
  | 'rollback'
  | 'event';

export interface RolloutPlan {
  readonly candidate: string;
  readonly control: string;
  /** At least one, with shares that grow. */
  readonly steps: readonly RolloutStep[];
  /** The probability that it is rolled back, or goes on, for no reason but chance: of each kind, over all steps. */
  readonly alpha: number;
  readonly onBreach: 'at-once' | 'gradual';
  /** With `gradual`: how long between two steps down. */
  readonly stepDownMs: number;
  /** Asked before the candidate gets more, or all: nothing moves until they agree. */
  readonly confirms: readonly RolloutHook[];
  /** Another digest is another plan. */
  readonly digest: string;
}

/** Metric of answers to mirrored requests that differ: a share of those that were compared, and not of its requests. */
export const REGRESSIONS = 'regressions';
/** In `ArmCounts.hits`, how many were compared. */
export const COMPARED = 'compared';

/** Requests that one variant has served. */
export interface ArmCounts {
  readonly requests: number;
  /** How many of them were what a guardrail counts, by its metric. */
  readonly hits: Readonly<Record<string, number>>;
}

export interface RolloutCounts {
  readonly control: ArmCounts;
  readonly candidate: ArmCounts;
}

export const NO_COUNTS: RolloutCounts = {
  control: { requests: 0, hits: {} },
  candidate: { requests: 0, hits: {} },
};

/** What came later added to what came before. */
export function addCounts(before: RolloutCounts, later: RolloutCounts): RolloutCounts {
  return {
    control: addArm(before.control, later.control),
    candidate: addArm(before.candidate, later.candidate),
  };
}

function addArm(before: ArmCounts, later: ArmCounts): ArmCounts {
  const metrics = new Set([...Object.keys(before.hits), ...Object.keys(later.hits)]);
  const hits = Array.from(metrics, (metric) => [
    metric,
    (before.hits[metric] ?? 0) + (later.hits[metric] ?? 0),
  ]);
  return { requests: before.requests + later.requests, hits: Object.fromEntries(hits) };
}
