/** Rollouts for tests: plans, ticks, and traffic of which each variant fails a share. */
import type { RolloutInput } from '../../src/analysis/rollout/rollout.ts';
import type {
  Guardrail,
  RolloutCounts,
  RolloutPlan,
  RolloutStep,
} from '../../src/analysis/rollout/rollout-plan.ts';
import { begin, type RolloutState } from '../../src/analysis/rollout/rollout-state.ts';

export const ERRORS: Guardrail = { name: 'errors', metric: 'errors', margin: 0.01, limit: null };

export function stepTo(percent: number, settings: Partial<RolloutStep> = {}): RolloutStep {
  return {
    sharePpm: percent * 10_000,
    bakeMs: 10_000,
    requests: 100,
    notBeforeMs: Number.NEGATIVE_INFINITY,
    isManual: false,
    guardrails: [ERRORS],
    analysis: [],
    ...settings,
  };
}

export function planOf(steps: readonly RolloutStep[], settings: Partial<RolloutPlan> = {}): RolloutPlan {
  return {
    candidate: 'candidate',
    control: 'control',
    steps,
    alpha: 0.05,
    onBreach: 'at-once',
    stepDownMs: 30_000,
    confirms: [],
    digest: 'one',
    ...settings,
  };
}

/** Of a rollout at its first step, begun at 0. */
export function begun(plan: RolloutPlan): RolloutState {
  return begin(plan, { id: 'rollout_1', wallMs: 0, beforePpm: 0, reason: 'by a test' }).state;
}

/** One second of traffic in which each variant fails so many of its requests. */
export function counted(
  control: [requests: number, errors: number],
  candidate: [number, number],
): RolloutCounts {
  return {
    control: { requests: control[0], hits: { errors: control[1] } },
    candidate: { requests: candidate[0], hits: { errors: candidate[1] } },
  };
}

/** A tick of one second, in which all is well with the rest. */
export function tick(state: RolloutState, settings: Partial<RolloutInput> = {}): RolloutInput {
  return {
    wallMs: 0,
    elapsedMs: 1_000,
    counts: counted([0, 0], [0, 0]),
    status: 'running',
    statusReason: '',
    sharePpm: state.sharePpm,
    breaker: null,
    rollBack: null,
    objection: null,
    confirmed: null,
    results: null,
    ...settings,
  };
}
