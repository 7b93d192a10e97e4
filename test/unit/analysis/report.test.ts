/** Collected -> Results: which statistic, which verdict, and what makes numbers unbelievable. */
import { describe, expect, test } from 'vitest';
import type { AnalysisMetric, AnalysisPlan } from '../../../src/analysis/collected.ts';
import { resultsOf, resultsOff } from '../../../src/analysis/report.ts';
import type { Results } from '../../../src/analysis/results.ts';
import type { TrustMemory } from '../../../src/analysis/trust.ts';
import { ERRORS, LATENCY, MadeUpExperiment, metricOf, P90 } from '../../support/collected.ts';

const START_MS = 1_700_000_000_000;

const planOf = (...metrics: readonly AnalysisMetric[]): AnalysisPlan => ({ alpha: 0.05, metrics });

interface Traffic {
  readonly users: number;
  readonly each?: number;
  /** Every so many-th unit's requests fail, by variant; 0: none does. */
  readonly failing?: readonly number[];
  readonly ms?: readonly number[];
  readonly fromMs?: number;
  readonly share?: number;
  readonly firstUser?: number;
}

/** Users who each send their requests, a second for a hundred of them. Times vary by a tenth. */
function send(experiment: MadeUpExperiment, traffic: Traffic): number {
  const { users, each = 4, failing = [], ms = [], fromMs = START_MS, share = 0.5, firstUser = 0 } = traffic;
  let at = fromMs;
  for (let round = 0; round < each; round++)
    for (let user = 0; user < users; user++) {
      // The golden ratio deals them out evenly.
      const variant = (user * 0.618033988749895) % 1 < share ? 1 : 0;
      const every = failing[variant] ?? 0;
      experiment.add({
        unit: user + firstUser,
        variant,
        isFailure: every > 0 && user % every === 0,
        ms: (ms[variant] ?? 20) * (0.9 + 0.2 * ((user * 0.7548776662) % 1)),
        atMs: at,
      });
      at += 10;
    }
  return at;
}

function report(experiment: MadeUpExperiment, plan: AnalysisPlan, nowMs: number): Results {
  return resultsOf({ collected: experiment.collected(), plan, pairs: [], nowMs, before: null }).results;
}

function sent(traffic: Traffic, ...metrics: readonly AnalysisMetric[]): Results {
  const experiment = new MadeUpExperiment([1 - (traffic.share ?? 0.5), traffic.share ?? 0.5]);
  const nowMs = send(experiment, traffic);
  return report(experiment, planOf(...metrics), nowMs);
}

describe('the verdict of an experiment', () => {
  test('is that there is no analysis, and how to turn it on', () => {
    const off = resultsOff('ranking', 'control');
    expect(off.state).toBe('off');
    expect(off.verdict.reason).toContain('`analysis: {}`');
  });

  test('is that nothing came yet', () => {
    const nobody = report(new MadeUpExperiment([0.5, 0.5]), planOf(ERRORS), START_MS);
    expect(nobody).toMatchObject({ state: 'empty', verdict: { kind: 'insufficient' }, comparisons: [] });
  });

  test('is better when a goal is and the guardrails hold', () => {
    const { verdict } = sent({ users: 2000, ms: [24, 20] }, ERRORS, LATENCY);
    expect(verdict.kind).toBe('better');
    expect(verdict.reason).toMatch(
      /^candidate is better: latency: better: 20 ms instead of 24 ms, .*; its guardrails hold$/,
    );
  });

  test('waits when a goal is better and a guardrail is not known yet', () => {
    const { verdict } = sent({ users: 300, ms: [24, 20] }, ERRORS, LATENCY);
    expect(verdict.kind).toBe('insufficient');
    expect(verdict.reason).toMatch(
      /^candidate: latency: better: .*; but not enough data yet for errors, about /,
    );
    expect(verdict.etaMs).toBeGreaterThan(1000);
  });

  test('is worse, the same, or both, as the goals say', () => {
    const goal = metricOf({ name: 'failures', margin: 0.001 });
    expect(sent({ users: 2000, ms: [20, 24] }, ERRORS, LATENCY).verdict.kind).toBe('worse');
    expect(sent({ users: 2000 }, ERRORS, LATENCY).verdict.kind).toBe('noDifference');
    const both = sent({ users: 4000, ms: [24, 20], failing: [0, 10] }, goal, LATENCY).verdict;
    expect(both.kind).toBe('mixed');
    expect(both.reason).toMatch(/^candidate is both: latency: better: .*; failures: worse: /);
  });

  test('is a breach as soon as the candidate fails all of its first users', () => {
    const { verdict, comparisons } = sent(
      { users: 400, each: 1, share: 0.05, failing: [0, 1] },
      ERRORS,
      LATENCY,
    );
    expect(verdict.kind).toBe('breach');
    expect(verdict.reason).toMatch(
      /^take it back: candidate: errors: worse by more than 1 pp: 100% instead of 0%/,
    );
    expect(comparisons[0]!.metrics[0]!.observations).toBe(400);
  });

  test('is a breach also where the numbers are in doubt, and says so', () => {
    const experiment = new MadeUpExperiment([0.5, 0.5]);
    experiment.doubts = ['a tenth of the exposures was lost'];
    const nowMs = send(experiment, { users: 1000, failing: [0, 5] });
    const { verdict, invalid } = report(experiment, planOf(ERRORS), nowMs);
    expect(verdict.kind).toBe('breach');
    expect(verdict.reason).toMatch(/; but do not rely on the numbers: a tenth of the exposures was lost$/);
    expect(invalid).toEqual([{ cause: 'doubt', reason: 'a tenth of the exposures was lost' }]);
  });

  test('is to hold when the numbers are in doubt, whatever they say', () => {
    const experiment = new MadeUpExperiment([0.5, 0.5]);
    experiment.skewMs = 120_000;
    const nowMs = send(experiment, { users: 2000, ms: [24, 20] });
    const { verdict, comparisons } = report(experiment, planOf(ERRORS, LATENCY), nowMs);
    expect(verdict).toEqual({
      kind: 'invalid',
      reason: 'hold, the numbers are not to be believed: clocks differ by 120 s (at most 60 s)',
      etaMs: null,
    });
    expect(comparisons[0]!.metrics[1]!.verdict.kind).toBe('better');
  });

  test('of several variants is better when one of them may be taken, and mixed when they are decided otherwise', () => {
    const three = (ms: readonly number[]) => {
      const experiment = new MadeUpExperiment([0.4, 0.3, 0.3], ['control', 'one', 'two']);
      for (let i = 0; i < 9000; i++) {
        const variant = i % 10 < 4 ? 0 : i % 10 < 7 ? 1 : 2;
        experiment.add({ unit: i, variant, ms: ms[variant]! + (i % 7), atMs: START_MS + 10 * i });
      }
      return report(experiment, planOf(ERRORS, LATENCY), START_MS + 90_000).verdict;
    };
    expect(three([20, 15, 25])).toMatchObject({
      kind: 'better',
      reason: expect.stringMatching(/^one is better: .*; two is worse: /),
    });
    expect(three([20, 20, 25]).kind).toBe('mixed');
    expect(three([20, 25, 25]).kind).toBe('worse');
  });

  test('without a goal is that the guardrails hold', () => {
    expect(sent({ users: 2000 }, ERRORS).verdict).toMatchObject({
      kind: 'noDifference',
      reason: 'candidate holds its guardrails, and there is no goal',
    });
  });
});

describe('a metric', () => {
  test('of failures passes its guardrail where nothing ever fails, with a small share of the units too', () => {
    const { comparisons } = sent({ users: 12_000, each: 1, share: 0.05 }, ERRORS);
    expect(comparisons[0]!.metrics[0]).toMatchObject({ control: 0, candidate: 0, verdict: { kind: 'pass' } });
  });

  test('has its part of alpha, by weight and by variant', () => {
    const experiment = new MadeUpExperiment([0.5, 0.25, 0.25], ['control', 'one', 'two']);
    experiment.add({ unit: 1, variant: 0, atMs: START_MS });
    const { comparisons } = report(
      experiment,
      planOf({ ...ERRORS, weight: 3 }, LATENCY, { ...ERRORS, over: 'requests', by: 'served' }),
      START_MS + 1000,
    );
    for (const { metrics } of comparisons)
      for (const [index, alpha] of [0.015, 0.005, 0.005].entries())
        expect(metrics[index]!.alpha).toBeCloseTo(alpha, 12);
  });

  test('is by the variant that served, where it says so', () => {
    const experiment = new MadeUpExperiment([0.5, 0.5]);
    // What the candidate cannot serve the control does: failures are those of whoever answered.
    for (let i = 0; i < 4000; i++)
      experiment.add({
        unit: i,
        variant: i % 2,
        served: 0,
        isFailure: i % 40 === 1,
        atMs: START_MS + 10 * i,
      });
    const served = metricOf({ name: 'errors served', over: 'requests', by: 'served' });
    const { comparisons, served: summary } = report(experiment, planOf(served), START_MS + 40_000);
    expect(comparisons[0]!.metrics[0]).toMatchObject({ candidate: null, verdict: { kind: 'insufficient' } });
    expect(summary.map(({ requests }) => requests)).toEqual([4000, 0]);
  });

  test('is plain JSON, with null for an end that is not known', () => {
    const results = sent({ users: 40 }, ERRORS, LATENCY, P90);
    const [, latency, p90] = results.comparisons[0]!.metrics;
    expect(latency).toMatchObject({ low: null, high: null, verdict: { kind: 'insufficient' } });
    expect(p90!.high).toBeNull();
    expect(JSON.parse(JSON.stringify(results))).toEqual(results);
  });

  test.each([
    ['where nothing fails', []],
    ['where as many of both fail', [0, 1, 26, 51, 76]],
  ])('of failures is known when it was said to be, %s', (_name, failing) => {
    const users = (count: number) => {
      const experiment = new MadeUpExperiment([0.8, 0.2]);
      for (let unit = 0; unit < count; unit++)
        experiment.add({
          unit,
          variant: unit % 5 === 0 ? 1 : 0,
          isFailure: failing.includes(unit % 125),
          atMs: START_MS + 10 * unit,
        });
      const results = report(experiment, planOf({ ...ERRORS, margin: 0.02 }), START_MS + 10 * count);
      return results.comparisons[0]!.metrics[0]!.verdict;
    };
    const needed = users(375).observationsNeeded!;
    const after = (part: number) => users(125 * Math.round((part * needed) / 125)).kind;
    expect(needed).toBeGreaterThan(1000);
    expect(after(0.85)).toBe('insufficient');
    expect(after(1.15)).toBe('pass');
  });

  test('says how long it takes in the first minute too', () => {
    const experiment = new MadeUpExperiment([0.5, 0.5]);
    const nowMs = send(experiment, { users: 500, each: 1 });
    const collected = { ...experiment.collected(), spans: [] };
    const { results } = resultsOf({ collected, plan: planOf(ERRORS), pairs: [], nowMs, before: null });
    const { observationsNeeded, etaMs } = results.comparisons[0]!.metrics[0]!.verdict;
    expect(etaMs! / 1000).toBeCloseTo((observationsNeeded! - 500) / 100, 0);
  });

  test('says how long it takes at the rate of the last minutes', () => {
    const experiment = new MadeUpExperiment([0.5, 0.5]);
    const nowMs = send(experiment, { users: 3000, each: 1, failing: [100, 100] });
    const [errors] = report(experiment, planOf(ERRORS), nowMs).comparisons[0]!.metrics;
    const { observationsNeeded, etaMs } = errors!.verdict;
    // A hundred new units a second.
    expect(etaMs! / 1000).toBeCloseTo((observationsNeeded! - 3000) / 100, 0);
    experiment.idle(nowMs + 270_000);
    const later = report(experiment, planOf(ERRORS), nowMs + 270_000).comparisons[0]!.metrics[0]!;
    expect(later.verdict.etaMs! / etaMs!).toBeCloseTo(300 / 30, 1);
  });
});

describe('a split that changes', () => {
  /** Everything gets slower while the candidate gets more: added up, it would look slower than control. */
  const drifting = () => {
    const experiment = new MadeUpExperiment([0.9, 0.1]);
    const half = send(experiment, { users: 2000, share: 0.1, ms: [20, 20] });
    experiment.split([0.5, 0.5]);
    const nowMs = send(experiment, { users: 2000, share: 0.5, ms: [40, 40], fromMs: half, firstUser: 2000 });
    return { experiment, nowMs };
  };

  test('is not taken for a difference', () => {
    const { experiment, nowMs } = drifting();
    const { comparisons, assigned } = report(experiment, planOf(ERRORS, LATENCY, P90), nowMs);
    const [one, other] = assigned.map(({ latencyMs }) => latencyMs.mean!);
    expect(other! - one!).toBeGreaterThan(5);
    expect(comparisons[0]!.metrics.map(({ verdict: { kind } }) => kind)).toEqual([
      'pass',
      'noDifference',
      'noDifference',
    ]);
  });

  test('is said: what is an average, and what is of one split', () => {
    const { experiment, nowMs } = drifting();
    const [errors, latency, p90] = report(experiment, planOf(ERRORS, LATENCY, P90), nowMs).comparisons[0]!
      .metrics;
    expect(latency!.verdict.reason).toMatch(/, averaged over 2 splits$/);
    for (const one of [errors, p90])
      expect(one!.verdict.reason).toMatch(/, in the one of 2 splits that tells most$/);
    expect(p90!.observations).toBe(8000);
  });

  test('keeps the verdict of a candidate that gets nothing any more', () => {
    const experiment = new MadeUpExperiment([0.5, 0.5]);
    const half = send(experiment, { users: 1000, failing: [0, 5] });
    experiment.split([1, 0]);
    const nowMs = send(experiment, { users: 1000, share: 0, fromMs: half });
    const { verdict, assigned } = report(experiment, planOf(ERRORS, LATENCY), nowMs);
    expect(verdict.kind).toBe('breach');
    expect(assigned.map(({ share, seenShare }) => [share, seenShare])).toEqual([
      [1, 1],
      [0, 0],
    ]);
  });

  test('has an ETA of the present split, from where that stands', () => {
    const experiment = new MadeUpExperiment([0.5, 0.5]);
    const traffic = { each: 1, failing: [100, 100] };
    const half = send(experiment, { ...traffic, users: 2000 });
    experiment.split([0.8, 0.2]);
    const nowMs = send(experiment, { ...traffic, users: 1000, share: 0.2, fromMs: half, firstUser: 2000 });
    const [errors] = report(experiment, planOf(ERRORS), nowMs).comparisons[0]!.metrics;
    const { observationsNeeded, etaMs } = errors!.verdict;
    expect(etaMs! / 1000).toBeCloseTo((observationsNeeded! - 1000) / 100, 0);
  });
});

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
