/**
 * Two variants that are the same, looked at all the time: how often does an interval lie? In no more than alpha of the
 * experiments, at any look, whatever the values are: rare failures, long tails, a small arm, units that come back.
 * docs/analysis.md publishes what is found, line by line.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { judgeCrossover } from '../../src/analysis/crossover.ts';
import { proportion } from '../../src/analysis/estimate.ts';
import { interactions } from '../../src/analysis/interaction.ts';
import { compare, UNKNOWN } from '../../src/analysis/interval.ts';
import { mismatchP, SRM_ALPHA } from '../../src/analysis/sequential-srm.ts';
import { combined } from '../../src/analysis/strata.ts';
import type { Random } from '../../src/base/clock.ts';
import { means, proportions, quantiles, ratios, type Value } from '../support/peeked-metrics.ts';
import { normal, type Peeking, peek, tolerated } from '../support/peeking.ts';
import { seededRandom } from '../support/seeded-random.ts';

const ALPHA = 0.05;
const TWO = { alpha: ALPHA, sides: 'two', tunedFor: 2000 } as const;
const ONE = { ...TWO, sides: 'one' } as const;
const SEED = 20_261_121;
/** Some seconds; more on a machine that has other things to do. */
const TIMEOUT_MS = 120_000;

const DOC = readFileSync(join(import.meta.dirname, '../../docs/analysis.md'), 'utf8');
const PUBLISHED = DOC.split('\n').filter((line) => / % of \d+$/.test(line));
const report: string[] = [];
afterAll(() => console.log(report.join('\n')));

/** A line of the table in the docs. */
function publish(name: string, share: number, runs: number): void {
  const line = `${name.padEnd(54)}${(100 * share).toFixed(1).padStart(5)} % of ${runs}`;
  report.push(line);
  expect(PUBLISHED).toContain(line);
}

const logNormal =
  (deviation: number): Value =>
  (random) =>
    20 * Math.exp(deviation * normal(random));
/** Pareto: its third moment is infinite. */
const pareto: Value = (random) => (1 - random.next()) ** (-1 / 2.5);

type Case = readonly [name: string, peeking: Partial<Peeking> & Pick<Peeking, 'start'>];

function seen(name: string, peeking: Case[1]) {
  const whole = { runs: 400, observations: 8000, candidateShare: 0.5, truth: 0, seed: SEED, ...peeking };
  const found = peek(whole);
  publish(name, found.outside, whole.runs);
  return { ...found, limit: tolerated(ALPHA, whole.runs) };
}

describe('an interval that is looked at all the time lies in at most 5 % of the experiments', () => {
  const cases: Case[] = [
    ['failures 0.2 %', { start: proportions(0.002, 0.002, TWO) }],
    ['failures 1 %, a tenth of the traffic', { start: proportions(0.01, 0.01, TWO), candidateShare: 0.1 }],
    [
      'failures 5 %, a fiftieth of the traffic',
      { start: proportions(0.05, 0.05, TWO), candidateShare: 0.02 },
    ],
    ['failures 50 %', { start: proportions(0.5, 0.5, TWO) }],
    ['failures 3 % and 5 %, the difference there is', { start: proportions(0.03, 0.05, TWO), truth: 0.02 }],
    [
      'mean latency, normal, a twentieth',
      { start: means((random) => 20 + normal(random), TWO), candidateShare: 0.05 },
    ],
    ['mean latency, long tail', { start: means(logNormal(1), TWO) }],
    ['mean latency, long tail, a tenth', { start: means(logNormal(1), TWO), candidateShare: 0.1 }],
    [
      'mean latency, very long tail, a twentieth',
      { start: means(logNormal(1.5), TWO), candidateShare: 0.05 },
    ],
    ['mean latency, Pareto, a twentieth', { start: means(pareto, TWO), candidateShare: 0.05 }],
    ['median', { start: quantiles(0.5, logNormal(1), TWO), runs: 200, observations: 4000, growth: 1.05 }],
    [
      'p90, a fifth',
      {
        start: quantiles(0.9, logNormal(1), TWO),
        runs: 200,
        observations: 4000,
        growth: 1.05,
        candidateShare: 0.2,
      },
    ],
    [
      'median of five values',
      {
        start: quantiles(0.5, (random) => 1 + Math.floor(5 * random.next()), TWO),
        runs: 200,
        observations: 4000,
      },
    ],
    ['ratio, units that come back', { start: ratios({ share: 0.1, more: 0.7 }, TWO), runs: 300 }],
    [
      'ratio, units that come back, a fifth',
      { start: ratios({ share: 0.1, more: 0.7 }, TWO), runs: 300, candidateShare: 0.2 },
    ],
  ];

  test.each(cases)(
    '%s',
    (name, peeking) => {
      const { outside, limit } = seen(name, peeking);
      expect(outside).toBeLessThanOrEqual(limit);
    },
    TIMEOUT_MS,
  );

  test(
    'of one side, each end alone',
    () => {
      const { below, above, limit } = seen('one side, failures 5 %', {
        start: proportions(0.05, 0.05, ONE),
        runs: 800,
      });
      // So many that they are no sign of an interval that never says anything.
      expect(below + above).toBeGreaterThan(0);
      expect(below).toBeLessThanOrEqual(limit);
      expect(above).toBeLessThanOrEqual(limit);
    },
    TIMEOUT_MS,
  );

  test(
    'where one for a single look would lie in several times as many',
    () => {
      const fixed = () => {
        const experiment = proportions(0.3, 0.3, TWO)();
        const arms = [0, 0, 0, 0];
        return {
          draw: (isCandidate: boolean, random: Parameters<typeof experiment.draw>[1]) => {
            arms[isCandidate ? 2 : 0]!++;
            if (random.next() < 0.3) arms[isCandidate ? 3 : 1]!++;
          },
          look: () => {
            const [n, x, m, y] = arms as [number, number, number, number];
            if (Math.min(n, m) < 50) return { low: -1, high: 1 };
            const half = 1.96 * Math.sqrt(((x / n) * (1 - x / n)) / n + ((y / m) * (1 - y / m)) / m);
            return { low: y / m - x / n - half, high: y / m - x / n + half };
          },
        };
      };
      expect(
        seen('for comparison: failures 30 %, 1.96 standard errors', { start: fixed }).outside,
      ).toBeGreaterThan(0.2);
    },
    TIMEOUT_MS,
  );
});

describe('the test of shares that is looked at all the time', () => {
  test.each([
    ['50/50', [50, 50]],
    ['90/9/1', [90, 9, 1]],
  ])(
    '%s: alarms in as few experiments as it should',
    (name, shares) => {
      const random = seededRandom(SEED);
      const runs = 1000;
      let alarms = 0;
      for (let run = 0; run < runs; run++) {
        const counts = shares.map(() => 0);
        let lowest = 1;
        for (let unit = 0; unit < 5000; unit++) {
          let at = 100 * random.next();
          let variant = 0;
          while (at >= shares[variant]!) at -= shares[variant++]!;
          counts[variant]!++;
          // A prior that is worth 200 units is the one that would be wrong most often here.
          if (unit % 25 === 0) lowest = mismatchP([{ counts, shares }], lowest, 200);
        }
        if (lowest <= ALPHA) alarms++;
      }
      publish(`shares of units, ${name}`, alarms / runs, runs);
      expect(alarms / runs).toBeGreaterThan(0);
      expect(alarms / runs).toBeLessThanOrEqual(tolerated(ALPHA, runs));
    },
    TIMEOUT_MS,
  );
});

describe('a share that is wrong', () => {
  test.each([
    ['50/50 that is 49/51', 0.5, 0.51],
    ['50/50 that is 45/55', 0.5, 0.55],
    ['99/1 that is 98.5/1.5', 0.01, 0.015],
  ])(
    '%s is found',
    (name, declared, actual) => {
      const random = seededRandom(SEED);
      const runs = 100;
      const foundAfter: number[] = [];
      for (let run = 0; run < runs; run++) {
        let [candidates, units, next] = [0, 0, 100];
        for (let p = 1; p > SRM_ALPHA; ) {
          units++;
          if (random.next() < actual) candidates++;
          if (units < next) continue;
          next = Math.ceil(units * 1.02);
          p = mismatchP([{ counts: [units - candidates, candidates], shares: [1 - declared, declared] }], p);
        }
        foundAfter.push(units);
      }
      foundAfter.sort((a, b) => a - b);
      const line = `${name}: half of ${runs} after ${foundAfter[runs / 2]} units, nine tenths after ${foundAfter[0.9 * runs]}`;
      report.push(line);
      expect(DOC.split('\n')).toContain(line);
    },
    TIMEOUT_MS,
  );
});

describe('what else is looked at all the time', () => {
  test(
    'an interaction that is not there is seen in at most 5 % of the experiments',
    () => {
      // Both experiments do something; what one does is the same beside each variant of the other.
      const shares = [0.04, 0.06, 0.05, 0.07];
      const start = () => {
        const [bad, all] = [
          [0, 0, 0, 0],
          [0, 0, 0, 0],
        ];
        const cell = (index: number) => proportion(bad[index]!, all[index]!);
        return {
          draw(isCandidate: boolean, random: Random) {
            const index = (isCandidate ? 2 : 0) + (random.next() < 0.5 ? 1 : 0);
            all[index]!++;
            if (random.next() < shares[index]!) bad[index]!++;
          },
          look: () => {
            const cells = [
              [cell(0), cell(1)],
              [cell(2), cell(3)],
            ];
            return interactions(cells, TWO)[0] ?? UNKNOWN;
          },
        };
      };
      const { outside, limit } = seen('interaction, 2 by 2', { start });
      expect(outside).toBeLessThanOrEqual(limit);
    },
    TIMEOUT_MS,
  );

  test(
    'a rollout through a day in which failures grow, compared step by step, is not blamed for it',
    () => {
      // Steps of 5, 25 and 50 % while all fail with 1, 3 and 9 %.
      const steps = [
        { share: 0.05, fails: 0.01 },
        { share: 0.25, fails: 0.03 },
        { share: 0.5, fails: 0.09 },
      ];
      const start = (isByStep: boolean) => () => {
        const arms = steps.map(() => ({ bad: [0, 0], all: [0, 0] }));
        let drawn = 0;
        const pair = (bad: readonly number[], all: readonly number[]) => ({
          control: proportion(bad[0]!, all[0]!),
          candidate: proportion(bad[1]!, all[1]!),
        });
        const sum = (kind: 'bad' | 'all') =>
          [0, 1].map((arm) => arms.reduce((total, one) => total + one[kind][arm]!, 0));
        return {
          draw(_: boolean, random: Random) {
            const step = Math.min(2, Math.floor(drawn++ / 3000));
            const arm = random.next() < steps[step]!.share ? 1 : 0;
            arms[step]!.all[arm]!++;
            if (random.next() < steps[step]!.fails) arms[step]!.bad[arm]!++;
          },
          look() {
            const strata = arms.map(({ bad, all }) => pair(bad, all));
            const { control, candidate } = isByStep ? combined(strata) : pair(sum('bad'), sum('all'));
            return compare(control, candidate, TWO);
          },
        };
      };
      const byStep = { start: start(true), observations: 9000 };
      const { outside, limit } = seen('a rollout while failures grow, by step', byStep);
      expect(outside).toBeLessThanOrEqual(limit);
      const added = { start: start(false), observations: 9000, runs: 100 };
      expect(seen('for comparison: the same, added up', added).outside).toBeGreaterThan(0.9);
    },
    TIMEOUT_MS,
  );

  test(
    'a share of units on two variants that is at its limit is called a breach, or fine, in at most 5 %',
    () => {
      const start = () => {
        let [crossed, units] = [0, 0];
        return {
          draw(_: boolean, random: Random) {
            units++;
            if (random.next() < 0.01) crossed++;
          },
          look: () => judgeCrossover(crossed, units, { alpha: ALPHA }),
        };
      };
      const { outside, limit } = seen('units on two variants, 1 %', {
        start,
        truth: 0.01,
        observations: 4000,
        growth: 1.05,
      });
      expect(outside).toBeLessThanOrEqual(limit);
    },
    TIMEOUT_MS,
  );
});
