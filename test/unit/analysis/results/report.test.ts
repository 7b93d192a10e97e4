/** Collected -> Results: which statistic, and which verdict. */
import { describe, expect, test } from 'vitest';
import type { AnalysisMetric } from '../../../../src/analysis/collection/collected.ts';
import { resultsOf, resultsOff } from '../../../../src/analysis/results/report.ts';
import type { Results } from '../../../../src/analysis/results/results.ts';
import { ERRORS, LATENCY, MadeUpExperiment, metricOf, P90 } from '../../../support/collected.ts';
import { planOf, report, START_MS, send, type Traffic } from '../../../support/collected-traffic.ts';

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

  test('does not promise an end when one of them gets nobody any more', () => {
    const experiment = new MadeUpExperiment([0.5, 0.5]);
    const rolledOutMs = send(experiment, { users: 200 });
    expect(report(experiment, planOf(ERRORS), rolledOutMs).verdict.etaMs).toBeGreaterThan(1000);
    experiment.split([0, 1]);
    const nowMs = send(experiment, { users: 200, share: 1, firstUser: 1000, fromMs: rolledOutMs });
    const { verdict, comparisons } = report(experiment, planOf(ERRORS), nowMs);
    expect(verdict).toMatchObject({ kind: 'insufficient', etaMs: null });
    expect(comparisons[0]!.metrics[0]!.verdict.reason).toContain('and none is coming in');
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
    const kindAfter = (part: number) => users(125 * Math.round((part * needed) / 125)).kind;
    expect(needed).toBeGreaterThan(1000);
    expect(kindAfter(0.85)).toBe('insufficient');
    expect(kindAfter(1.15)).toBe('pass');
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

  test('is a breach when the candidate begins to fail, however long it was well in another split', () => {
    const experiment = new MadeUpExperiment([0.5, 0.5]);
    const wellMs = send(experiment, { users: 4000 });
    experiment.split([0.8, 0.2]);
    const badMs = send(experiment, { users: 200, share: 0.2, failing: [0, 2], fromMs: wellMs });
    // Taken back: what was seen of both is still what it was.
    experiment.split([1, 0]);
    const nowMs = send(experiment, { users: 1000, share: 0, fromMs: badMs });
    const { verdict, comparisons } = report(experiment, planOf(ERRORS), nowMs);
    expect(verdict.kind).toBe('breach');
    const [errors] = comparisons[0]!.metrics;
    expect(errors!.verdict.reason).toMatch(/, in the latest split$/);
    expect(errors!.observations).toBe(200);
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
