import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Buckets, DURATION_BUCKETS, Histogram, OVERHEAD_BUCKETS } from '../../../src/telemetry/histogram.ts';

/** The obvious search that the table replaces. */
function search(boundsMs: Float64Array, durationMs: number): number {
  const index = boundsMs.findIndex((bound) => durationMs <= bound);
  return index < 0 ? boundsMs.length : index;
}

function counts(histogram: Histogram): number[] {
  return Array.from({ length: histogram.buckets.count }, (_, index) => histogram.count(index));
}

describe('a bucket', () => {
  test('includes its upper end and nothing above it', () => {
    const index = (ms: number) => DURATION_BUCKETS.indexOf(ms);
    expect(index(0.5)).toBe(0);
    expect(index(0.5000001)).toBe(1);
    expect(index(250)).toBe(8);
    expect(index(250.0001)).toBe(9);
    expect(index(60_000)).toBe(15);
    expect(index(60_000.001)).toBe(16);
  });

  test('takes what is no duration: zero, negative, NaN, endless', () => {
    expect(DURATION_BUCKETS.indexOf(0)).toBe(0);
    expect(DURATION_BUCKETS.indexOf(-3)).toBe(0);
    expect(DURATION_BUCKETS.indexOf(Number.NaN)).toBe(0);
    expect(DURATION_BUCKETS.indexOf(1e12)).toBe(16);
    expect(DURATION_BUCKETS.indexOf(Number.POSITIVE_INFINITY)).toBe(16);
  });

  test.each([
    ['durations', DURATION_BUCKETS],
    ['overheads', OVERHEAD_BUCKETS],
  ])('of %s is the one that a search finds', (_name, buckets) => {
    const exponent = fc.double({ min: -4, max: 7, noNaN: true }).map((power) => 10 ** power);
    const nearBound = fc
      .tuple(fc.constantFrom(...buckets.boundsMs), fc.constantFrom(-1e-9, -1e-12, 0, 1e-12, 1e-9, 1e-3))
      .map(([bound, off]) => bound * (1 + off));
    fc.assert(
      fc.property(fc.oneof(exponent, nearBound), (ms) => {
        expect(buckets.indexOf(ms)).toBe(search(buckets.boundsMs, ms));
      }),
      { numRuns: 5000 },
    );
  });

  test('may not be closer to another than a cell is wide', () => {
    expect(() => new Buckets([0.1, 0.101])).toThrow('0.101 s');
    expect(() => new Buckets([0.2, 0.1])).toThrow(RangeError);
    expect(() => new Buckets([5000])).toThrow(RangeError);
  });
});

describe('a histogram', () => {
  test('counts and adds up', () => {
    const histogram = new Histogram(new Buckets([0.001, 0.01]));
    for (const ms of [0.2, 1, 1.5, 20]) histogram.record(ms);
    expect(counts(histogram)).toEqual([2, 1, 1]);
    expect(histogram.sumMs).toBeCloseTo(22.7);
  });

  test('does not lose its sum to a duration that is none', () => {
    const histogram = new Histogram(new Buckets([0.001]));
    histogram.record(Number.NaN);
    histogram.record(0.5);
    expect(counts(histogram)).toEqual([2, 0]);
    expect(histogram.sumMs).toBe(0.5);
  });

  test('is empty until the first, and counts nothing of the thousands beside it', () => {
    const histograms = Array.from({ length: 2000 }, () => new Histogram(DURATION_BUCKETS));
    expect(histograms.every(({ isEmpty, total, sumMs }) => isEmpty && total + sumMs === 0)).toBe(true);
    for (const [index, histogram] of histograms.entries())
      for (let call = 0; call < index % 5; call++) histogram.record(index);
    for (const [index, histogram] of histograms.entries()) {
      const calls = index % 5;
      expect([histogram.total, histogram.sumMs]).toEqual([calls, calls * index]);
      expect(histogram.count(DURATION_BUCKETS.indexOf(index))).toBe(calls);
    }
  });
});
