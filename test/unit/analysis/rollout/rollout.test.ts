/** What becomes of a rollout: by evidence, by time, by what happens beside it. */
import { describe, expect, it } from 'vitest';
import { advance, type RolloutInput, refused } from '../../../../src/analysis/rollout/rollout.ts';
import type { RolloutPlan } from '../../../../src/analysis/rollout/rollout-plan.ts';
import { moveTo, type RolloutState } from '../../../../src/analysis/rollout/rollout-state.ts';
import { begun, counted, planOf, stepTo, tick } from '../../../support/rollout.ts';

const GOOD = counted([900, 9], [900, 9]);
const BAD = counted([900, 9], [900, 90]);
const PLAN = planOf([stepTo(1), stepTo(5), stepTo(100, { guardrails: [] })]);

/** The state after so many ticks of the same kind, and all decisions on the way. */
function run(plan: RolloutPlan, state: RolloutState, ticks: number, input: Partial<RolloutInput>) {
  const decisions = [];
  let now = state;
  for (let i = 0; i < ticks; i++) {
    const { state: next, decision } = advance(plan, now, tick(now, { wallMs: i * 1_000, ...input }));
    if (decision !== null) decisions.push(decision);
    now = next;
  }
  return { state: now, decisions };
}

describe('a rollout', () => {
  it('goes on when the guardrails have passed and the bake time is over, and to everybody in the end', () => {
    const { state, decisions } = run(PLAN, begun(PLAN), 60, { counts: GOOD });
    expect(decisions.map(({ kind, to }) => [kind, to.sharePpm])).toEqual([
      ['advance', 50_000],
      ['advance', 1_000_000],
      ['promote', 1_000_000],
    ]);
    expect(state).toMatchObject({ phase: 'promoted', sharePpm: 1_000_000 });
    expect(decisions[0]!.reason).toMatch(
      /^1% -> 5%: errors: not worse by more than 1 pp: 1% instead of 1%, .*\(n=/,
    );
  });

  it('does not go on before its bake time is over, however good it is', () => {
    const { state, decisions } = run(PLAN, begun(PLAN), 9, { counts: counted([90_000, 900], [90_000, 900]) });
    expect(decisions).toEqual([]);
    expect(state.reason).toMatch(/^holds at 1%: bakes for another 1 s; errors: not worse/);
    expect(state.etaMs).toBe(1_000);
  });

  it('goes back at once when a guardrail is breached, before the bake time is over', () => {
    const { state, decisions } = run(PLAN, begun(PLAN), 1, { counts: BAD });
    expect(state).toMatchObject({ phase: 'rolled-back', sharePpm: 0 });
    expect(decisions).toHaveLength(1);
    expect(decisions[0]!.reason).toMatch(/^1% -> 0%: errors: worse by more than 1 pp: 10% instead of 1%/);
    expect(decisions[0]!.checks).toMatchObject([
      {
        kind: 'breach',
        margin: 0.01,
        control: { hits: 9, requests: 900 },
        candidate: { hits: 90, requests: 900 },
      },
    ]);
  });

  it('neither goes on nor back in a day without traffic', () => {
    const { state, decisions } = run(PLAN, begun(PLAN), 86_400, {});
    expect(decisions).toEqual([]);
    expect(state).toMatchObject({ phase: 'baking', sharePpm: 10_000, etaMs: null });
    expect(state.reason).toContain('none is coming in');
  });

  it('says how long it will take when there is too little data', () => {
    const { state } = run(PLAN, begun(PLAN), 20, { counts: counted([10, 0], [10, 0]) });
    expect(state.phase).toBe('baking');
    expect(state.reason).toMatch(/^holds at 1%: errors: not enough data yet, about \d+/);
    expect(state.etaMs).toBeGreaterThan(0);
  });

  it('wants so many requests of the candidate', () => {
    const plan = planOf([stepTo(1, { requests: 50_000 }), stepTo(5)]);
    const { state } = run(plan, begun(plan), 20, { counts: GOOD });
    expect(state.reason).toContain('has 18,000 of 50,000 requests');
    expect(state.etaMs).toBeCloseTo(35_556, -1);
  });

  it('waits for the time of its next step', () => {
    const plan = planOf([stepTo(1), stepTo(5, { notBeforeMs: 100_000 })]);
    const early = run(plan, begun(plan), 60, { counts: GOOD });
    expect(early.state.reason).toContain('the next step is due in 41 s');
    expect(run(plan, begun(plan), 102, { counts: GOOD }).state.sharePpm).toBe(50_000);
  });

  it('stays at a gate for as long as nobody opens it, and still goes back from there', () => {
    const plan = planOf([stepTo(1, { isManual: true }), stepTo(5)]);
    const { state, decisions } = run(plan, begun(plan), 1_000, { counts: GOOD });
    expect(decisions.map(({ kind }) => kind)).toEqual(['gate']);
    expect(state).toMatchObject({ phase: 'gate', sharePpm: 10_000 });
    const bad = run(plan, state, 20, { counts: counted([90_000, 900], [90_000, 9_000]) });
    expect(bad.state.phase).toBe('rolled-back');
  });

  it('goes back step by step when it is told to', () => {
    const plan = planOf(PLAN.steps, { onBreach: 'gradual' });
    const second = run(plan, begun(plan), 15, { counts: GOOD }).state;
    expect(second.sharePpm).toBe(50_000);
    const { decisions } = run(plan, second, 40, { counts: counted([9_000, 90], [9_000, 900]) });
    expect(decisions.map(({ kind, to }) => [kind, to.sharePpm])).toEqual([
      ['step-down', 10_000],
      ['roll-back', 0],
    ]);
  });

  it('asks a webhook before the candidate gets more, and waits while it says no', () => {
    const plan = planOf(PLAN.steps, { confirms: ['confirm-traffic-increase'] });
    const asked = run(plan, begun(plan), 15, { counts: GOOD });
    expect(asked.state).toMatchObject({ phase: 'baking', wants: 'confirm-traffic-increase' });
    const no = run(plan, asked.state, 1, { confirmed: { isOk: false, said: 'ci answered 409' } });
    expect(no.state.reason).toBe('holds at 1%: waits for confirm-traffic-increase: ci answered 409');
    const yes = run(plan, no.state, 1, { confirmed: { isOk: true, said: '' } });
    expect(yes.state).toMatchObject({ sharePpm: 50_000, wants: null });
  });

  it('holds while a webhook is against going on', () => {
    const { state, decisions } = run(PLAN, begun(PLAN), 30, { counts: GOOD, objection: 'ci answered 500' });
    expect(decisions).toEqual([]);
    expect(state.reason).toBe('holds at 1%: ci answered 500');
  });

  it.each([
    ['a breaker of the candidate', { breaker: 'the breaker all/e/candidate is open' }],
    ['a person who kills the experiment', { status: 'killed', statusReason: 'by token:ann: too slow' }],
    ['a webhook that wants it back', { rollBack: 'the webhook ci wants it back' }],
  ] as const)('goes back because of %s, in every phase that is not over', (_, input) => {
    const baking = begun(PLAN);
    const why = { kind: 'pause', reason: 'by a test', wallMs: 0 } as const;
    const { step, sharePpm } = baking;
    for (const phase of ['baking', 'gate', 'paused', 'rolling-back', 'promotion-failed'] as const) {
      const { state } = moveTo(baking, { phase, step, sharePpm }, why);
      expect(run(PLAN, state, 1, input).state).toMatchObject({ phase: 'rolled-back', sharePpm: 0 });
    }
  });

  it('pauses when somebody else has changed the weights, and when its plan is another', () => {
    const moved = run(PLAN, begun(PLAN), 1, { sharePpm: 70_000 }).state;
    expect(moved).toMatchObject({ phase: 'paused', step: 1, sharePpm: 70_000 });
    expect(moved.reason).toMatch(/^the weights were changed: 7% and not 1%/);
    const other = run({ ...PLAN, digest: 'two' }, begun(PLAN), 1, {}).state;
    expect(other).toMatchObject({ phase: 'paused', sharePpm: 10_000 });
  });

  it('does not count time in which nobody watched', () => {
    const { state } = run(PLAN, begun(PLAN), 1, { counts: GOOD, elapsedMs: 86_400_000 });
    expect(state.watchedMs).toBe(10_000);
  });

  it('keeps the candidate where it is when the promotion cannot be made', () => {
    const plan = planOf([stepTo(50)]);
    const done = run(plan, begun(plan), 20, { counts: GOOD }).state;
    expect(done.phase).toBe('promoted');
    const { state, decision } = refused(done, { message: 'no', sharePpm: 500_000, wallMs: 0 });
    expect(decision!.kind).toBe('promotion-failed');
    expect(state).toMatchObject({ phase: 'promotion-failed', step: 0, sharePpm: 500_000 });
    expect(run(plan, state, 1_000, { counts: GOOD }).decisions).toEqual([]);
  });

  it('holds the candidate to a limit also where there is no control left', () => {
    const guardrails = [{ name: 'errors', metric: 'errors', margin: 0.01, limit: 0.02 }];
    const plan = planOf([stepTo(100, { guardrails })]);
    const good = run(plan, begun(plan), 20, { counts: counted([0, 0], [900, 9]) });
    expect(good.state.phase).toBe('promoted');
    const bad = run(plan, begun(plan), 1, { counts: counted([0, 0], [900, 90]) });
    expect(bad.state.reason).toMatch(
      /^100% -> 0%: errors: above the limit: 10%, between 6.+, limit 2% \(n=900\)/,
    );
  });
});
