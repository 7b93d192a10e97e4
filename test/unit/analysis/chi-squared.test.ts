/** Against the published tables of the distribution, and by simulation. */
import { describe, expect, test } from 'vitest';
import { chiSquaredTail, goodnessOfFit } from '../../../src/analysis/chi-squared.ts';
import { seededRandom } from '../../support/seeded-random.ts';

describe('the tail of the chi-squared distribution', () => {
  // NIST/SEMATECH e-Handbook of Statistical Methods, table 1.3.6.7.4: upper critical values, three decimals.
  test.each([
    [1, [2.706, 3.841, 5.024, 6.635, 10.828]],
    [2, [4.605, 5.991, 7.378, 9.21, 13.816]],
    [3, [6.251, 7.815, 9.348, 11.345, 16.266]],
    [4, [7.779, 9.488, 11.143, 13.277, 18.467]],
    [5, [9.236, 11.07, 12.833, 15.086, 20.515]],
    [10, [15.987, 18.307, 20.483, 23.209, 29.588]],
    [25, [34.382, 37.652, 40.646, 44.314, 52.62]],
    [100, [118.498, 124.342, 129.561, 135.807, 149.449]],
  ])('has the published critical values with %i degrees of freedom', (degrees, values) => {
    for (const [index, level] of [0.1, 0.05, 0.025, 0.01, 0.001].entries())
      expect(Math.abs(chiSquaredTail(values[index]!, degrees) / level - 1)).toBeLessThan(0.0015);
  });

  test('is exact where there is a formula, also far out', () => {
    expect(chiSquaredTail(10, 2)).toBeCloseTo(Math.exp(-5), 14);
    expect(chiSquaredTail(100, 2) / Math.exp(-50)).toBeCloseTo(1, 12);
    expect(chiSquaredTail(20, 4) / (11 * Math.exp(-10))).toBeCloseTo(1, 12);
    // One degree of freedom is a squared normal variable: beyond 5 and 8 standard deviations, both sides.
    expect(chiSquaredTail(25, 1) / 5.733031437583866e-7).toBeCloseTo(1, 10);
    expect(chiSquaredTail(64, 1) / 1.2441921148543568e-15).toBeCloseTo(1, 10);
  });

  test('goes from 1 down to 0, and does not jump where the method changes', () => {
    expect(chiSquaredTail(0, 3)).toBe(1);
    expect(chiSquaredTail(Number.POSITIVE_INFINITY, 3)).toBe(0);
    for (const degrees of [1, 3, 7]) {
      for (let x = 0.05; x < 40; x += 0.05)
        expect(chiSquaredTail(x, degrees)).toBeGreaterThan(chiSquaredTail(x + 0.05, degrees));
      expect(chiSquaredTail(8 - 1e-9, degrees) / chiSquaredTail(8 + 1e-9, degrees)).toBeCloseTo(1, 7);
    }
  });
});

describe('the test of counts', () => {
  test('is the textbook one', () => {
    // 315, 108, 101 and 32 peas of Mendel's against 9:3:3:1.
    const peas = goodnessOfFit([315, 108, 101, 32], [9, 3, 3, 1])!;
    expect(peas.statistic).toBeCloseTo(0.47002, 5);
    expect(peas.degreesOfFreedom).toBe(3);
    expect(peas.p).toBeCloseTo(0.92543, 4);
  });

  test('leaves out what has no share, and is certain when that got somebody', () => {
    expect(goodnessOfFit([50, 0, 50], [1, 0, 1])).toMatchObject({ statistic: 0, degreesOfFreedom: 1, p: 1 });
    expect(goodnessOfFit([50, 1, 50], [1, 0, 1])!.p).toBe(0);
  });

  test('does not judge a handful, or a share of all', () => {
    expect(goodnessOfFit([9, 0], [99, 1])).toBeNull();
    expect(goodnessOfFit([1000, 0], [1, 0])).toBeNull();
  });

  test('refuses true shares as often as its level says', () => {
    const random = seededRandom(7);
    let refused = 0;
    for (let run = 0; run < 2000; run++) {
      const counts = [0, 0, 0];
      for (let i = 0; i < 500; i++) {
        const at = random.next();
        counts[at < 0.8 ? 0 : at < 0.95 ? 1 : 2]!++;
      }
      if (goodnessOfFit(counts, [80, 15, 5])!.p < 0.05) refused++;
    }
    // 100 are expected with a standard deviation of 10.
    expect(refused).toBeGreaterThan(60);
    expect(refused).toBeLessThan(140);
  });
});
