import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addLatencies, Latencies } from '../../../src/resilience/latencies.ts';
import { columnOf, firstFrom, LATENCY_COLUMNS, lowerMs } from '../../../src/resilience/latency-scale.ts';

const EVER = Number.NEGATIVE_INFINITY;
const WATCH = { levelsMs: [100, 300], hasHistogram: true };

function sizesOf(latencies: Latencies, sinceMs = EVER): Uint32Array {
  const sizes = new Uint32Array(LATENCY_COLUMNS);
  latencies.sizes(sinceMs, sizes);
  return sizes;
}

describe('sizes of latencies', () => {
  test('begin where the size before ends, and none is wider than 4.5 %', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 100_000, noNaN: true }), (ms) => {
        const column = columnOf(ms);
        expect(lowerMs(column)).toBeLessThanOrEqual(ms * (1 + 1e-12));
        if (column < LATENCY_COLUMNS - 1) expect(lowerMs(column + 1)).toBeGreaterThan(ms * (1 - 1e-12));
        if (column > 0 && column < LATENCY_COLUMNS - 1)
          expect(lowerMs(column + 1) / lowerMs(column)).toBeLessThan(1.045);
      }),
    );
  });

  test('reach from 1 ms to 65.5 s, and hold what is shorter and longer', () => {
    expect([columnOf(0), columnOf(0.99), columnOf(1)]).toEqual([0, 0, 1]);
    expect([columnOf(65_535), columnOf(65_536), columnOf(1e9)]).toEqual([
      LATENCY_COLUMNS - 2,
      LATENCY_COLUMNS - 1,
      LATENCY_COLUMNS - 1,
    ]);
  });

  test('from a time on hold nothing that is shorter', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 60_000, noNaN: true }), (ms) => {
        expect(lowerMs(firstFrom(ms))).toBeGreaterThanOrEqual(ms);
      }),
    );
    expect(firstFrom(100_000)).toBe(LATENCY_COLUMNS);
  });
});

describe('latencies', () => {
  test('are counted past each level, and not at it', () => {
    const latencies = new Latencies(10_000, WATCH);
    for (const ms of [50, 100, 101, 300, 301]) latencies.add(true, ms, 0);
    expect(latencies.over(100, 0, EVER)).toEqual({ bad: 3, calls: 5 });
    expect(latencies.over(300, 0, EVER)).toEqual({ bad: 1, calls: 5 });
    expect(latencies.over(200, 0, EVER)).toBeNull();
  });

  test('of calls that failed fast are left out, and of those that failed late are known to be long', () => {
    const latencies = new Latencies(10_000, WATCH);
    latencies.add(true, 10, 0);
    latencies.add(false, 1, 0);
    latencies.add(false, 200, 0);
    expect(latencies.over(100, 0, EVER)).toEqual({ bad: 1, calls: 2 });
    expect(latencies.over(300, 0, EVER)).toEqual({ bad: 0, calls: 1 });
    expect(sizesOf(latencies).reduce((sum, count) => sum + count)).toBe(1);
  });

  test('of calls in flight, here and elsewhere, count from the moment they pass a level', () => {
    const latencies = new Latencies(10_000, WATCH);
    latencies.add(true, 10, 0);
    latencies.agedElsewhere = [4, 2];
    expect(latencies.over(100, 3, EVER)).toEqual({ bad: 7, calls: 8 });
    expect(latencies.over(300, 0, EVER)).toEqual({ bad: 2, calls: 3 });
  });

  test('leave the window, and can be asked for since a time', () => {
    const latencies = new Latencies(10_000, WATCH);
    latencies.add(true, 150, 0);
    latencies.add(true, 150, 5_000);
    expect(latencies.over(100, 0, 5_000)).toEqual({ bad: 1, calls: 1 });
    expect(sizesOf(latencies, 5_000)[columnOf(150)]).toBe(1);
    latencies.advance(10_300);
    expect(latencies.over(100, 0, EVER)).toEqual({ bad: 1, calls: 1 });
  });

  test('that another worker has counted are those it would have counted here', () => {
    const here = new Latencies(10_000, WATCH);
    const there = new Latencies(10_000, WATCH);
    for (const ms of [5, 150, 150, 400]) there.add(true, ms, 0);
    there.add(false, 400, 0);
    here.merge(there.take()!, 0);
    expect(here.over(100, 0, EVER)).toEqual(there.over(100, 0, EVER));
    expect(sizesOf(here)).toEqual(sizesOf(there));
    expect([here.take(), there.take()]).toEqual([null, null]);
  });

  test('of two reports are those of one over both, and of another layout count for nothing', () => {
    const one = new Latencies(10_000, WATCH);
    one.add(true, 150, 0);
    const first = one.take()!;
    one.add(true, 150, 0);
    one.add(true, 5, 0);
    const both = addLatencies(first, one.take()!)!;
    const here = new Latencies(10_000, WATCH);
    here.merge(both, 0);
    expect(here.over(100, 0, EVER)).toEqual({ bad: 2, calls: 3 });
    const other = new Latencies(10_000, { levelsMs: [300], hasHistogram: false });
    other.merge(both, 0);
    expect(other.over(300, 0, EVER)).toEqual({ bad: 0, calls: 0 });
    expect(addLatencies(first, { layout: other.layout, counts: [0, 1] })!.layout).toBe(other.layout);
  });
});
