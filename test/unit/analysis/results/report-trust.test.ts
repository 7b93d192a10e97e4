/** Collected -> Results: when the numbers are not to be believed. */
import { describe, expect, test } from 'vitest';
import { resultsOf } from '../../../../src/analysis/results/report.ts';
import type { TrustMemory } from '../../../../src/analysis/results/trust.ts';
import { ERRORS, MadeUpExperiment } from '../../../support/collected.ts';
import { planOf, report, START_MS, send } from '../../../support/collected-traffic.ts';

describe('whether the numbers are to be believed', () => {
  const plan = planOf(ERRORS);

  test('not when units arrive in other shares, and a culprit is named', () => {
    const experiment = new MadeUpExperiment([0.5, 0.5]);
    for (let i = 0; i < 12_000; i++) {
      const listener = i % 4 === 0 ? 'partner' : 'public';
      const isLost = listener === 'partner' && i % 8 === 0;
      experiment.add({ unit: i, variant: isLost ? 1 : (i >> 2) % 2, listener, atMs: START_MS + i });
    }
    const { verdict, shares, invalid } = report(experiment, plan, START_MS + 12_000);
    expect(shares.isMismatch).toBe(true);
    expect(shares.culprits[0]).toMatchObject({
      dimension: 'listener',
      slice: 'partner',
      explainsAll: true,
    });
    expect(shares.reason).toMatch(
      /^units do not arrive as declared: candidate has 62.5% instead of 50% of 12,000 \(p<0.001\); look at listener partner, without which the rest is as declared$/,
    );
    expect(invalid).toEqual([{ cause: 'shares', reason: shares.reason }]);
    expect(verdict.kind).toBe('invalid');
  });

  test('is remembered: what was unlikely once stays so, until the collection begins anew', () => {
    const experiment = new MadeUpExperiment([0.5, 0.5]);
    let unit = 0;
    const add = (variant: number, count: number) => {
      for (let i = 0; i < count; i++) experiment.add({ unit: unit++, variant, atMs: START_MS + unit });
    };
    const look = (of: MadeUpExperiment, before: TrustMemory | null) =>
      resultsOf({ collected: of.collected(), plan, pairs: [], nowMs: START_MS + unit, before });
    add(0, 3000);
    add(1, 2400);
    const first = look(experiment, null);
    expect(first.results.shares.isMismatch).toBe(true);
    add(1, 600);
    const then = look(experiment, first.trust.memory);
    expect(look(experiment, null).results.shares.isMismatch).toBe(false);
    expect(then.results.shares).toMatchObject({ isMismatch: true, p: first.results.shares.p });
    const anew = new MadeUpExperiment([0.5, 0.5]);
    anew.add({ unit: 1, variant: 0, atMs: START_MS + 60_000 });
    expect(look(anew, then.trust.memory).results.shares.isMismatch).toBe(false);
  });

  test('units that keep an earlier variant are not held against the present shares', () => {
    const experiment = new MadeUpExperiment([1, 0]);
    for (let i = 0; i < 3000; i++)
      experiment.add({ unit: i, variant: i % 3 === 0 ? 1 : 0, isSticky: i % 3 === 0, atMs: START_MS + i });
    const { shares } = report(experiment, plan, START_MS + 3000);
    expect(shares).toMatchObject({ isMismatch: false, p: 1 });
  });

  test('the same units in the next split are no further evidence', () => {
    const experiment = new MadeUpExperiment([0.5, 0.5]);
    // Off by chance: 54 % of 4,000 with p about 0.01 each time.
    const round = (fromMs: number) => {
      for (let i = 0; i < 4000; i++)
        experiment.add({ unit: i, variant: i % 50 < 27 ? 1 : 0, atMs: fromMs + i });
    };
    round(START_MS);
    const once = report(experiment, plan, START_MS + 4000).shares;
    for (let split = 1; split < 6; split++) {
      experiment.split([0.5, 0.5]);
      round(START_MS + split * 4000);
    }
    const often = report(experiment, plan, START_MS + 24_000).shares;
    expect(once.p).toBeLessThan(0.1);
    expect(often.isMismatch).toBe(false);
    expect(often.p).toBe(once.p);
  });

  test('not when many units are on both variants', () => {
    const experiment = new MadeUpExperiment([0.5, 0.5]);
    for (let i = 0; i < 2000; i++)
      for (const variant of i % 20 === 0 ? [0, 1] : [i % 2])
        experiment.add({ unit: i, variant, atMs: START_MS + 10 * i });
    const { crossover, invalid, verdict } = report(experiment, plan, START_MS + 20_000);
    expect(crossover.reason).toBe('100 of 2,000 units (5%) were on several variants, limit 1%');
    expect(crossover.state).toBe('breach');
    expect(invalid.map(({ cause }) => cause)).toContain('crossover');
    expect(verdict.kind).toBe('invalid');
  });

  test('not when nothing has come for more than five minutes', () => {
    const experiment = new MadeUpExperiment([0.5, 0.5]);
    const lastMs = send(experiment, { users: 1000 });
    const { invalid } = report(experiment, plan, lastMs + 400_000);
    expect(invalid[0]).toMatchObject({ cause: 'gap', reason: expect.stringMatching(/^no data for 4\d\d s/) });
  });

  test('an experiment that has ended has no gap', () => {
    const experiment = new MadeUpExperiment([0.5, 0.5]);
    const lastMs = send(experiment, { users: 2000 });
    experiment.idle(lastMs + 400_000);
    const question = {
      collected: experiment.collected(),
      plan,
      pairs: [],
      nowMs: lastMs + 400_000,
      before: null,
    };
    const invalid = (isRunning: boolean) => resultsOf({ ...question, isRunning }).results.invalid;
    expect(invalid(true).map(({ cause }) => cause)).toEqual(['gap']);
    expect(invalid(false)).toEqual([]);
  });

  test('a span of time that has only begun is no jump', () => {
    const experiment = new MadeUpExperiment([0.5, 0.5]);
    const lastMs = send(experiment, { users: 2001 });
    expect(report(experiment, plan, lastMs).invalid).toEqual([]);
  });
});
