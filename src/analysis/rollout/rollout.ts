/**
 * A rollout: one small step of it, from what was seen since the last one. Passed goes on, breached goes back, and too
 * little data stays where it is and says for how long: silence is neither success nor failure. Deterministic and told the
 * time, so that a state from a file has the same future as one in memory.
 *
 * Invariants: the candidate never has more than its step allows; no step ends before its bake time, its requests, its
 * guardrails and its gates; a breach ends in control within one tick (`at-once`), whatever else is going on.
 */
import type { Results } from '../results/results.ts';
import { countInWords, durationInWords, inWords } from '../wording.ts';
import { doubtOf } from './rollout-analysis.ts';
import { addCounts, type RolloutCounts, type RolloutHook, type RolloutPlan } from './rollout-plan.ts';
import { isOver, moveTo, type RolloutMove, type RolloutPlace, type RolloutState } from './rollout-state.ts';
import { judgeStep, type StepVerdict } from './rollout-verdict.ts';

const WHOLE_PPM = 1_000_000;
/** A tick that comes later than this was not watched: the process stood still, or did not run. */
const TICK_MS_MAX = 10_000;
/** Without a request for so long, nothing is coming in. */
const IDLE_MS = 60_000;

/** What was seen since the last tick, and what is so now. */
export interface RolloutInput {
  readonly wallMs: number;
  /** Since the last tick, by a clock that never jumps. */
  readonly elapsedMs: number;
  readonly counts: RolloutCounts;
  /** Of the experiment. */
  readonly status: 'running' | 'paused' | 'killed' | 'draft' | 'concluded';
  /** Who has set that, and why. */
  readonly statusReason: string;
  /** What the candidate has, by the rules in force. */
  readonly sharePpm: number;
  /** Why a breaker turns the candidate's requests away; null: none does. */
  readonly breaker: string | null;
  /** Why a webhook wants it back; null: none does. */
  readonly rollBack: string | null;
  /** Why a webhook is against going on; null: none is. */
  readonly objection: string | null;
  /** What the webhook said that was wanted; null: it has not been asked, or has not answered. */
  readonly confirmed: { readonly isOk: boolean; readonly said: string } | null;
  /** What the experiment's analysis says; null: it has none. */
  readonly results: Results | null;
}

/** The next state, and what was decided. */
export function advance(plan: RolloutPlan, before: RolloutState, input: RolloutInput): RolloutMove {
  if (isOver(before)) return { state: before, decision: null };
  const outside = fromOutside(plan, before, input);
  if (outside !== null) return outside;
  if (before.phase === 'rolling-back') return stepDown(plan, before, input);
  const state = watched(before, input);
  const step = stepOf(plan, state);
  const verdict = judgeStep(plan, step, {
    counts: state.counts,
    ratePerSecond: rateOf(state),
    results: input.results,
  });
  if (verdict.kind === 'breach') return breached(plan, state, { input, verdict });
  if (state.phase === 'paused' || state.phase === 'promotion-failed') return { state, decision: null };
  if (input.status !== 'running')
    return hold(state, `the experiment is ${input.status} (${input.statusReason}): nobody new is assigned`);
  if (input.objection !== null) return hold(state, input.objection);
  const doubt = doubtOf(input.results);
  if (doubt !== null) return hold(state, doubt);
  return passedOrHeld(plan, state, { input, verdict });
}

/** The step whose rules hold; a plan that has become shorter has its last. */
export function stepOf(plan: RolloutPlan, { step }: RolloutPlace) {
  return plan.steps[Math.min(step, plan.steps.length - 1)]!;
}

/** To the next step, or to everybody after the last one. */
export function goOn(
  plan: RolloutPlan,
  state: RolloutState,
  why: { readonly wallMs: number; readonly reason: string; readonly verdict?: StepVerdict },
): RolloutMove {
  const { wallMs, reason, verdict } = why;
  const checks = verdict?.checks ?? [];
  const next = plan.steps[state.step + 1];
  if (next === undefined) {
    const place: RolloutPlace = { phase: 'promoted', step: state.step, sharePpm: WHOLE_PPM };
    return moveTo(state, place, { kind: 'promote', wallMs, checks, reason: `everybody gets it: ${reason}` });
  }
  const place: RolloutPlace = { phase: 'baking', step: state.step + 1, sharePpm: next.sharePpm };
  const said = `${shareText(state.sharePpm)} -> ${shareText(next.sharePpm)}: ${reason}`;
  return moveTo(state, place, { kind: 'advance', wallMs, checks, reason: said });
}

/** Everybody gets control. */
export function goBack(
  state: RolloutState,
  why: { readonly wallMs: number; readonly reason: string; readonly verdict?: StepVerdict },
): RolloutMove {
  const place: RolloutPlace = { phase: 'rolled-back', step: state.step, sharePpm: 0 };
  const { wallMs, reason, verdict } = why;
  const said = `${shareText(state.sharePpm)} -> 0%: ${reason}`;
  return moveTo(state, place, { kind: 'roll-back', wallMs, checks: verdict?.checks ?? [], reason: said });
}

/** What was decided could not be put into force: `sharePpm` is what is. */
export function refused(
  state: RolloutState,
  { message, sharePpm, wallMs }: { message: string; sharePpm: number; wallMs: number },
): RolloutMove {
  const isPromotion = state.phase === 'promoted';
  const phase = isPromotion ? 'promotion-failed' : 'paused';
  const kind = isPromotion ? 'promotion-failed' : 'pause';
  const what = isPromotion ? 'the promotion failed and the candidate keeps' : 'it stays at';
  const step = state.previous?.step ?? state.step;
  const reason = `${what} ${shareText(sharePpm)}: ${message}`;
  return moveTo(state, { phase, step, sharePpm }, { kind, wallMs, reason });
}

/** What does not wait for evidence: kills, breakers, hooks, and hands that move the weights or the plan. */
function fromOutside(plan: RolloutPlan, state: RolloutState, input: RolloutInput): RolloutMove | null {
  const { wallMs, status, statusReason, breaker, rollBack, sharePpm } = input;
  if (status === 'killed' || status === 'concluded' || status === 'draft')
    return goBack(state, { wallMs, reason: `the experiment is ${status}: ${statusReason}` });
  if (breaker !== null) return goBack(state, { wallMs, reason: breaker });
  if (rollBack !== null) return goBack(state, { wallMs, reason: rollBack });
  const isPaused = state.phase === 'paused' || state.phase === 'promotion-failed';
  if (sharePpm !== state.sharePpm) {
    const phase = isPaused ? state.phase : 'paused';
    const reason = `the weights were changed: ${shareText(sharePpm)} and not ${shareText(state.sharePpm)}; resume goes on with the step that allows that`;
    return moveTo(
      state,
      { phase, step: stepFor(plan, sharePpm), sharePpm },
      { kind: 'pause', wallMs, reason },
    );
  }
  if (plan.digest === state.plan || isPaused) return null;
  const reason = 'the plan was changed in the configuration; resume goes on by the new one';
  return moveTo(state, { ...placeOf(state), phase: 'paused' }, { kind: 'pause', wallMs, reason });
}

/** The last step that gives no more than this. */
export function stepFor({ steps }: RolloutPlan, sharePpm: number): number {
  return Math.max(
    0,
    steps.findLastIndex((step) => step.sharePpm <= sharePpm),
  );
}

function watched(state: RolloutState, { elapsedMs, counts, status }: RolloutInput): RolloutState {
  const watchedMs = Math.min(Math.max(0, elapsedMs), TICK_MS_MAX);
  const isQuiet = counts.control.requests + counts.candidate.requests === 0;
  const isBaking = status === 'running' && state.phase === 'baking';
  return {
    ...state,
    wants: null,
    watchedMs: state.watchedMs + (isBaking ? watchedMs : 0),
    idleMs: isQuiet ? state.idleMs + watchedMs : 0,
    counts: addCounts(state.counts, counts),
  };
}

function rateOf({ counts, watchedMs, idleMs }: RolloutState): number {
  if (idleMs >= IDLE_MS || watchedMs === 0) return 0;
  return (counts.control.requests + counts.candidate.requests) / (watchedMs / 1000);
}

interface Seen {
  readonly input: RolloutInput;
  readonly verdict: StepVerdict;
}

function breached(plan: RolloutPlan, state: RolloutState, { input, verdict }: Seen): RolloutMove {
  const { wallMs } = input;
  if (plan.onBreach === 'at-once') return goBack(state, { wallMs, reason: verdict.reason, verdict });
  return lower(plan, state, { wallMs, reason: verdict.reason, verdict });
}

function stepDown(plan: RolloutPlan, before: RolloutState, input: RolloutInput): RolloutMove {
  const watchedMs = before.watchedMs + Math.min(Math.max(0, input.elapsedMs), TICK_MS_MAX);
  const state = { ...before, watchedMs };
  if (watchedMs < plan.stepDownMs) return { state, decision: null };
  return lower(plan, state, { wallMs: input.wallMs, reason: 'going back gradually' });
}

function lower(
  plan: RolloutPlan,
  state: RolloutState,
  why: { readonly wallMs: number; readonly reason: string; readonly verdict?: StepVerdict },
): RolloutMove {
  const step = plan.steps.findLastIndex(({ sharePpm }) => sharePpm < state.sharePpm);
  if (step < 0) return goBack(state, why);
  const { sharePpm } = plan.steps[step]!;
  const reason = `${shareText(state.sharePpm)} -> ${shareText(sharePpm)}, and on to 0%: ${why.reason}`;
  const place: RolloutPlace = { phase: 'rolling-back', step, sharePpm };
  const checks = why.verdict?.checks ?? [];
  return moveTo(state, place, { kind: 'step-down', wallMs: why.wallMs, reason, checks });
}

function passedOrHeld(plan: RolloutPlan, state: RolloutState, { input, verdict }: Seen): RolloutMove {
  const step = stepOf(plan, state);
  if (state.phase === 'gate')
    return hold(state, `waits for a person to promote it; ${verdict.reason}`, verdict.etaMs);
  if (verdict.kind === 'insufficient') return hold(state, verdict.reason, verdict.etaMs);
  const missing = missingIn(
    state,
    step,
    plan.steps[state.step + 1]?.notBeforeMs ?? input.wallMs,
    input.wallMs,
  );
  if (missing !== null) return hold(state, `${missing.said}; ${verdict.reason}`, missing.etaMs);
  if (step.isManual) {
    const reason = `has passed ${shareText(state.sharePpm)} and waits for a person to promote it: ${verdict.reason}`;
    const why = { kind: 'gate', wallMs: input.wallMs, reason, checks: verdict.checks } as const;
    return moveTo(state, { ...placeOf(state), phase: 'gate' }, why);
  }
  const hook: RolloutHook =
    state.step + 1 < plan.steps.length ? 'confirm-traffic-increase' : 'confirm-promotion';
  if (plan.confirms.includes(hook) && input.confirmed?.isOk !== true) {
    const said = input.confirmed === null ? 'it is asked' : input.confirmed.said;
    return { state: { ...hold(state, `waits for ${hook}: ${said}`).state, wants: hook }, decision: null };
  }
  return goOn(plan, state, { wallMs: input.wallMs, reason: verdict.reason, verdict });
}

/** What a step still lacks beside its guardrails. */
function missingIn(
  state: RolloutState,
  { bakeMs, requests }: { readonly bakeMs: number; readonly requests: number },
  notBeforeMs: number,
  wallMs: number,
): { readonly said: string; readonly etaMs: number | null } | null {
  const leftMs = bakeMs - state.watchedMs;
  if (leftMs > 0) return { said: `bakes for another ${plainDuration(leftMs)}`, etaMs: leftMs };
  const seen = state.counts.candidate.requests;
  if (seen < requests) {
    const perMs = state.idleMs >= IDLE_MS || state.watchedMs === 0 ? 0 : seen / state.watchedMs;
    const etaMs = perMs > 0 ? (requests - seen) / perMs : null;
    return { said: `has ${countInWords(seen)} of ${countInWords(requests)} requests`, etaMs };
  }
  const waitMs = notBeforeMs - wallMs;
  if (waitMs > 0) return { said: `the next step is due in ${plainDuration(waitMs)}`, etaMs: waitMs };
  return null;
}

function hold(state: RolloutState, reason: string, etaMs: number | null = null): RolloutMove {
  return {
    state: { ...state, reason: `holds at ${shareText(state.sharePpm)}: ${reason}`, etaMs },
    decision: null,
  };
}

function placeOf({ phase, step, sharePpm }: RolloutPlace): RolloutPlace {
  return { phase, step, sharePpm };
}

function plainDuration(ms: number): string {
  return durationInWords(ms).replace('about ', '');
}

function shareText(sharePpm: number): string {
  return inWords(sharePpm / WHOLE_PPM, 'share');
}
