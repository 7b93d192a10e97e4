/** What results are made of: units as tosses, units that come back, tables of two experiments. */
import { describe, expect, test } from 'vitest';
import type { CollectedPair, CollectedUnitArm } from '../../../../src/analysis/collection/collected.ts';
import { ratio } from '../../../../src/analysis/estimate.ts';
import { dependenceEvidence } from '../../../../src/analysis/results/dependence.ts';
import { interactionResults } from '../../../../src/analysis/results/interaction-result.ts';
import { partOfSplit } from '../../../../src/analysis/results/split-alpha.ts';
import { tossesOfUnits } from '../../../../src/analysis/results/unit-tosses.ts';
import { combined } from '../../../../src/analysis/strata.ts';
import { UnitSums } from '../../../../src/analysis/unit-sums.ts';
import { ERRORS, LATENCY } from '../../../support/collected.ts';
import { seededRandom } from '../../../support/seeded-random.ts';

function sumsOf(
  units: number,
  of: (unit: number) => readonly [failures: number, requests: number],
): UnitSums {
  const sums = new UnitSums();
  for (let unit = 0; unit < units; unit++) sums.add(...of(unit));
  return sums;
}

describe('requests of units as tosses', () => {
  test('are worth one a unit while nothing has failed', () => {
    const { hits, trials } = tossesOfUnits(sumsOf(1000, () => [0, 10]));
    expect(hits).toBe(0);
    expect(trials).toBeCloseTo(1001, -1);
  });

  test('are worth one a unit when a unit fails always or never', () => {
    const { hits, trials } = tossesOfUnits(sumsOf(1000, (unit) => (unit % 10 === 0 ? [10, 10] : [0, 10])));
    expect(trials).toBeCloseTo(1000, -1);
    expect(hits / trials).toBeCloseTo(0.1, 10);
  });

  test('are worth about one a request when each fails at random', () => {
    const random = seededRandom(1);
    const failures = () => Array.from({ length: 10 }, () => random.next()).filter((x) => x < 0.1).length;
    const { trials } = tossesOfUnits(sumsOf(2000, () => [failures(), 10]));
    expect(trials).toBeGreaterThan(17_000);
    expect(trials).toBeLessThanOrEqual(20_000);
  });

  test('of nobody are none', () => {
    expect(tossesOfUnits(new UnitSums())).toEqual({ hits: 0, trials: 0 });
  });
});

describe('the average over times with different splits, of units that come back', () => {
  const of = (units: number) => ratio(sumsOf(units, (unit) => [unit % 7 === 0 ? 8 : 1, 4]));

  test('is of one time what that time says', () => {
    const stratum = { control: of(700), candidate: of(350) };
    const { control, candidate } = combined([stratum], 'again');
    for (const [average, one] of [
      [control, stratum.control],
      [candidate, stratum.candidate],
    ] as const) {
      expect(average.value).toBeCloseTo(one.value, 12);
      expect(average.variance / one.variance).toBeCloseTo(1, 10);
      expect(average.thirdMoment / one.thirdMoment).toBeCloseTo(1, 10);
    }
  });

  test('has after four times with the same units the error of one of them', () => {
    const stratum = { control: of(700), candidate: of(700) };
    const error = (observed: 'once' | 'again') => {
      const { control } = combined([stratum, stratum, stratum, stratum], observed);
      return Math.sqrt(control.variance / control.observations);
    };
    const one = Math.sqrt(stratum.control.variance / 700);
    expect(error('again') / one).toBeCloseTo(1, 10);
    expect(error('once') / one).toBeCloseTo(1 / 2, 10);
  });
});

test('the parts of alpha for the splits add up to no more than one', () => {
  const parts = Array.from({ length: 1000 }, (_, index) => partOfSplit(index));
  expect(parts[0]).toBe(1 / 2);
  expect(parts.reduce((sum, part) => sum + part, 0)).toBeLessThan(1);
});

describe('whether two experiments are dealt out independently', () => {
  test('is not doubted in more than alpha of those that are, at any look', () => {
    const random = seededRandom(3);
    let alarms = 0;
    for (let run = 0; run < 200; run++) {
      const table = [
        [0, 0],
        [0, 0],
      ];
      let most = 0;
      for (let unit = 1; unit <= 3000; unit++) {
        table[random.next() < 0.2 ? 1 : 0]![random.next() < 0.5 ? 1 : 0]!++;
        if (unit % 50 === 0) most = Math.max(most, dependenceEvidence(table));
      }
      if (most > -Math.log(0.05)) alarms++;
    }
    expect(alarms).toBeLessThanOrEqual(10);
  });

  test('is found not to be so', () => {
    expect(
      dependenceEvidence([
        [700, 300],
        [300, 700],
      ]),
    ).toBeGreaterThan(100);
    expect(dependenceEvidence([[0, 0]])).toBe(0);
  });
});

describe('what is said of two experiments', () => {
  const arm = (units: number, failing: number, ms = 10): CollectedUnitArm => ({
    units,
    dealt: units,
    distinct: units,
    sums: new Map([
      ['errors', sumsOf(units, (unit) => [failing > 0 && unit % failing === 0 ? 2 : 0, 4])],
      ['latency', sumsOf(units, (unit) => [4 * (ms + (unit % 5)), 4])],
    ]),
  });
  const pair = (cells: CollectedPair['cells']): CollectedPair => ({
    other: 'banner',
    otherVariants: ['plain', 'loud'],
    otherFallback: 0,
    cells,
  });
  const question = {
    variants: ['control', 'candidate'],
    fallback: 0,
    plan: { alpha: 0.05, metrics: [ERRORS] },
  };
  const said = (one: CollectedPair, plan = question.plan) =>
    interactionResults([one], { ...question, plan })[0]!;

  test('an effect that is there only together is named', () => {
    const cells = [
      [arm(1000, 50), arm(1000, 50)],
      [arm(1000, 50), arm(1000, 5)],
    ];
    expect(said(pair(cells))).toEqual({
      other: 'banner',
      isInteracting: true,
      reason: expect.stringMatching(
        /^errors of candidate beside banner loud differs from the sum of what each does: between \+6\.26 pp and \+11\.7 pp/,
      ),
    });
  });

  test('it is the first goal that is looked at', () => {
    const cells = [
      [arm(1000, 0, 10), arm(1000, 0, 10)],
      [arm(1000, 0, 10), arm(1000, 0, 30)],
    ];
    const plan = { alpha: 0.05, metrics: [ERRORS, LATENCY] };
    expect(said(pair(cells), plan).reason).toMatch(/^latency of candidate beside banner loud differs/);
    expect(said(pair(cells)).isInteracting).toBe(false);
  });

  test('two that both do something are no interaction, nor is a small cell that saw no failure', () => {
    const cells = [
      [arm(20_000, 50), arm(20_000, 25)],
      [arm(20_000, 25), arm(20_000, 17)],
    ];
    expect(said(pair(cells)).isInteracting).toBe(false);
    const small = [
      [arm(20_000, 500), arm(400, 0)],
      [arm(5000, 500), arm(100, 0)],
    ];
    expect(said(pair(small))).toMatchObject({ isInteracting: false });
  });

  test('variants that depend on each other are', () => {
    const cells = [
      [arm(900, 0), arm(300, 0)],
      [arm(300, 0), arm(900, 0)],
    ];
    expect(said(pair(cells)).reason).toMatch(/^who gets a variant depends on the variant of banner/);
  });

  test('too few units are said to be too few', () => {
    const cells = [
      [arm(10, 0), arm(10, 0)],
      [arm(10, 0), arm(10, 0)],
    ];
    expect(said(pair(cells)).reason).toBe('too few units in both to say');
  });
});
