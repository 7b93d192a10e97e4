import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecentExposures } from '../../../src/telemetry/recent-exposures.ts';

const WINDOW_MS = 1000;

/** Of these units, how many are taken for new. */
function countNew(recent: RecentExposures, units: number, nowMs: number): number {
  let count = 0;
  for (let unit = 0; unit < units; unit++)
    if (!recent.isKnown('ranking', 'candidate', 'candidate', `user-${unit}`, nowMs)) count++;
  return count;
}

test('a million exposures are all new, and none of them is taken for another', () => {
  const recent = new RecentExposures(4_000_000, WINDOW_MS, 7);
  expect(countNew(recent, 1_000_000, 1)).toBe(1_000_000);
  for (const [experiment, assigned, served] of [
    ['price', 'candidate', 'candidate'],
    ['ranking', 'candidate', 'control'],
    ['ranking', 'control', 'candidate'],
  ] as const) {
    for (let unit = 0; unit < 100_000; unit++)
      expect(recent.isKnown(experiment, assigned, served, `user-${unit}`, 1)).toBe(false);
  }
});

test('as many as it is made for are remembered, but for one in a thousand', () => {
  for (const entriesMax of [1000, 100_000]) {
    const recent = new RecentExposures(entriesMax, WINDOW_MS, 7);
    countNew(recent, entriesMax, 1);
    expect(countNew(recent, entriesMax, 2)).toBeLessThan(entriesMax / 1000 + 1);
  }
});

test('ten times as many do not make it grow, and the newest are remembered', () => {
  const recent = new RecentExposures(1000, WINDOW_MS, 7);
  countNew(recent, 10_000, 1);
  expect(recent.size).toBeLessThanOrEqual(6000);
  const isKnown = () => recent.isKnown('ranking', 'candidate', 'candidate', 'newest', 2);
  expect([isKnown(), isKnown()]).toEqual([false, true]);
});

test('with an empty window nothing is known', () => {
  const recent = new RecentExposures(1000, 0, 7);
  expect(countNew(recent, 10, 1) + countNew(recent, 10, 1)).toBe(20);
});

test('agrees with a set of the same keys, whatever they are', () => {
  const name = fc.string({ unit: 'grapheme', maxLength: 6 });
  const key = fc.tuple(name, name, name, name);
  fc.assert(
    fc.property(fc.array(key, { maxLength: 200 }), fc.integer(), (keys, seed) => {
      const recent = new RecentExposures(10_000, WINDOW_MS, seed);
      const seen = new Set<string>();
      for (const parts of keys) {
        const text = JSON.stringify(parts);
        expect(recent.isKnown(...parts, 1)).toBe(seen.has(text));
        seen.add(text);
      }
    }),
  );
});
