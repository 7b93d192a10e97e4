import { describe, expect, test } from 'vitest';
import { slope, spread } from '../../../bench/support/statistics.ts';

describe('spread', () => {
  test('is the median and the quartiles, between values if need be', () => {
    expect(spread([4, 1, 3, 2])).toEqual({ median: 2.5, q1: 1.75, q3: 3.25 });
    expect(spread([7])).toEqual({ median: 7, q1: 7, q3: 7 });
  });

  test('of nothing is a mistake', () => {
    expect(() => spread([])).toThrow(RangeError);
  });
});

describe('slope', () => {
  test('is that of the line through the points', () => {
    const points = [0, 5, 10, 15].map((at) => ({ at, value: 3 + 2 * at }));
    expect(slope(points)).toBeCloseTo(2);
  });

  test('of noise around a level is small', () => {
    const points = [100, 102, 99, 101, 100].map((value, at) => ({ at, value }));
    expect(Math.abs(slope(points))).toBeLessThan(0.5);
  });

  test('of one point, or of several at one time, is 0', () => {
    expect(slope([{ at: 1, value: 9 }])).toBe(0);
    expect(slope([1, 2].map((value) => ({ at: 1, value })))).toBe(0);
  });
});
