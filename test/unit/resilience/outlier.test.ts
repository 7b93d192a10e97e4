import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type OutlierEvent, type OutlierSettings, Outliers } from '../../../src/resilience/outlier.ts';
import { OutlierRecord } from '../../../src/resilience/outlier-record.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const SETTINGS: OutlierSettings = {
  consecutiveFailures: 5,
  errorRatio: 0.5,
  slowerThan: Number.POSITIVE_INFINITY,
  minimumRequests: 20,
  windowMs: 10_000,
  ejectForMs: 30_000,
  ejectForMaxMs: 300_000,
  ejectedMaxRatio: 0.5,
};

function setUp(count: number, settings: Partial<OutlierSettings> = {}) {
  const events: OutlierEvent[] = [];
  const records = Array.from({ length: count }, (_, index) => new OutlierRecord(`e${index}`, 10_000));
  const outliers = new Outliers({ ...SETTINGS, ...settings }, seededRandom(1), (event) => events.push(event));
  outliers.adopt(records);
  const fail = (index: number, times: number, nowMs: number): void => {
    for (let i = 0; i < times; i++) outliers.failed(records[index]!, nowMs);
  };
  const succeed = (index: number, times: number, nowMs: number, tookMs = 10): void => {
    for (let i = 0; i < times; i++) outliers.succeeded(records[index]!, tookMs, nowMs);
  };
  const ejected = (): string[] => records.filter(({ isEjected }) => isEjected).map(({ id }) => id);
  return { events, records, outliers, fail, succeed, ejected };
}

describe('failures in a row', () => {
  test('put an endpoint aside at the limit, and not before, for a time and with the reason', () => {
    const { events, fail, succeed, ejected } = setUp(3);
    succeed(1, 10, 0);
    fail(0, 4, 0);
    expect(ejected()).toEqual([]);
    fail(0, 1, 0);
    expect(ejected()).toEqual(['e0']);
    expect(events).toEqual([
      expect.objectContaining({
        kind: 'ejected',
        endpoint: 'e0',
        cause: 'consecutive-failures',
        reason: '5 failures in a row, the limit is 5',
      }),
    ]);
    const [event] = events;
    expect(event?.kind === 'ejected' && event.forMs).toBeGreaterThanOrEqual(30_000);
    expect(event?.kind === 'ejected' && event.forMs).toBeLessThanOrEqual(45_000);
  });

  test('are not in a row with an answer in between', () => {
    const { fail, succeed, ejected } = setUp(2, { errorRatio: Number.POSITIVE_INFINITY });
    for (let i = 0; i < 10; i++) {
      fail(0, 4, i);
      succeed(0, 1, i);
    }
    expect(ejected()).toEqual([]);
  });
});

describe('the share of failures', () => {
  const OFF = { consecutiveFailures: Number.POSITIVE_INFINITY };

  test('puts an endpoint aside at the limit, with enough answers', () => {
    const { events, fail, succeed, ejected } = setUp(2, OFF);
    succeed(1, 100, 0);
    succeed(0, 10, 0);
    fail(0, 9, 0);
    expect(ejected()).toEqual([]);
    fail(0, 1, 200);
    expect(ejected()).toEqual(['e0']);
    expect(events[0]).toMatchObject({
      cause: 'error-rate',
      reason: '50% of 20 answers failed, the limit is 50%',
    });
  });

  test('one failure of three requests puts nobody aside', () => {
    const { fail, succeed, ejected } = setUp(2, OFF);
    succeed(0, 2, 0);
    fail(0, 1, 0);
    expect(ejected()).toEqual([]);
  });

  test('forgets what is older than the window', () => {
    const { fail, succeed, ejected } = setUp(2, OFF);
    succeed(1, 100, 0);
    fail(0, 19, 0);
    fail(0, 1, 10_500);
    expect(ejected()).toEqual([]);
  });
});

describe('an outage that all endpoints share', () => {
  test('puts nobody aside when it begins', () => {
    const { records, outliers, succeed, ejected } = setUp(4);
    for (const index of records.keys()) succeed(index, 1000, 0);
    for (let round = 0; round < 200; round++)
      for (const record of records) outliers.failed(record, 10 * round);
    expect(ejected()).toEqual([]);
  });

  test('nor while a third of everything fails', () => {
    const { records, outliers, ejected } = setUp(4, {
      consecutiveFailures: Number.POSITIVE_INFINITY,
      errorRatio: 0.3,
    });
    const random = seededRandom(5);
    for (let nowMs = 0; nowMs < 60_000; nowMs += 5) {
      const record = records[Math.floor(random.next() * 4)]!;
      if (random.next() < 0.34) outliers.failed(record, nowMs);
      else outliers.succeeded(record, 10, nowMs);
    }
    expect(ejected()).toEqual([]);
  });

  test('does not hide an endpoint that does much worse', () => {
    const { fail, succeed, ejected } = setUp(3, { consecutiveFailures: Number.POSITIVE_INFINITY });
    for (let i = 0; i < 20; i++) {
      for (const index of [1, 2]) {
        succeed(index, 4, 0);
        fail(index, 1, 0);
        succeed(index, 1, 0);
      }
    }
    fail(0, 20, 0);
    expect(ejected()).toEqual(['e0']);
  });
});

describe('times', () => {
  const SLOWER = { slowerThan: 3 };

  test('put an endpoint aside that typically takes several times as long as the others', () => {
    const { outliers, events, succeed, ejected } = setUp(3, SLOWER);
    succeed(0, 20, 0, 100);
    succeed(1, 20, 0, 20);
    succeed(2, 20, 0, 22);
    outliers.tick(1000);
    expect(ejected()).toEqual(['e0']);
    expect(events[0]).toMatchObject({
      cause: 'slow',
      reason: 'it typically takes 100 ms, the others 20 ms, the limit is 3 times',
    });
  });

  test('count from attempts that were overtaken, too: they took at least as long', () => {
    const { records, outliers, succeed, ejected } = setUp(3, SLOWER);
    for (let i = 0; i < 20; i++) records[0]!.took(60, 0);
    succeed(1, 20, 0);
    succeed(2, 20, 0);
    outliers.tick(1000);
    expect(ejected()).toEqual(['e0']);
    expect(records[0]!.requests).toBe(0);
  });

  test('a single answer of half a minute is not typical', () => {
    const { outliers, succeed, ejected } = setUp(2, SLOWER);
    succeed(0, 30, 0, 10);
    succeed(0, 1, 0, 30_000);
    succeed(1, 31, 0, 10);
    outliers.tick(1000);
    expect(ejected()).toEqual([]);
  });

  test('of less than a millisecond are all the same', () => {
    const { outliers, succeed, ejected } = setUp(2, SLOWER);
    succeed(0, 50, 0, 0.9);
    succeed(1, 50, 0, 0.1);
    outliers.tick(1000);
    expect(ejected()).toEqual([]);
  });

  test('of streams say nothing', () => {
    const { outliers, succeed, ejected } = setUp(2, SLOWER);
    succeed(0, 20, 0, 10);
    succeed(0, 500, 0, -1);
    succeed(1, 20, 0, 10);
    outliers.tick(1000);
    expect(ejected()).toEqual([]);
  });

  test('need enough answers, of both', () => {
    const { outliers, succeed, ejected } = setUp(2, SLOWER);
    succeed(0, 100, 0, 500);
    succeed(1, 19, 0, 10);
    outliers.tick(1000);
    expect(ejected()).toEqual([]);
  });
});

describe('how many', () => {
  test('never the last one, and never more than the share', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom(0.01, 0.1, 0.34, 0.5, 1),
        fc.array(fc.tuple(fc.nat(11), fc.boolean(), fc.nat(3000)), { maxLength: 400 }),
        (count, ejectedMaxRatio, steps) => {
          const { outliers, records, ejected } = setUp(count, { ejectedMaxRatio, consecutiveFailures: 2 });
          let nowMs = 0;
          for (const [index, isGood, laterMs] of steps) {
            nowMs += laterMs;
            const record = records[index % count]!;
            if (isGood) outliers.succeeded(record, 1, nowMs);
            else outliers.failed(record, nowMs);
            outliers.tick(nowMs);
            const max = count === 1 ? 0 : Math.max(1, Math.floor(count * ejectedMaxRatio));
            expect(ejected().length).toBeLessThanOrEqual(Math.min(max, count - 1));
          }
        },
      ),
    );
  });

  test('those that are away for another reason do not count as there', () => {
    const { records, fail, ejected } = setUp(2);
    records[1]!.isAway = true;
    fail(0, 50, 0);
    expect(ejected()).toEqual([]);
  });
});

describe('the time aside', () => {
  function ejectAgain(
    nowMs: number,
    { fail, succeed, events, records, outliers }: ReturnType<typeof setUp>,
  ): number {
    succeed(1, 5, nowMs);
    fail(0, 5, nowMs);
    const event = events.at(-1)!;
    if (event.kind !== 'ejected') throw new Error('It was not put aside.');
    outliers.tick(nowMs + event.forMs - 1);
    expect(records[0]!.isEjected).toBe(true);
    outliers.tick(nowMs + event.forMs);
    expect(records[0]!.isEjected).toBe(false);
    expect(events.at(-1)).toEqual({ kind: 'returned', endpoint: 'e0', reason: 'its time is up' });
    return event.forMs;
  }

  test('doubles each time, with jitter, up to the cap', () => {
    const it = setUp(2);
    let nowMs = 0;
    const times: number[] = [];
    for (let i = 0; i < 6; i++) {
      const forMs = ejectAgain(nowMs, it);
      times.push(forMs);
      nowMs += forMs + 1;
    }
    for (const [index, forMs] of times.entries()) {
      const baseMs = Math.min(30_000 * 2 ** index, 300_000);
      expect(forMs).toBeGreaterThanOrEqual(Math.min(baseMs, 200_000));
      expect(forMs).toBeLessThanOrEqual(Math.min(1.5 * baseMs, 300_000));
    }
  });

  test('is the first again after as long without', () => {
    const it = setUp(2);
    let nowMs = ejectAgain(0, it) + 1;
    nowMs += ejectAgain(nowMs, it);
    expect(ejectAgain(nowMs + 2 * 30_000, it)).toBeLessThanOrEqual(45_000);
  });

  test('what it did before is forgotten when it is back', () => {
    const it = setUp(2);
    const backMs = ejectAgain(0, it);
    it.fail(0, 4, backMs);
    expect(it.ejected()).toEqual([]);
    expect(it.records[0]!.requests).toBe(4);
  });

  test('failures of an endpoint that is aside change nothing', () => {
    const it = setUp(2);
    it.fail(0, 5, 0);
    it.fail(0, 100, 1000);
    expect(it.events).toHaveLength(1);
  });
});
