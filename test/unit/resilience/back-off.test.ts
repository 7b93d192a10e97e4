import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Random } from '../../../src/base/clock.ts';
import { openDurationMs } from '../../../src/resilience/back-off.ts';

const always = (value: number): Random => ({ next: () => value, hex: () => '' });

describe('the time a circuit stays open', () => {
  test('doubles each time, up to the cap', () => {
    const durations = [0, 1, 2, 3].map((openings) => openDurationMs(openings, 5_000, 60_000, always(0)));
    expect(durations).toEqual([5_000, 10_000, 20_000, 40_000]);
  });

  test('gets up to half more at random', () => {
    expect(openDurationMs(0, 5_000, 60_000, always(0.5))).toBe(6_250);
    expect(openDurationMs(1, 5_000, 60_000, always(0.999999))).toBeCloseTo(15_000, 0);
  });

  test('at the cap is spread over the third below it', () => {
    expect(openDurationMs(9, 5_000, 60_000, always(0))).toBe(40_000);
    expect(openDurationMs(9, 5_000, 60_000, always(0.5))).toBe(50_000);
    expect(openDurationMs(1_000_000, 5_000, 60_000, always(0.999999))).toBeCloseTo(60_000, 0);
  });

  test('is fixed when the cap is the first wait', () => {
    expect(openDurationMs(5, 5_000, 5_000, always(0.7))).toBe(5_000);
  });

  test('is the first wait when the cap is below it', () => {
    expect(openDurationMs(5, 5_000, 1_000, always(0.7))).toBe(5_000);
  });

  test('is always between the first wait and the cap', () => {
    fc.assert(
      fc.property(
        fc.nat(2_000),
        fc.integer({ min: 1, max: 100_000 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.double({ min: 0, max: 0.9999999, noNaN: true }),
        (openings, openForMs, openForMaxMs, drawn) => {
          const durationMs = openDurationMs(openings, openForMs, openForMaxMs, always(drawn));
          expect(durationMs).toBeGreaterThanOrEqual(openForMs);
          expect(durationMs).toBeLessThanOrEqual(Math.max(openForMs, openForMaxMs));
        },
      ),
    );
  });
});
