import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Window } from '../../../src/base/window.ts';

const windowOf = (windowMs: number): Window => new Window(windowMs, 2);

function totalAt(window: Window, nowMs: number, column = 0): number {
  window.advance(nowMs);
  return window.total(column);
}

describe('a time window', () => {
  test('counts what was added in it', () => {
    const window = windowOf(10_000);
    window.add(0, 0);
    window.add(4_000, 0);
    window.add(9_999, 0);
    expect(window.total(0)).toBe(3);
  });

  test('keeps its columns apart', () => {
    const window = windowOf(10_000);
    window.add(5, 0);
    window.add(5, 1);
    window.add(6, 1);
    expect([window.total(0), window.total(1)]).toEqual([1, 2]);
  });

  test('has buckets of 2 percent of its length', () => {
    expect(windowOf(10_000).bucketMs).toBe(200);
  });

  test('still counts an event when the whole window has gone by', () => {
    const window = windowOf(10_000);
    window.add(1_234, 0);
    expect(totalAt(window, 11_234)).toBe(1);
  });

  test('has forgotten an event one bucket after the whole window', () => {
    const window = windowOf(10_000);
    window.add(1_234, 0);
    expect(totalAt(window, 11_399.9)).toBe(1);
    expect(totalAt(window, 11_400)).toBe(0);
  });

  test('sums a burst the same as the burst spread out', () => {
    const burst = windowOf(10_000);
    const spread = windowOf(10_000);
    for (let i = 0; i < 100; i++) burst.add(9_900, 0);
    for (let i = 0; i < 100; i++) spread.add(i * 99, 0);
    expect(burst.total(0)).toBe(100);
    expect(spread.total(0)).toBe(100);
  });

  test('is empty after being idle for years', () => {
    const window = windowOf(10_000);
    for (let i = 0; i < 60; i++) window.add(i * 200, 0);
    expect(totalAt(window, 1e12)).toBe(0);
    window.add(1e12, 0);
    expect(window.total(0)).toBe(1);
  });

  test('counts a time before the newest bucket in the newest bucket', () => {
    const window = windowOf(10_000);
    window.add(5_000, 0);
    window.add(4_000, 0);
    expect(window.total(0)).toBe(2);
    expect(totalAt(window, 15_100)).toBe(2);
    expect(totalAt(window, 15_200)).toBe(0);
  });

  test('forgets everything when cleared, and goes on', () => {
    const window = windowOf(10_000);
    window.add(100, 0);
    window.clear();
    expect(window.total(0)).toBe(0);
    window.add(150, 0);
    expect(totalAt(window, 10_150)).toBe(1);
    expect(totalAt(window, 10_200)).toBe(0);
  });

  test('refuses a length that is not above zero and finite', () => {
    for (const windowMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => windowOf(windowMs)).toThrow(RangeError);
    }
  });
});

describe('a resized window', () => {
  test('keeps everything when it becomes longer', () => {
    const window = windowOf(1_000);
    for (let ms = 0; ms < 1_000; ms += 10) window.add(ms, 0);
    const longer = window.resized(10_000);
    expect(totalAt(longer, 1_000)).toBe(100);
    expect(totalAt(longer, 10_000)).toBe(100);
    expect(totalAt(longer, 11_200)).toBe(0);
  });

  test('keeps what is young enough when it becomes shorter', () => {
    const window = windowOf(10_000);
    window.add(1_000, 0);
    window.add(9_500, 0);
    window.add(9_600, 1);
    const shorter = window.resized(1_000);
    expect([totalAt(shorter, 9_900), shorter.total(1)]).toEqual([1, 1]);
    expect(totalAt(shorter, 12_000)).toBe(0);
  });
});

/** The window as the documentation has it: a list of events, each dropped by the age of its bucket. */
function naiveTotal(events: readonly number[], nowMs: number, windowMs: number): number {
  const bucketMs = windowMs / 50;
  const newest = Math.floor(nowMs / bucketMs);
  return events.filter((atMs) => newest - Math.floor(atMs / bucketMs) <= 50).length;
}

const steps = fc.array(
  fc.record({
    waitMs: fc.oneof(
      fc.integer({ min: 0, max: 20 }),
      fc.integer({ min: 0, max: 3_000 }),
      fc.double({ min: 0, max: 500, noNaN: true }),
    ),
    column: fc.integer({ min: 0, max: 1 }),
    isAdded: fc.boolean(),
  }),
  { maxLength: 300 },
);

describe('against a list of events', () => {
  test('the sums are the same at every moment, for any length and any gaps', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1, 50, 333, 1_000, 10_000),
        fc.nat(1_000_000),
        steps,
        (windowMs, startMs, list) => {
          const window = windowOf(windowMs);
          const events: [number[], number[]] = [[], []];
          let nowMs = startMs;
          for (const { waitMs, column, isAdded } of list) {
            nowMs += waitMs;
            if (isAdded) {
              window.add(nowMs, column);
              events[column]!.push(nowMs);
            } else {
              window.advance(nowMs);
            }
            expect(window.total(0)).toBe(naiveTotal(events[0], nowMs, windowMs));
            expect(window.total(1)).toBe(naiveTotal(events[1], nowMs, windowMs));
          }
        },
      ),
    );
  });

  test('nothing younger than the window is missing, nothing older by a bucket is left', () => {
    fc.assert(
      fc.property(fc.constantFrom(50, 1_000, 10_000), steps, (windowMs, list) => {
        const window = windowOf(windowMs);
        const events: number[] = [];
        let nowMs = 0;
        for (const { waitMs } of list) {
          nowMs += waitMs;
          window.add(nowMs, 0);
          events.push(nowMs);
        }
        const young = events.filter((atMs) => atMs > nowMs - windowMs).length;
        const notOld = events.filter((atMs) => atMs > nowMs - windowMs - window.bucketMs).length;
        expect(window.total(0)).toBeGreaterThanOrEqual(young);
        expect(window.total(0)).toBeLessThanOrEqual(notOld);
      }),
    );
  });

  test('what was counted since a time is all that came since its bucket began', () => {
    fc.assert(
      fc.property(steps, fc.nat(12_000), (list, backMs) => {
        const window = windowOf(5_000);
        const events: number[] = [];
        let nowMs = 0;
        for (const { waitMs } of list) {
          nowMs += waitMs;
          window.add(nowMs, 0);
          events.push(nowMs);
        }
        const sinceMs = nowMs - backMs;
        const firstMs = Math.floor(sinceMs / window.bucketMs) * window.bucketMs;
        const since = events.filter((atMs) => atMs >= firstMs).length;
        expect(window.totalSince(sinceMs, 0)).toBe(Math.min(since, window.total(0)));
        const into = new Uint32Array(1);
        window.totalsSince(sinceMs, 0, into);
        expect(into[0]).toBe(window.totalSince(sinceMs, 0));
      }),
    );
  });

  test('resizing forgets nothing but the oldest old bucket early, and keeps nothing late', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(500, 5_000),
        fc.constantFrom(500, 1_000, 5_000),
        steps,
        (before, after, list) => {
          const window = windowOf(before);
          const events: number[] = [];
          let nowMs = 0;
          for (const { waitMs } of list) {
            nowMs += waitMs;
            window.add(nowMs, 0);
            events.push(nowMs);
          }
          const resized = window.resized(after);
          resized.advance(nowMs);
          const keptMs = Math.min(before, after);
          const young = events.filter((atMs) => atMs > nowMs - keptMs + before / 50).length;
          const notOld = events.filter((atMs) => atMs > nowMs - keptMs - keptMs / 50).length;
          expect(resized.total(0)).toBeGreaterThanOrEqual(young);
          expect(resized.total(0)).toBeLessThanOrEqual(notOld);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('keeps its counts apart from those of thousands of others', () => {
    const windows = Array.from({ length: 3000 }, () => windowOf(10_000));
    for (const [index, window] of windows.entries()) {
      window.addMany(5, 0, index);
      window.add(300, 1);
    }
    for (const window of windows.slice(0, 1000)) window.clear();
    expect(windows.map((window) => window.total(0))).toEqual(
      windows.map((_, index) => (index < 1000 ? 0 : index)),
    );
    expect(windows.map((window) => totalAt(window, 10_250, 1)).reduce((sum, count) => sum + count)).toBe(
      2000,
    );
  });

  test('that nothing was counted in is empty whatever it is asked', () => {
    const window = windowOf(10_000);
    window.advance(20_000);
    window.clear();
    const into = new Uint32Array([7, 7]);
    window.totalsSince(15_000, 0, into);
    expect([window.total(1), window.totalSince(15_000, 0), ...into]).toEqual([0, 0, 0, 0]);
    expect(window.resized(5_000).total(0)).toBe(0);
  });
});
