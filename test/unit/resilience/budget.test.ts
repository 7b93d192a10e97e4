import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RetryBudget } from '../../../src/resilience/budget.ts';

function takeAll(budget: RetryBudget, nowMs: number): number {
  let taken = 0;
  while (taken < 10_000 && budget.take(nowMs)) taken++;
  return taken;
}

describe('a retry budget', () => {
  test('of a quiet upstream is three a second', () => {
    expect(takeAll(new RetryBudget(), 0)).toBe(30);
  });

  test('is a fifth of the requests on top', () => {
    const budget = new RetryBudget();
    for (let i = 0; i < 1_000; i++) budget.request(i);
    expect(takeAll(budget, 1_000)).toBe(230);
  });

  test('says how much is left', () => {
    const budget = new RetryBudget();
    for (let i = 0; i < 100; i++) budget.request(0);
    budget.take(0);
    expect(budget.view(0)).toEqual({ requests: 100, retries: 1, left: 49 });
  });

  test('comes back when the retries have left the window', () => {
    const budget = new RetryBudget();
    takeAll(budget, 100);
    expect(budget.take(10_100)).toBe(false);
    expect(takeAll(budget, 10_200)).toBe(30);
  });

  test('shrinks when the requests have left the window', () => {
    const budget = new RetryBudget();
    for (let i = 0; i < 1_000; i++) budget.request(0);
    expect(budget.view(10_300).left).toBe(30);
  });

  test('of nothing allows nothing', () => {
    const budget = new RetryBudget({ ratio: 0, minimumPerSecond: 0, windowMs: 10_000 });
    for (let i = 0; i < 1_000; i++) budget.request(0);
    expect(budget.take(0)).toBe(false);
  });

  test('never lets a retry through that goes beyond a fifth and the minimum', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 400 }), (gapsMs) => {
        const budget = new RetryBudget();
        let nowMs = 0;
        for (const gapMs of gapsMs) {
          nowMs += gapMs;
          budget.request(nowMs);
          for (let tries = 0; tries < 3; tries++) {
            if (!budget.take(nowMs)) continue;
            const { requests, retries } = budget.view(nowMs);
            expect(retries).toBeLessThanOrEqual(30 + 0.2 * requests);
          }
        }
      }),
    );
  });
});
