/** What a rollout makes of the analysis of its experiment. */
import { describe, expect, it } from 'vitest';
import type { MetricResult, Results } from '../../../../src/analysis/results/results.ts';
import { advance } from '../../../../src/analysis/rollout/rollout.ts';
import { begun, counted, planOf, stepTo, tick } from '../../../support/rollout.ts';

const GOOD = counted([90_000, 900], [90_000, 900]);
const PLAN = planOf([stepTo(10, { bakeMs: 0, analysis: ['cost'] }), stepTo(100, { analysis: ['cost'] })]);

function costIs(kind: MetricResult['verdict']['kind'], etaMs: number | null = null): MetricResult {
  return {
    ...{ name: 'cost', role: 'guardrail', over: 'units', by: 'assigned', unit: 'number', better: 'lower' },
    ...{ margin: 1, alpha: 0.025, control: 10, candidate: 12, difference: 2, low: 1.5, high: null, p: 0.001 },
    observations: 4_000,
    verdict: { kind, reason: `cost: what it is`, etaMs, observationsNeeded: null },
  };
}

function saying(metrics: readonly MetricResult[], invalid: Results['invalid'] = []): Results {
  return { comparisons: [{ variant: 'candidate', metrics }], invalid } as unknown as Results;
}

function look(results: Results | null, plan = PLAN) {
  const state = begun(plan);
  return advance(plan, state, tick(state, { counts: GOOD, results }));
}

describe('a guardrail of the analysis', () => {
  it('lets the rollout go on when it has passed', () => {
    expect(look(saying([costIs('pass')]))).toMatchObject({
      state: { sharePpm: 1_000_000, phase: 'baking' },
      decision: { kind: 'advance' },
    });
  });

  it('takes it back when it is breached, with what was seen on record', () => {
    const { state, decision } = look(saying([costIs('breach')]));
    expect(state).toMatchObject({ phase: 'rolled-back', sharePpm: 0 });
    expect(decision!.reason).toBe('10% -> 0%: cost: what it is');
    expect(decision!.checks.at(-1)).toMatchObject({
      guardrail: 'cost',
      candidate: null,
      seen: { control: 10, candidate: 12, low: 1.5, high: null, observations: 4_000 },
    });
  });

  it('holds it while there is too little data, for as long as that takes', () => {
    const { state, decision } = look(saying([costIs('insufficient', 90_000)]));
    expect(decision).toBeNull();
    expect(state).toMatchObject({ reason: 'holds at 10%: cost: what it is', etaMs: 90_000 });
  });

  it('holds it when nothing was collected', () => {
    for (const results of [null, saying([])])
      expect(look(results).state.reason).toBe(
        'holds at 10%: cost: not enough data yet, nothing was collected',
      );
  });

  it('is not asked where nothing is left of control', () => {
    const plan = planOf([stepTo(100, { bakeMs: 0, analysis: ['cost'] })]);
    expect(look(saying([costIs('breach')]), plan).state.phase).toBe('promoted');
  });
});

describe('an analysis that is not to be believed', () => {
  const invalid = [{ cause: 'shares', reason: 'units arrive in other shares (p < 0.001)' }];

  it('holds the rollout, whether it asks for a guardrail of it or not', () => {
    const plain = planOf([stepTo(10, { bakeMs: 0 }), stepTo(100)]);
    for (const plan of [PLAN, plain]) {
      const { state, decision } = look(saying([costIs('pass')], invalid), plan);
      expect(decision).toBeNull();
      expect(state.reason).toBe(
        'holds at 10%: the analysis is invalid: units arrive in other shares (p < 0.001)',
      );
    }
  });

  it('takes nothing back by its own guardrails, and everything by those that count requests', () => {
    expect(look(saying([costIs('breach')], invalid)).state.phase).toBe('baking');
    const state = begun(PLAN);
    const bad = tick(state, { counts: counted([900, 9], [900, 90]), results: saying([], invalid) });
    expect(advance(PLAN, state, bad).state.phase).toBe('rolled-back');
  });
});
