import { describe, expect, test } from 'vitest';
import { RetryBudget } from '../../../src/resilience/retry-budget.ts';

/** How many of `wanted` retries are let through at `nowMs`. */
function taken(budget: RetryBudget, wanted: number, nowMs: number): number {
  let count = 0;
  for (let i = 0; i < wanted; i++) if (budget.take(nowMs)) count++;
  return count;
}

function requests(budget: RetryBudget, count: number, nowMs: number): void {
  for (let i = 0; i < count; i++) budget.request(nowMs);
}

describe('a retry budget', () => {
  test('lets through its share of the requests of the last ten seconds', () => {
    const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 0 });
    requests(budget, 1000, 500);
    expect(taken(budget, 500, 1000)).toBe(200);
    requests(budget, 50, 2000);
    expect(taken(budget, 500, 2000)).toBe(10);
  });

  test('lets a few through however few requests there are, and no more', () => {
    const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 3 });
    expect(taken(budget, 100, 0)).toBe(30);
    expect(taken(budget, 100, 9000)).toBe(0);
    expect(taken(budget, 100, 10_300)).toBe(30);
  });

  test('keeps retries at their share while everything fails', () => {
    const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 3 });
    let retries = 0;
    for (let nowMs = 0; nowMs < 60_000; nowMs++) {
      budget.request(nowMs);
      retries += taken(budget, 1, nowMs);
    }
    expect(retries / 60_000).toBeGreaterThan(0.19);
    expect(retries / 60_000).toBeLessThan(0.21);
  });

  test('of nothing lets nothing through', () => {
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 0 });
    requests(budget, 1000, 0);
    expect(taken(budget, 10, 0)).toBe(0);
  });

  test('remembers what was spent when its settings change', () => {
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 3 });
    expect(taken(budget, 30, 0)).toBe(30);
    budget.reconfigure({ ratio: 0, minPerSecond: 4 });
    expect(taken(budget, 30, 0)).toBe(10);
  });
});
