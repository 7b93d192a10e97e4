import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Health } from '../../../src/resilience/health.ts';

const THRESHOLDS = { rise: 2, fall: 3 };

/** Of checks that pass (`+`) or not, whether the endpoint was well after each. */
function course(checks: string): string {
  const health = new Health();
  let text = '';
  for (const check of checks) {
    health.take(check === '+', THRESHOLDS);
    text += health.isHealthy ? 'w' : '.';
  }
  return text;
}

describe('health', () => {
  test('what was not checked yet is well', () => {
    expect(new Health().isHealthy).toBe(true);
  });

  test('falls with the third failure in a row, and rises with the second success', () => {
    expect(course('---+++')).toBe('ww..ww');
    expect(course('--+--+---')).toBe('wwwwwwww.');
    expect(course('---+-++')).toBe('ww....w');
  });

  test('says so once, when it changes', () => {
    const health = new Health();
    const told = [...'-----++++'].map((check) => health.take(check === '+', THRESHOLDS));
    expect(told).toEqual([false, false, true, false, false, false, true, false, false]);
  });

  test('changes only after as many checks in a row that say so', () => {
    const results = fc.array(fc.boolean(), { maxLength: 60 });
    const threshold = fc.integer({ min: 1, max: 5 });
    fc.assert(
      fc.property(results, threshold, threshold, (checks, rise, fall) => {
        const health = new Health();
        for (const [index, isPassed] of checks.entries()) {
          const before = health.isHealthy;
          if (!health.take(isPassed, { rise, fall })) continue;
          const count = before ? fall : rise;
          expect(checks.slice(index + 1 - count, index + 1)).toEqual(Array(count).fill(!before));
        }
      }),
    );
  });
});
