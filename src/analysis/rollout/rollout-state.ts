/**
 * Where a rollout stands, as it is kept over restarts: plain data that JSON brings back as it was. What may follow from
 * it is in `rollout.ts` (by time and evidence) and `rollout-action.ts` (by a person). Pure.
 */
import { NO_COUNTS, type RolloutCounts, type RolloutHook, type RolloutPlan } from './rollout-plan.ts';
import type { Check } from './rollout-verdict.ts';

/**
 * `baking`: watched, and goes on by itself; `gate`: has passed, a person lets it go on; `rolling-back`: gradually;
 * `promotion-failed`: the candidate keeps what it has. In each of these it is rolled back when a guardrail is breached.
 */
export type RolloutPhase =
  | 'baking'
  | 'gate'
  | 'paused'
  | 'rolling-back'
  | 'promotion-failed'
  | 'promoted'
  | 'rolled-back';

export interface RolloutPlace {
  readonly phase: RolloutPhase;
  /** From 0. */
  readonly step: number;
  /** What the candidate is to have. */
  readonly sharePpm: number;
}

export interface RolloutState extends RolloutPlace {
  readonly version: 1;
  /** One a rollout, for webhooks and the record. */
  readonly id: string;
  /** Digest of the plan that it follows. */
  readonly plan: string;
  readonly candidate: string;
  /** What the candidate had before. */
  readonly beforePpm: number;
  /** Wall time. */
  readonly startedAtMs: number;
  /** When it came to where it stands; wall time. */
  readonly sinceMs: number;
  /** How long this share has been watched; time in which nobody watched is not in it. */
  readonly watchedMs: number;
  /** How long nothing has come in. */
  readonly idleMs: number;
  /** Since this share is in force. */
  readonly counts: RolloutCounts;
  /** What it waits for, or why it ended, in one sentence with its numbers. */
  readonly reason: string;
  /** About how long until it goes on, when that is known. */
  readonly etaMs: number | null;
  /** The webhook that has to agree before it goes on. */
  readonly wants: RolloutHook | null;
  /** Where it stood before it got this share; null: nowhere, or it was taken back. */
  readonly previous: RolloutPlace | null;
}

/** One move, for the record. */
export interface RolloutDecision {
  readonly kind:
    | 'start'
    | 'advance'
    | 'gate'
    | 'pause'
    | 'resume'
    | 'step-down'
    | 'roll-back'
    | 'promote'
    | 'promotion-failed'
    | 'undo';
  readonly reason: string;
  readonly from: RolloutPlace | null;
  readonly to: RolloutPlace;
  /** What it was decided by: counts, thresholds and what each guardrail said. */
  readonly checks: readonly Check[];
}

export interface RolloutMove {
  readonly state: RolloutState;
  /** Null: it stands where it stood. */
  readonly decision: RolloutDecision | null;
}

/** Whether it is over. */
export function isOver({ phase }: RolloutPlace): boolean {
  return phase === 'promoted' || phase === 'rolled-back';
}

/** At its first step. */
export function begin(
  plan: RolloutPlan,
  first: {
    readonly id: string;
    readonly wallMs: number;
    readonly beforePpm: number;
    readonly reason: string;
  },
): RolloutMove {
  const { id, wallMs, beforePpm, reason } = first;
  const place: RolloutPlace = { phase: 'baking', step: 0, sharePpm: plan.steps[0]!.sharePpm };
  const state: RolloutState = {
    version: 1,
    id,
    plan: plan.digest,
    candidate: plan.candidate,
    beforePpm,
    startedAtMs: wallMs,
    ...place,
    ...unwatched(wallMs, reason),
    previous: null,
  };
  return { state, decision: { kind: 'start', reason, from: null, to: place, checks: [] } };
}

/** Goes to another place. Evidence of another share is another evidence. */
export function moveTo(
  state: RolloutState,
  to: RolloutPlace,
  why: Pick<RolloutDecision, 'kind' | 'reason'> & {
    readonly wallMs: number;
    readonly checks?: readonly Check[];
    readonly previous?: RolloutPlace | null;
  },
): RolloutMove {
  const { kind, reason, wallMs, checks = [] } = why;
  const from: RolloutPlace = { phase: state.phase, step: state.step, sharePpm: state.sharePpm };
  const isSameShare = to.sharePpm === state.sharePpm && to.step === state.step;
  const watched = isSameShare
    ? { sinceMs: wallMs, reason, etaMs: null, wants: null }
    : unwatched(wallMs, reason);
  const previous = why.previous === undefined ? (isSameShare ? state.previous : from) : why.previous;
  return {
    state: { ...state, ...to, ...watched, previous },
    decision: { kind, reason, from, to, checks },
  };
}

function unwatched(wallMs: number, reason: string) {
  return {
    sinceMs: wallMs,
    watchedMs: 0,
    idleMs: 0,
    counts: NO_COUNTS,
    reason,
    etaMs: null,
    wants: null,
  };
}
