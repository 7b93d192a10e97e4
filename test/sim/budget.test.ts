/**
 * What the standard rules of an error budget of 99.9 % over 30 days find, and how soon, at 10 calls a second with good
 * days before; and that a variant which just meets its target never opens its breaker. Seeded; docs/budgets.md has it.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { Budget, type BudgetSettings } from '../../src/resilience/budget.ts';
import { seededRandom } from '../support/seeded-random.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const SETTINGS: BudgetSettings = {
  targetRatio: 0.999,
  periodMs: 30 * DAY,
  burn: [
    { rate: 14.4, longMs: HOUR, shortMs: 5 * MINUTE },
    { rate: 6, longMs: 6 * HOUR, shortMs: 30 * MINUTE },
  ],
};
const STEP_MS = 2_000;
const CALLS_PER_STEP = 20;

const report: string[] = [];
afterAll(() => console.log(`error budget of 99.9% over 30d, at 10/s, 10 seeds\n${report.join('\n')}`));

/** Calls of one step that fail when each does with this probability. */
function failures(random: { next(): number }, ratio: number): number {
  let count = 0;
  for (let call = 0; call < CALLS_PER_STEP; call++) if (random.next() < ratio) count++;
  return count;
}

/** How long until it burns too fast, in ms; null: not within `forMs`. */
function burnsAfter(seed: number, goodMs: number, ratio: number, forMs: number): number | null {
  const random = seededRandom(seed);
  const budget = new Budget(SETTINGS);
  for (let nowMs = 0; nowMs < goodMs; nowMs += STEP_MS)
    budget.spend({ requests: CALLS_PER_STEP, failures: failures(random, 0.0002) }, nowMs);
  for (let nowMs = goodMs; nowMs < goodMs + forMs; nowMs += STEP_MS) {
    budget.spend({ requests: CALLS_PER_STEP, failures: failures(random, ratio) }, nowMs);
    if (budget.burning(20, nowMs) !== null) return nowMs - goodMs;
  }
  return null;
}

const SEEDS = Array.from({ length: 10 }, (_, seed) => seed + 1);

describe('the standard rules', () => {
  // Expected: the long time is full of good calls, so it takes rate x (1 - target) / ratio of it.
  test.each([
    [1, 52],
    [0.1, 518],
    [0.03, 1728],
    [0.01, 12_960],
  ])('find that %d of the calls fail after about %d s', (ratio, expectedS) => {
    const tookS = SEEDS.map((seed) => burnsAfter(seed, 7 * HOUR, ratio, 10 * HOUR)! / 1000).sort(
      (a, b) => a - b,
    );
    const median = tookS[5]!;
    report.push(`${ratio * 100}% fail: found after ${median} s (median), ${tookS.at(-1)} s (longest)`);
    expect(median).toBeGreaterThan(expectedS * 0.75);
    expect(median).toBeLessThan(expectedS * 1.15);
  });

  test('never open for a variant that fails as often as it may, in 10 times 5 days', () => {
    for (const seed of SEEDS) expect(burnsAfter(seed, 0, 0.001, 5 * DAY)).toBeNull();
    report.push('0.1% fail, as many as may: never, in 10 times 5 days');
  });
});
