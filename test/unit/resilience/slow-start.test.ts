import { expect, test } from 'vitest';
import { slowStartWeight } from '../../../src/resilience/slow-start.ts';

test('a share grows from a tenth to the whole over the slow start', () => {
  expect([0, 1000, 5000, 9000, 10_000, 60_000].map((ageMs) => slowStartWeight(ageMs, 10_000))).toEqual([
    0.1, 0.1, 0.5, 0.9, 1, 1,
  ]);
});

test('without a slow start it is whole at once', () => {
  expect(slowStartWeight(0, 0)).toBe(1);
});

test('what was there from the start is warm', () => {
  expect(slowStartWeight(Number.POSITIVE_INFINITY, 30_000)).toBe(1);
});
