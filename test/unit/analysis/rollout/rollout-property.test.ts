/** Whatever happens to a rollout, in any order: what always holds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { advance, type RolloutInput, stepOf } from '../../../../src/analysis/rollout/rollout.ts';
import { act, type RolloutVerb } from '../../../../src/analysis/rollout/rollout-action.ts';
import type { RolloutPlan } from '../../../../src/analysis/rollout/rollout-plan.ts';
import {
  isOver,
  type RolloutMove,
  type RolloutState,
} from '../../../../src/analysis/rollout/rollout-state.ts';
import { judgeStep } from '../../../../src/analysis/rollout/rollout-verdict.ts';
import { begun, counted, planOf, stepTo, tick } from '../../../support/rollout.ts';

type Event =
  | { readonly kind: 'tick'; readonly input: Partial<RolloutInput> }
  | { readonly kind: 'act'; readonly verb: RolloutVerb };

const plans = fc
  .record({
    shares: fc.uniqueArray(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 5 }),
    manual: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
    onBreach: fc.constantFrom('at-once' as const, 'gradual' as const),
  })
  .map(({ shares, manual, onBreach }) =>
    planOf(
      shares
        .toSorted((a, b) => a - b)
        .map((share, index) => stepTo(share, { isManual: manual[index]!, bakeMs: 2_000 })),
      { onBreach },
    ),
  );

const arm = fc.tuple(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 100 }));
const counts = fc
  .tuple(arm, arm)
  .map(([[n, percent], [m, other]]) =>
    counted([n, Math.floor((n * percent) / 1_000)], [m, Math.floor((m * other) / 1_000)]),
  );
const ticks = fc
  .record({
    counts,
    elapsedMs: fc.integer({ min: 0, max: 5_000 }),
    status: fc.constantFrom('running' as const, 'running' as const, 'running' as const, 'paused' as const),
  })
  .map((input): Event => ({ kind: 'tick', input }));
const acts = fc
  .constantFrom<RolloutVerb>('promote', 'pause', 'resume', 'abort', 'undo')
  .map((verb): Event => ({ kind: 'act', verb }));
const histories = fc.array(fc.oneof({ weight: 6, arbitrary: ticks }, { weight: 1, arbitrary: acts }), {
  maxLength: 40,
});

function follow(plan: RolloutPlan, state: RolloutState, event: Event): RolloutMove {
  if (event.kind === 'tick') return advance(plan, state, tick(state, event.input));
  const result = act(plan, state, { verb: event.verb, reason: 'by a test', wallMs: 0 });
  return result.ok ? result : { state, decision: null };
}

describe('a rollout, whatever happens', () => {
  it('never gives the candidate more than its step allows before it is promoted', () => {
    fc.assert(
      fc.property(plans, histories, (plan, events) => {
        let state = begun(plan);
        for (const event of events) {
          ({ state } = follow(plan, state, event));
          if (state.phase !== 'promoted')
            expect(state.sharePpm).toBeLessThanOrEqual(stepOf(plan, state).sharePpm);
        }
      }),
    );
  });

  it('goes on by itself only one step at a time, and never through a gate', () => {
    fc.assert(
      fc.property(plans, histories, (plan, events) => {
        let state = begun(plan);
        for (const event of events) {
          const { state: next, decision } = follow(plan, state, event);
          if (event.kind === 'tick' && next.sharePpm > state.sharePpm) {
            expect(decision!.kind).toMatch(/^(advance|promote)$/);
            expect(next.step - state.step).toBeLessThanOrEqual(1);
            expect(stepOf(plan, state).isManual).toBe(false);
            expect(decision!.checks.every(({ kind }) => kind === 'pass')).toBe(true);
          }
          state = next;
        }
      }),
    );
  });

  it('ends a breach in control within one tick', () => {
    fc.assert(
      fc.property(plans, histories, (plan, events) => {
        const sudden = { ...plan, onBreach: 'at-once' as const };
        let state = begun(sudden);
        for (const event of events) {
          const { state: next, decision } = follow(sudden, state, event);
          if (event.kind === 'tick' && !isOver(state)) {
            const isBreached = decision?.checks.some(({ kind }) => kind === 'breach') === true;
            if (isBreached) expect(next).toMatchObject({ phase: 'rolled-back', sharePpm: 0 });
            else if (!isOver(next) && decision === null)
              expect(
                judgeStep(sudden, stepOf(sudden, next), {
                  counts: next.counts,
                  ratePerSecond: 1,
                  results: null,
                }).kind,
              ).not.toBe('breach');
          }
          state = next;
        }
      }),
    );
  });

  it('has the same future after a restart anywhere', () => {
    fc.assert(
      fc.property(plans, histories, (plan, events) => {
        let state = begun(plan);
        let restarted = state;
        for (const event of events) {
          ({ state } = follow(plan, state, event));
          ({ state: restarted } = follow(plan, JSON.parse(JSON.stringify(restarted)) as RolloutState, event));
          expect(restarted).toEqual(state);
        }
      }),
    );
  });
});
