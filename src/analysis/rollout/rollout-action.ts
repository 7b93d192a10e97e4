/** What a person may tell a rollout. Pure: it answers the next state, or says why not. */
import { goBack, goOn, stepFor } from './rollout.ts';
import type { RolloutPlan } from './rollout-plan.ts';
import { isOver, moveTo, type RolloutMove, type RolloutState } from './rollout-state.ts';

export type RolloutVerb = 'promote' | 'pause' | 'resume' | 'abort' | 'undo';

export interface RolloutAction {
  readonly verb: RolloutVerb;
  /** With who says it. */
  readonly reason: string;
  readonly wallMs: number;
}

export type ActionResult =
  | ({ readonly ok: true } & RolloutMove)
  | { readonly ok: false; readonly message: string; readonly hint: string };

/**
 * `promote` opens the gate, or goes on before the evidence is there: one step, and everybody after the last one. `undo`
 * goes back to where it stood, paused, so that nothing moves by itself.
 */
export function act(plan: RolloutPlan, state: RolloutState, action: RolloutAction): ActionResult {
  switch (action.verb) {
    case 'promote':
      return promote(plan, state, action);
    case 'pause':
      return pause(state, action);
    case 'resume':
      return resume(plan, state, action);
    case 'abort':
      if (isOver(state)) return over(state);
      return { ok: true, ...goBack(state, action) };
    case 'undo':
      return undo(plan, state, action);
  }
}

function promote(plan: RolloutPlan, state: RolloutState, { reason, wallMs }: RolloutAction): ActionResult {
  if (isOver(state)) return over(state);
  if (state.phase === 'paused' || state.phase === 'rolling-back')
    return no(
      `the rollout is ${state.phase}`,
      state.phase === 'paused' ? 'resume it first' : 'pause it first',
    );
  if (plan.digest !== state.plan)
    return no('the plan was changed', 'pause and resume it to follow the new one');
  const next = plan.steps[state.step + 1];
  if (next !== undefined && next.notBeforeMs > wallMs)
    return no(
      `the next step begins at ${new Date(next.notBeforeMs).toISOString()}`,
      'wait, or change the plan',
    );
  return { ok: true, ...goOn(plan, state, { reason, wallMs }) };
}

function pause(state: RolloutState, { reason, wallMs }: RolloutAction): ActionResult {
  if (isOver(state)) return over(state);
  if (state.phase === 'paused') return no('the rollout is paused already', 'resume goes on');
  const { step, sharePpm } = state;
  return {
    ok: true,
    ...moveTo(state, { phase: 'paused', step, sharePpm }, { kind: 'pause', reason, wallMs }),
  };
}

function resume(plan: RolloutPlan, state: RolloutState, { reason, wallMs }: RolloutAction): ActionResult {
  if (isOver(state)) return over(state);
  if (state.phase !== 'paused')
    return no(`the rollout is ${state.phase} and not paused`, 'nothing to resume');
  const isSamePlan = state.plan === plan.digest;
  const step = isSamePlan ? state.step : stepFor(plan, state.sharePpm);
  const sharePpm = Math.min(state.sharePpm, plan.steps[step]!.sharePpm);
  const move = moveTo(state, { phase: 'baking', step, sharePpm }, { kind: 'resume', reason, wallMs });
  return { ok: true, state: { ...move.state, plan: plan.digest }, decision: move.decision };
}

function undo(plan: RolloutPlan, state: RolloutState, { reason, wallMs }: RolloutAction): ActionResult {
  const { previous } = state;
  if (previous === null) return no('there is nothing to take back', 'one move can be taken back, once');
  const step = Math.min(previous.step, plan.steps.length - 1);
  const sharePpm = Math.min(previous.sharePpm, plan.steps[step]!.sharePpm);
  const why = { kind: 'undo', reason, wallMs, previous: null } as const;
  return { ok: true, ...moveTo(state, { phase: 'paused', step, sharePpm }, why) };
}

function over({ phase }: RolloutState): ActionResult {
  return no(`the rollout is over (${phase})`, 'undo takes it back, start-rollout begins another');
}

function no(message: string, hint: string): ActionResult {
  return { ok: false, message, hint };
}
