/** The difference of quantiles: what is left after the evidence of both variants. */
import { describe, expect, test } from 'vitest';
import { Distribution } from '../../../src/analysis/distribution.ts';
import { compareQuantiles } from '../../../src/analysis/quantile-difference.ts';
import { normal } from '../../support/peeking.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const SETTINGS = { alpha: 0.05, sides: 'two', tunedFor: 5000 } as const;

function latencies(count: number, medianMs: number, seed: number): Distribution {
  const random = seededRandom(seed);
  const distribution = new Distribution();
  for (let i = 0; i < count; i++) distribution.add(medianMs * Math.exp(0.5 * normal(random)));
  return distribution;
}

function same(count: number, value: number): Distribution {
  const distribution = new Distribution();
  for (let i = 0; i < count; i++) distribution.add(value);
  return distribution;
}

describe('the difference of a quantile', () => {
  test('is found, with an interval around it and a p-value that agrees', () => {
    const [control, candidate] = [latencies(4000, 20, 1), latencies(4000, 26, 2)];
    const found = compareQuantiles({ control, candidate, quantile: 0.5 }, SETTINGS);
    expect(found.difference).toBeCloseTo(6, 0);
    expect(found.low).toBeGreaterThan(3);
    expect(found.high).toBeLessThan(9);
    expect(found.p).toBeLessThan(0.05);
    const none = compareQuantiles({ control, candidate: latencies(4000, 20, 3), quantile: 0.5 }, SETTINGS);
    expect(none.low).toBeLessThan(0);
    expect(none.high).toBeGreaterThan(0);
    expect(none.p).toBeGreaterThan(0.05);
  });

  test('of a high quantile has no upper end with few values, and says how many it takes', () => {
    const early = compareQuantiles(
      { control: latencies(300, 20, 1), candidate: latencies(300, 20, 2), quantile: 0.99 },
      SETTINGS,
    );
    expect([early.low, early.high]).toEqual([-Infinity, Infinity]);
    expect(early.observationsMissing).toBeGreaterThan(0);
    const half = (600 + early.observationsMissing) / 2;
    const later = (count: number) =>
      compareQuantiles(
        { control: latencies(count, 20, 1), candidate: latencies(count, 20, 2), quantile: 0.99 },
        SETTINGS,
      );
    expect(later(Math.ceil(half * 0.95)).high).toBe(Infinity);
    expect(later(Math.ceil(half * 1.05)).high).toBeLessThan(1000);
  });

  test('of values that are all the same is within a bucket of none', () => {
    const { low, high, difference } = compareQuantiles(
      { control: same(3000, 100), candidate: same(3000, 100), quantile: 0.5 },
      SETTINGS,
    );
    expect(difference).toBe(0);
    expect(low).toBeGreaterThan(-2.1);
    expect(low).toBeLessThan(0);
    expect(high).toBeLessThan(2.1);
  });

  test('without values on a side is not known', () => {
    const nothing = { control: new Distribution(), candidate: same(3, 1), quantile: 0.5 };
    expect(compareQuantiles(nothing, SETTINGS)).toMatchObject({
      control: null,
      difference: null,
      low: -Infinity,
      high: Infinity,
      p: 1,
    });
  });

  test('turned round, it is the mirror image', () => {
    const [control, candidate] = [latencies(2000, 20, 1), latencies(700, 26, 2)];
    const there = compareQuantiles({ control, candidate, quantile: 0.9 }, SETTINGS);
    const back = compareQuantiles({ control: candidate, candidate: control, quantile: 0.9 }, SETTINGS);
    expect(back.low).toBeCloseTo(-there.high, 9);
    expect(back.high).toBeCloseTo(-there.low, 9);
    expect(back.p).toBeCloseTo(there.p, 9);
  });
});
