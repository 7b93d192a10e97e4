/** Two shares beside each other: exact, at every look. */
import { describe, expect, it } from 'vitest';
import { TUNED_FOR } from '../../../src/analysis/sequence.ts';
import { compareShares } from '../../../src/analysis/share-difference.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const SETTINGS = { alpha: 0.05, sides: 'one', tunedFor: TUNED_FOR } as const;
const between = (control: [number, number], candidate: [number, number]) =>
  compareShares(
    { hits: control[0], trials: control[1] },
    { hits: candidate[0], trials: candidate[1] },
    SETTINGS,
  );

describe('the difference of two shares', () => {
  it('is known when nothing has ever failed', () => {
    const { low, high } = between([0, 2_000], [0, 2_000]);
    expect(high).toBeLessThan(0.01);
    expect(low).toBeCloseTo(-high, 6);
  });

  it('is found by the first requests when everything fails', () => {
    const { low, p } = between([0, 100], [20, 20]);
    expect(low).toBeGreaterThan(0.5);
    expect(p).toBeLessThan(0.001);
  });

  it('is not known of a variant that nobody has asked', () => {
    expect(between([0, 100], [0, 0])).toMatchObject({ candidate: null, difference: null, p: 1 });
  });

  it('is narrower with more data, and always around what was seen', () => {
    let width = 2;
    for (const n of [100, 1_000, 10_000, 100_000]) {
      const { low, high } = between([n / 50, n], [n / 20, n]);
      expect(low).toBeLessThan(0.03);
      expect(high).toBeGreaterThan(0.03);
      expect(high - low).toBeLessThan(width);
      width = high - low;
    }
  });

  it('holds at every look: the truth is beyond either end in at most 5 % of all runs, ever', () => {
    const random = seededRandom(7);
    const runs = 150;
    const wrong = { low: 0, high: 0 };
    for (let run = 0; run < runs; run++) {
      const hits: [number, number] = [0, 0];
      let isLow = false;
      let isHigh = false;
      for (let n = 1, look = 4; n <= 1_024; n++) {
        if (random.next() < 0.02) hits[0]++;
        if (random.next() < 0.05) hits[1]++;
        if (n !== look) continue;
        look = Math.ceil(look * 1.5);
        const { low, high } = between([hits[0], n], [hits[1], n]);
        isLow ||= low > 0.03;
        isHigh ||= high < 0.03;
      }
      if (isLow) wrong.low++;
      if (isHigh) wrong.high++;
    }
    // 5 % of 150, and three standard errors of that.
    expect(wrong.low).toBeLessThanOrEqual(15);
    expect(wrong.high).toBeLessThanOrEqual(15);
  });
});
