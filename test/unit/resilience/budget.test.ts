import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Budget, type BudgetSettings } from '../../../src/resilience/budget.ts';
import { SpanRing } from '../../../src/resilience/span-ring.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** The workbook's: 14.4 times as fast is 2 % of a month's budget in an hour. */
const MONTH: BudgetSettings = {
  targetRatio: 0.999,
  periodMs: 30 * DAY,
  burn: [
    { rate: 14.4, longMs: HOUR, shortMs: 5 * MINUTE },
    { rate: 6, longMs: 6 * HOUR, shortMs: 30 * MINUTE },
  ],
};

/** A thousand calls a minute, of which so many fail, for so long; answers when the budget first burns too fast, in minutes. */
function run(budget: Budget, failures: number, minutes: number, fromMs = 0): number | null {
  let first: number | null = null;
  for (let minute = 1; minute <= minutes; minute++) {
    const nowMs = fromMs + minute * MINUTE;
    budget.spend({ requests: 1000, failures }, nowMs);
    if (first === null && budget.burning(20, nowMs) !== null) first = minute;
  }
  return first;
}

describe('an error budget', () => {
  test('is untouched at first, spent at the target, and overspent beyond it', () => {
    const budget = new Budget(MONTH);
    expect(budget.view(0)).toMatchObject({ requests: 0, remainingRatio: 1 });
    budget.spend({ requests: 100_000, failures: 25 }, 1);
    expect(budget.view(1).remainingRatio).toBeCloseTo(0.75, 10);
    budget.spend({ requests: 0, failures: 75 }, 2);
    expect(budget.view(2).remainingRatio).toBeCloseTo(0, 10);
    budget.spend({ requests: 0, failures: 100 }, 3);
    expect(budget.view(3).remainingRatio).toBeCloseTo(-1, 10);
  });

  test('gives back what has left the period', () => {
    const budget = new Budget(MONTH);
    budget.spend({ requests: 1000, failures: 1 }, 0);
    budget.spend({ requests: 1000, failures: 0 }, 29 * DAY);
    expect(budget.view(29 * DAY)).toMatchObject({ requests: 2000, failures: 1 });
    expect(budget.view(31 * DAY)).toMatchObject({ requests: 1000, failures: 0, remainingRatio: 1 });
  });

  test('burns too fast at once in an outage, later when it is slow, and never at the rate it is for', () => {
    expect(run(new Budget(MONTH), 1000, 600)).toBe(1);
    expect(run(new Budget(MONTH), 15, 600)).toBe(1);
    // After a good day the long time must fill first: 14.4 x 0.1% of an hour's calls is 864.
    const afterGood = (failures: number): number | null => {
      const budget = new Budget(MONTH);
      run(budget, 0, 24 * 60);
      return run(budget, failures, 24 * 60, DAY);
    };
    expect(afterGood(1000)).toBe(1);
    expect(afterGood(100)).toBe(9);
    expect(afterGood(7)).toBeGreaterThan(5 * 60);
    expect(afterGood(5)).toBeNull();
    expect(run(new Budget(MONTH), 1, 30 * 24 * 60)).toBeNull();
  });

  test('says how fast, over how long, and what is left', () => {
    const budget = new Budget(MONTH);
    run(budget, 0, 100);
    budget.spend({ requests: 1000, failures: 900 }, 101 * MINUTE);
    budget.spend({ requests: 1000, failures: 900 }, 102 * MINUTE);
    expect(budget.burning(20, 102 * MINUTE)?.reason).toBe(
      'error budget burns 29.5x over 1h (1800 of 61000 calls) and 300x over 5m >= 14.4x; of 0.1% in 30d, nothing is left',
    );
  });

  test('is not judged by a handful of calls', () => {
    const budget = new Budget(MONTH);
    budget.spend({ requests: 100, failures: 4 }, 1);
    expect(budget.burning(20, 1)).toBeNull();
    budget.spend({ requests: 1, failures: 1 }, 1);
    expect(budget.burning(20, 1)).not.toBeNull();
    expect(budget.burning(102, 1)).toBeNull();
  });

  test('no longer burns when what was bad is over, though the long time still has it', () => {
    const budget = new Budget({ ...MONTH, burn: MONTH.burn.slice(0, 1) });
    run(budget, 500, 10);
    expect(budget.burning(20, 10 * MINUTE)).not.toBeNull();
    run(budget, 0, 6, 10 * MINUTE);
    expect(budget.burning(20, 16 * MINUTE)).toBeNull();
    expect(budget.view(16 * MINUTE).burn[0]!.long).toBeGreaterThan(14.4);
  });

  test('that was forgiven burns only by what comes after, and has lost nothing of what was spent', () => {
    const budget = new Budget(MONTH);
    run(budget, 1000, 10);
    const { remainingRatio } = budget.view(10 * MINUTE);
    budget.forgive();
    expect(budget.burning(20, 10 * MINUTE)).toBeNull();
    expect(budget.view(10 * MINUTE).remainingRatio).toBe(remainingRatio);
    budget.spend({ requests: 1000, failures: 1000 }, 10 * MINUTE + 1);
    expect(budget.burning(20, 10 * MINUTE + 1)).not.toBeNull();
  });

  test('without rules is only counted', () => {
    const budget = new Budget({ ...MONTH, burn: [] });
    expect(run(budget, 1000, 100)).toBeNull();
    expect(budget.view(100 * MINUTE)).toMatchObject({ requests: 100_000, failures: 100_000 });
  });

  test('counts on the request path and is entered later, once', () => {
    const budget = new Budget(MONTH);
    for (let call = 0; call < 10; call++) budget.count(call < 3);
    expect(budget.isTaken).toBe(false);
    expect(budget.take()).toEqual({ requests: 10, failures: 3 });
    expect([budget.take(), budget.isTaken]).toEqual([null, true]);
  });
});

describe('a budget that is kept over a restart', () => {
  /** As the state file does it. */
  const written = <T>(kept: T): T => JSON.parse(JSON.stringify(kept)) as T;

  test('is as empty as it was, and burns as it did', () => {
    const before = new Budget({ ...MONTH, burn: MONTH.burn.slice(0, 1) });
    run(before, 900, 30);
    const kept = written(before.keep(30 * MINUTE));
    const after = new Budget({ ...MONTH, burn: MONTH.burn.slice(0, 1) });
    after.restore(kept, 60_000, 5);
    const { requests, failures, remainingRatio } = before.view(30 * MINUTE);
    expect(after.view(5)).toMatchObject({ requests, failures, remainingRatio });
    expect(after.burning(20, 5)?.reason).toContain('900x over 1h (27000 of 30000 calls)');
  });

  test('has by then given back what has left the period meanwhile', () => {
    const before = new Budget(MONTH);
    before.spend({ requests: 1000, failures: 1000 }, 0);
    before.spend({ requests: 1000, failures: 10 }, 20 * DAY);
    const after = new Budget(MONTH);
    after.restore(written(before.keep(20 * DAY)), 15 * DAY, 0);
    expect(after.view(0)).toMatchObject({ requests: 1000, failures: 10 });
  });

  test('has room for months of ten thousand calls a second', () => {
    const budget = new Budget(MONTH);
    for (let hour = 0; hour < 720; hour++) budget.spend({ requests: 36_000_000, failures: 36 }, hour * HOUR);
    expect(budget.view(720 * HOUR - 1)).toMatchObject({ requests: 25_920_000_000, failures: 25_920 });
    const text = JSON.stringify(budget.keep(720 * HOUR - 1));
    expect(text.length).toBeLessThan(8_000);
  });

  test('takes a period of another length as far as it is known', () => {
    const before = new Budget(MONTH);
    before.spend({ requests: 500, failures: 5 }, 20 * DAY);
    before.spend({ requests: 1000, failures: 1 }, 29 * DAY);
    const shorter = new Budget({ ...MONTH, periodMs: 7 * DAY, burn: [] });
    shorter.restore(written(before.keep(29 * DAY)), 0, 0);
    expect(shorter.view(0)).toMatchObject({ requests: 1000, failures: 1 });
    const longer = new Budget({ ...MONTH, periodMs: 90 * DAY });
    longer.restore(written(before.keep(29 * DAY)), 0, 0);
    expect(longer.view(0)).toMatchObject({ requests: 1500, failures: 6 });
  });

  test('keeps its calls when only the settings change', () => {
    const budget = new Budget(MONTH);
    run(budget, 10, 30);
    budget.reconfigure({ ...MONTH, targetRatio: 0.99 }, 30 * MINUTE);
    expect(budget.view(30 * MINUTE)).toMatchObject({ requests: 30_000, failures: 300 });
    expect(budget.view(30 * MINUTE).remainingRatio).toBeCloseTo(0, 10);
  });
});

describe('a ring over a long time', () => {
  const spans = fc.record({
    spanMs: fc.constantFrom(1000, 5_000, 86_400_000),
    calls: fc.array(fc.record({ gap: fc.double({ min: 0, max: 0.3, noNaN: true }), failures: fc.nat(3) }), {
      maxLength: 60,
    }),
  });

  test('counts all of the last span and nothing of the one before it, give or take a bucket', () => {
    fc.assert(
      fc.property(spans, ({ spanMs, calls }) => {
        const ring = new SpanRing(spanMs);
        const ended: { atMs: number; failures: number }[] = [];
        let nowMs = 0;
        for (const { gap, failures } of calls) {
          nowMs += gap * spanMs;
          ring.add({ requests: 3, failures }, nowMs);
          ended.push({ atMs: nowMs, failures });
        }
        const within = (ms: number): number =>
          ended.filter(({ atMs }) => nowMs - atMs < ms).reduce((total, { failures }) => total + failures, 0);
        const { failures } = ring.total(nowMs);
        expect(failures).toBeGreaterThanOrEqual(within(spanMs));
        expect(failures).toBeLessThanOrEqual(within(spanMs * 1.02 + 1e-6));
      }),
    );
  });

  test('that is read out and filled again a hundred times still forgets when it would have', () => {
    fc.assert(
      fc.property(spans, fc.integer({ min: 0, max: 2 ** 30 }), ({ spanMs, calls }, originMs) => {
        const bucketMs = spanMs / 50;
        const ring = new SpanRing(spanMs);
        let nowMs = 0;
        for (const { gap, failures } of calls) {
          nowMs += gap * spanMs;
          ring.add({ requests: 3, failures }, nowMs);
        }
        let kept = ring;
        // Where the clock of the next process stands has nothing to do with that of this one.
        let clockMs = nowMs;
        const agoMs = spanMs / 150;
        for (let restart = 1; restart <= 100; restart++) {
          const next = new SpanRing(spanMs);
          const thenMs = (originMs * restart) % 1_000_003;
          next.restore(kept.rows(clockMs), agoMs, thenMs);
          kept = next;
          clockMs = thenMs;
        }
        const laterMs = nowMs + 100 * agoMs;
        const before = new SpanRing(spanMs);
        before.restore(ring.rows(nowMs), laterMs - nowMs - bucketMs / 2, 0);
        const most = before.total(0).failures;
        const after = new SpanRing(spanMs);
        after.restore(ring.rows(nowMs), laterMs - nowMs + bucketMs / 2, 0);
        const { failures } = kept.total(clockMs);
        expect(failures).toBeLessThanOrEqual(most);
        expect(failures).toBeGreaterThanOrEqual(after.total(0).failures);
      }),
      // Ages in whole milliseconds would drift by more than a bucket here.
      {
        examples: [[{ spanMs: 1000, calls: [0, 0.0205, 0.3].map((gap) => ({ gap, failures: 1 })) }, 0]],
      },
    );
  });

  test('does not go backwards when time does', () => {
    const ring = new SpanRing(1000);
    ring.add({ requests: 1, failures: 1 }, 5_000);
    ring.add({ requests: 1, failures: 0 }, 4_900);
    ring.add({ requests: 1, failures: 0 }, 100);
    expect(ring.total(4_000)).toEqual({ requests: 2, failures: 1 });
  });
});
