/** What people may tell a rollout. */
import { describe, expect, it } from 'vitest';
import { act, type RolloutVerb } from '../../../../src/analysis/rollout/rollout-action.ts';
import type { RolloutPlan } from '../../../../src/analysis/rollout/rollout-plan.ts';
import type { RolloutState } from '../../../../src/analysis/rollout/rollout-state.ts';
import { begun, planOf, stepTo } from '../../../support/rollout.ts';

const PLAN = planOf([stepTo(1), stepTo(5), stepTo(50)]);

function told(state: RolloutState, verb: RolloutVerb, plan: RolloutPlan = PLAN): RolloutState {
  const result = act(plan, state, { verb, reason: `${verb} by a test`, wallMs: 7 });
  if (!result.ok) throw new Error(result.message);
  return result.state;
}

const refusal = (state: RolloutState, verb: RolloutVerb, plan = PLAN) => {
  const result = act(plan, state, { verb, reason: 'by a test', wallMs: 7 });
  return result.ok ? null : result.message;
};

describe('a person', () => {
  it('promotes one step at a time, and to everybody after the last one', () => {
    const shares = [];
    for (let state = begun(PLAN); state.phase !== 'promoted'; shares.push(state.sharePpm))
      state = told(state, 'promote');
    expect(shares).toEqual([50_000, 500_000, 1_000_000]);
  });

  it('pauses and resumes where it was, with what was seen', () => {
    const state = { ...begun(PLAN), watchedMs: 5_000 };
    const paused = told(state, 'pause');
    expect(paused).toMatchObject({ phase: 'paused', sharePpm: 10_000, watchedMs: 5_000 });
    expect(refusal(paused, 'promote')).toBe('the rollout is paused');
    expect(told(paused, 'resume')).toMatchObject({ phase: 'baking', sharePpm: 10_000, watchedMs: 5_000 });
  });

  it('aborts: everybody gets control', () => {
    expect(told(told(begun(PLAN), 'promote'), 'abort')).toMatchObject({ phase: 'rolled-back', sharePpm: 0 });
  });

  it('takes a move back, once, and then it is paused', () => {
    const aborted = told(told(begun(PLAN), 'promote'), 'abort');
    const undone = told(aborted, 'undo');
    expect(undone).toMatchObject({ phase: 'paused', step: 1, sharePpm: 50_000 });
    expect(refusal(undone, 'undo')).toBe('there is nothing to take back');
  });

  it('takes an advance back although it was paused since', () => {
    const paused = told(told(begun(PLAN), 'promote'), 'pause');
    expect(told(paused, 'undo')).toMatchObject({ phase: 'paused', step: 0, sharePpm: 10_000 });
  });

  it('is told when it is over', () => {
    const state = told(begun(PLAN), 'abort');
    for (const verb of ['promote', 'pause', 'resume', 'abort'] as const)
      expect(refusal(state, verb)).toBe('the rollout is over (rolled-back)');
  });

  it('resumes by a plan that was changed at the step that allows what the candidate has', () => {
    const paused = told(told(begun(PLAN), 'promote'), 'pause');
    const plan = planOf([stepTo(2), stepTo(4), stepTo(50)], { digest: 'two' });
    expect(told(paused, 'resume', plan)).toMatchObject({
      plan: 'two',
      phase: 'baking',
      step: 1,
      sharePpm: 40_000,
    });
  });
});
