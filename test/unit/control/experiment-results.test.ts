/** Results as they are kept: how long, of which rules, and what is remembered between looks. */
import { describe, expect, test } from 'vitest';
import type { AnalysisPlan, Collected, CollectedPair } from '../../../src/analysis/collection/collected.ts';
import type { Snapshot } from '../../../src/config/snapshot.ts';
import type { AnalysisSource } from '../../../src/control/analysis.ts';
import { ExperimentResults } from '../../../src/control/experiment-results.ts';
import { ERRORS, MadeUpExperiment } from '../../support/collected.ts';

const START_MS = 1_700_000_000_000;

/** Any number of experiments, each of which takes its time. */
class Bench implements AnalysisSource {
  nowMs = 0;
  costMs = 0;
  readonly asked: string[] = [];
  pairsAsked = 0;
  doubts: readonly string[] = [];
  plans = new Map<string, AnalysisPlan>();
  readonly experiments = new Map<string, MadeUpExperiment>();
  readonly rules = new Map<string, { status: string }>();
  readonly results = new ExperimentResults({
    source: this,
    snapshot: () => ({ experiments: this.rules }) as unknown as Pick<Snapshot, 'experiments'>,
    clock: { now: () => this.nowMs, wallMs: () => START_MS + this.nowMs },
    doubts: () => this.doubts,
  });

  add(name: string): MadeUpExperiment {
    const experiment = new MadeUpExperiment([0.5, 0.5]);
    this.plans.set(name, { alpha: 0.05, metrics: [ERRORS] });
    this.experiments.set(name, experiment);
    const variants = [{ name: 'control' }, { name: 'candidate' }];
    this.rules.set(name, Object.assign({ status: 'running' }, { name, variants, fallback: { index: 0 } }));
    experiment.add({ unit: 0, variant: 0, atMs: START_MS });
    return experiment;
  }

  collected(name: string): Collected | null {
    this.asked.push(name);
    this.nowMs += this.costMs;
    return this.experiments.get(name)?.collected() ?? null;
  }

  pairs(): readonly CollectedPair[] {
    this.pairsAsked++;
    return [];
  }

  plan(name: string): AnalysisPlan | null {
    return this.plans.get(name) ?? null;
  }
}

describe('results', () => {
  test('are not believed while there is a doubt about all numbers, and then again', () => {
    const bench = new Bench();
    bench.add('ranking');
    bench.doubts = ['5% of the exposures of the last hour were lost, limit 1%'];
    expect(bench.results.ofAnalysis('ranking')!.invalid).toContainEqual({
      cause: 'doubt',
      reason: '5% of the exposures of the last hour were lost, limit 1%',
    });
    expect(bench.results.trust()[0]!.causes).toContain('doubt');
    bench.doubts = [];
    bench.nowMs = 60_000;
    expect(bench.results.ofAnalysis('ranking')!.invalid).toEqual([]);
  });

  test('are kept for a second, and made anew at once when the rules are others', () => {
    const bench = new Bench();
    bench.add('ranking');
    bench.results.of('ranking');
    bench.nowMs = 999;
    bench.results.of('ranking');
    expect(bench.asked).toHaveLength(1);
    bench.nowMs = 1000;
    bench.results.of('ranking');
    expect(bench.asked).toHaveLength(2);
    bench.plans.set('ranking', { alpha: 0.01, metrics: [ERRORS] });
    expect(bench.results.of('ranking')!.comparisons[0]!.metrics[0]!.alpha).toBe(0.01);
  });

  test('take at most a fiftieth of the time, however many there are', () => {
    const bench = new Bench();
    bench.costMs = 10;
    const names = Array.from({ length: 20 }, (_, index) => `e-${index}`);
    for (const name of names) bench.add(name);
    for (let second = 1; second <= 100; second++) {
      for (const name of names) bench.results.ofAnalysis(name);
      bench.nowMs = Math.max(bench.nowMs, 1000 * second);
    }
    // 100 s: 2 s of work are 200 of 10 ms, and all of them once more to begin with.
    expect(bench.asked.length).toBeLessThanOrEqual(220);
    expect(bench.asked.length).toBeGreaterThanOrEqual(160);
  });

  test('have their interactions looked at seldom, and not for those who decide', () => {
    const bench = new Bench();
    bench.add('ranking');
    bench.results.ofAnalysis('ranking');
    expect(bench.pairsAsked).toBe(0);
    for (let second = 0; second < 60; second++) {
      bench.results.of('ranking');
      bench.nowMs += 1000;
    }
    expect(bench.pairsAsked).toBe(2);
  });

  test('of no analysis are off, and of no experiment nothing', () => {
    const bench = new Bench();
    bench.add('ranking');
    bench.plans.clear();
    expect(bench.results.of('ranking')?.state).toBe('off');
    expect(bench.results.ofAnalysis('ranking')).toBeNull();
    expect(bench.results.of('banner')).toBeNull();
  });

  test('remember wrong shares that were seen at a scrape', () => {
    const bench = new Bench();
    const experiment = bench.add('ranking');
    for (let unit = 1; unit < 6000; unit++)
      experiment.add({ unit, variant: unit % 9 < 5 ? 0 : 1, atMs: START_MS + unit });
    const [{ mismatchP, causes }] = bench.results.trust() as [ReturnType<ExperimentResults['trust']>[0]];
    expect(mismatchP).toBeLessThan(0.001);
    expect([...causes]).toEqual(['shares']);
    for (let unit = 6000; unit < 6660; unit++) experiment.add({ unit, variant: 1, atMs: START_MS + unit });
    bench.nowMs += 10_000;
    expect(bench.results.of('ranking')?.shares).toMatchObject({ isMismatch: true, p: mismatchP });
    bench.rules.delete('ranking');
    bench.add('other');
    expect(bench.results.trust()).toHaveLength(1);
    bench.add('ranking');
    expect(bench.results.of('ranking')?.shares.isMismatch).toBe(false);
  });

  test('of one that is not running have no gap', () => {
    const bench = new Bench();
    const experiment = bench.add('ranking');
    for (let unit = 1; unit < 2000; unit++)
      experiment.add({ unit, variant: unit % 2, atMs: START_MS + 10 * unit });
    experiment.idle(START_MS + 900_000);
    bench.nowMs = 900_000;
    expect(bench.results.of('ranking')?.verdict.kind).toBe('invalid');
    bench.rules.get('ranking')!.status = 'concluded';
    bench.nowMs += 1000;
    expect(bench.results.of('ranking')?.verdict.kind).toBe('noDifference');
  });
});

test('a scrape looks at a few milliseconds of experiments, the longest unseen first', () => {
  const bench = new Bench();
  bench.costMs = 2;
  for (let index = 0; index < 9; index++) bench.add(`e-${index}`);
  expect(bench.results.trust().map(({ experiment }) => experiment)).toEqual(['e-0', 'e-1', 'e-2']);
  bench.nowMs += 15_000;
  expect(bench.results.trust()).toHaveLength(6);
  bench.nowMs += 15_000;
  bench.results.trust();
  bench.nowMs += 15_000;
  bench.asked.length = 0;
  expect(bench.results.trust()).toHaveLength(9);
  expect(bench.asked).toEqual(['e-0', 'e-1', 'e-2']);
});
