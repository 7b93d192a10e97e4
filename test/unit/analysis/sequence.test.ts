/** Estimates, intervals and evidence, against what GrowthBook's and Optimizely's packages and scipy answer. */
import { describe, expect, test } from 'vitest';
import { alphaBudget } from '../../../src/analysis/alpha-budget.ts';
import { type Estimate, mean, proportion, ratio, scaled } from '../../../src/analysis/estimate.ts';
import { compare, OBSERVATIONS_MIN } from '../../../src/analysis/interval.ts';
import { concentrationFor, evidenceAgainst, shareBounds } from '../../../src/analysis/mixture.ts';
import { Moments } from '../../../src/analysis/moments.ts';
import {
  mixingVariance,
  type SequenceSettings,
  sequenceP,
  sequenceWidth,
} from '../../../src/analysis/sequence.ts';
import { bent, straightened } from '../../../src/analysis/skewness.ts';
import { combined } from '../../../src/analysis/strata.ts';
import { UnitSums } from '../../../src/analysis/unit-sums.ts';
import vectors from '../../vectors/analysis.json' with { type: 'json' };

const SETTINGS: SequenceSettings = { alpha: 0.05, sides: 'two', tunedFor: 5000 };

function estimateOf(kind: string, sums: readonly number[]): Estimate {
  const [n, x, y, xx, xy, yy] = sums as [number, number, number, number, number, number];
  if (kind === 'proportion') return proportion(sums[0]!, sums[1]!);
  if (kind === 'mean') {
    const form = { kind: 'moments', version: 1, count: n, mean: x / n, m2: y - x ** 2 / n, m3: 0 };
    return mean(Moments.fromJSON(form));
  }
  const none = { xxx: 0, xxy: 0, xyy: 0, yyy: 0 };
  return ratio(UnitSums.fromJSON({ kind: 'unit-sums', version: 1, units: n, x, y, xx, xy, yy, ...none }));
}

describe('the interval of a difference', () => {
  test.each(vectors.sequential)("of a $kind with $control and $candidate is GrowthBook's", (vector) => {
    const settings = { alpha: vector.alpha, sides: 'two', tunedFor: vector.tunedFor } as const;
    const [control, candidate] = [
      estimateOf(vector.kind, vector.control),
      estimateOf(vector.kind, vector.candidate),
    ];
    const observations = control.observations + candidate.observations;
    expect(candidate.value - control.value).toBeCloseTo(vector.difference, 12);
    const half = vector.standardError * sequenceWidth(observations, settings);
    expect(vector.difference - half).toBeCloseTo(vector.low, 10);
    expect(vector.difference + half).toBeCloseTo(vector.high, 10);
    const p = sequenceP(vector.difference / vector.standardError, observations, settings);
    expect(Math.abs(Math.log(p / vector.p))).toBeLessThan(1e-6);
    const error = Math.sqrt(
      control.variance / control.observations + candidate.variance / candidate.observations,
    );
    // A proportion has one hit and one miss more here: at most half of that share more error.
    const hitsMin = Math.min(vector.control[0]!, vector.candidate[0]!);
    const tolerance = vector.kind === 'proportion' ? 1 / hitsMin : 1e-9;
    expect(Math.abs(error / vector.standardError - 1)).toBeLessThan(tolerance);
  });

  test('excludes no difference exactly when the p-value is below alpha, for one side and two', () => {
    for (const sides of ['one', 'two'] as const)
      for (const observations of [1, 100, 5000, 1e7]) {
        const settings = { ...SETTINGS, sides };
        const width = sequenceWidth(observations, settings);
        expect(sequenceP(width, observations, settings)).toBeCloseTo(0.05, 10);
        expect(sequenceP(width * 1.01, observations, settings)).toBeLessThan(0.05);
      }
    expect(sequenceP(-5, 1000, { ...SETTINGS, sides: 'one' })).toBe(1);
    expect(sequenceP(400, 1e6, SETTINGS)).toBe(0);
  });

  test('is narrowest, beside that of one look, near where it is tuned for, and narrower to one side', () => {
    const width = (observations: number): number => sequenceWidth(observations, SETTINGS);
    expect(width(5000)).toBeLessThan(width(200));
    expect(width(5000)).toBeLessThan(width(500_000));
    expect(sequenceWidth(5000, { ...SETTINGS, sides: 'one' })).toBeLessThan(width(5000));
  });

  test('is not given for a handful, and says how many are missing', () => {
    const few = compare(proportion(1, 500), proportion(0, 10), SETTINGS);
    expect(few).toMatchObject({ low: -Infinity, high: Infinity, p: 1, observationsMissing: 2040 });
    expect(few.difference).toBeCloseTo(-0.002, 12);
    expect(compare(proportion(0, 500), proportion(0, 0), SETTINGS)).toMatchObject({
      candidate: null,
      difference: null,
      observationsMissing: Infinity,
    });
  });

  test('is not narrow because an arm has seen no failure yet', () => {
    const { low, high } = compare(proportion(0, OBSERVATIONS_MIN), proportion(0, OBSERVATIONS_MIN), SETTINGS);
    expect(low).toBeLessThan(-0.1);
    expect(high).toBeGreaterThan(0.1);
  });

  test('a small arm of lopsided values has no end where it would lie, and still shows what is plainly worse', () => {
    const arm = (count: number, slowEvery: number): Moments => {
      const moments = new Moments();
      for (let i = 1; i <= count; i++) moments.add(i % slowEvery === 0 ? 2000 : 10);
      return moments;
    };
    const lucky = compare(mean(arm(20_000, 100)), mean(arm(99, 100)), SETTINGS);
    expect(lucky).toMatchObject({ high: Infinity, p: 1 });
    expect(lucky.observationsMissing).toBeGreaterThan(10_000);
    const broken = compare(mean(arm(20_000, 100)), mean(arm(100, 2)), SETTINGS);
    expect(broken.low).toBeGreaterThan(300);
    expect(broken.p).toBeLessThan(0.001);
  });

  test('turned round, it is the mirror image', () => {
    const [one, other] = [proportion(30, 2000), proportion(50, 2500)];
    const there = compare(one, other, SETTINGS);
    const back = compare(other, one, SETTINGS);
    expect(back.low).toBeCloseTo(-there.high, 12);
    expect(back.high).toBeCloseTo(-there.low, 12);
    expect(back.p).toBeCloseTo(there.p, 12);
  });

  test('what removes skewness can be undone', () => {
    for (const skewness of [-0.3, -0.01, 0, 1e-9, 0.2])
      for (const errors of [-4, -1, 0, 0.5, 6])
        expect(straightened(bent(errors, skewness), skewness)).toBeCloseTo(errors, 6);
  });
});

describe('strata', () => {
  test('of one are that one, and empty ones say nothing', () => {
    const stratum = { control: proportion(30, 2000), candidate: proportion(50, 2500) };
    const { control, candidate } = combined([
      stratum,
      { control: proportion(5, 10), candidate: proportion(0, 0) },
    ]);
    for (const [found, one] of [
      [control, stratum.control],
      [candidate, stratum.candidate],
    ] as const) {
      expect(found.observations).toBe(one.observations);
      expect(found.value).toBeCloseTo(one.value, 12);
      expect(found.variance).toBeCloseTo(one.variance, 12);
      expect(found.thirdMoment).toBeCloseTo(one.thirdMoment, 12);
    }
    expect(compare(combined([]).control, combined([]).candidate, SETTINGS).difference).toBeNull();
  });

  test('in which the candidate is the same as control are the same together, whatever the shares', () => {
    const { control, candidate } = combined([
      { control: proportion(95, 9500), candidate: proportion(5, 500) },
      { control: proportion(500, 5000), candidate: proportion(500, 5000) },
    ]);
    expect(candidate.value).toBeCloseTo(control.value, 12);
    // Of two equal halves the error is that of the whole.
    const half = proportion(50, 1000);
    const both = combined([
      { control: half, candidate: half },
      { control: half, candidate: half },
    ]);
    expect(both.control.variance / both.control.observations).toBeCloseTo(half.variance / 2000, 12);
  });

  test('a scaled estimate is that of scaled values', () => {
    const [plain, double] = [new Moments(), new Moments()];
    for (const value of [1, 2, 9, 4]) {
      plain.add(value);
      double.add(2 * value);
    }
    const [found, expected] = [scaled(mean(plain), 2), mean(double)];
    for (const field of ['value', 'variance', 'thirdMoment', 'observations'] as const)
      expect(found[field]).toBeCloseTo(expected[field], 9);
  });
});

describe('the evidence of a mixture', () => {
  test.each(vectors.mixture)("against $p with $successes of $trials is scipy's", (vector) => {
    const { trials, successes: hits, p, concentration, logEvidence } = vector;
    expect(evidenceAgainst({ hits, trials }, p, concentration)).toBeCloseTo(logEvidence, 7);
  });

  test('is nothing without tosses, and endless against what cannot be', () => {
    expect(evidenceAgainst({ hits: 0, trials: 0 }, 0.3, 100)).toBeCloseTo(0, 10);
    expect(evidenceAgainst({ hits: 1, trials: 9 }, 0, 100)).toBe(Infinity);
    expect(evidenceAgainst({ hits: 8, trials: 9 }, 1, 100)).toBe(Infinity);
  });

  test('gives bounds that hold what is seen and narrow', () => {
    const concentration = concentrationFor(mixingVariance(SETTINGS));
    const few = shareBounds({ hits: 3, trials: 100 }, 0.05, concentration);
    const many = shareBounds({ hits: 300, trials: 10_000 }, 0.05, concentration);
    expect(few.low).toBeLessThan(many.low);
    expect(many.low).toBeLessThan(0.03);
    expect(many.high).toBeGreaterThan(0.03);
    expect(few.high).toBeGreaterThan(many.high);
    expect(evidenceAgainst({ hits: 300, trials: 10_000 }, many.high, concentration)).toBeCloseTo(
      Math.log(20),
      6,
    );
    expect(shareBounds({ hits: 0, trials: 0 }, 0.05, concentration)).toEqual({ low: 0, high: 1 });
    expect(shareBounds({ hits: 0, trials: 50 }, 0.05, concentration).low).toBe(0);
  });
});

describe('an alpha budget', () => {
  test('is shared by weight and never exceeded', () => {
    const budget = alphaBudget(0.05, [{ name: 'errors', weight: 3 }, { name: 'p99' }, { name: 'cost' }]);
    expect(budget.get('errors')).toBeCloseTo(0.03, 12);
    expect(budget.get('p99')).toBeCloseTo(0.01, 12);
    expect([...budget.values()].reduce((sum, part) => sum + part)).toBeCloseTo(0.05, 12);
    expect(() => alphaBudget(0.05, [{ name: 'errors', weight: 0 }])).toThrow(/weight of errors/);
  });
});
