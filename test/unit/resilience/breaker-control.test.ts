import { describe, expect, test } from 'vitest';
import { Breaker, type BreakerSettings, Call } from '../../../src/resilience/breaker.ts';
import type { Ticker } from '../../../src/resilience/ticker.ts';
import { COMPARED } from '../../support/arms-bench.ts';
import { Bench, SETTINGS } from '../../support/breaker-bench.ts';

describe('a trip by hand', () => {
  test('opens for its time, then recovers by probes as usual', () => {
    const bench = new Bench();
    bench.run(50, 'ok');
    bench.breaker.force('open', bench.nowMs, 'game day', 30_000);
    expect(bench.last).toMatchObject({
      to: 'open',
      cause: 'forced',
      reason: 'forced open for 30s: game day',
    });
    bench.wait(29_999);
    expect(bench.isTurnedAway()).toBe(true);
    bench.wait(1);
    bench.run(5, 'ok');
    expect(bench.moves.map(({ to, cause }) => [to, cause])).toEqual([
      ['open', 'forced'],
      ['open', 'force-ended'],
      ['half-open', 'timer'],
      ['closed', 'probes-ok'],
    ]);
  });

  test('needs a time limit', () => {
    const bench = new Bench();
    for (const forMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => bench.breaker.force('open', 0, 'for ever', forMs)).toThrow(RangeError);
    }
    expect(bench.state).toBe('closed');
  });

  test('of an open breaker changes until when, and does not count as a trip', () => {
    const bench = new Bench().open();
    bench.breaker.force('open', bench.nowMs, 'not before the fix is out', 60_000);
    expect(bench.moves.map(({ from, to, mode }) => [from, to, mode])).toEqual([
      ['closed', 'open', 'enforce'],
      ['open', 'open', 'forced-open'],
    ]);
    expect(bench.view()).toMatchObject({
      state: 'open',
      openUntilMs: 60_000,
      trips: 1,
      reason: 'forced open for 60s: not before the fix is out',
    });
  });

  test('does not make the next back-off longer', () => {
    const bench = new Bench();
    bench.breaker.force('open', 0, 'game day', 1_000);
    bench.wait(1_000);
    bench.run(1, 'failure');
    expect(bench.breaker.retryAfterMs(bench.nowMs)).toBe(5_000);
  });
});

describe('a reset by hand', () => {
  test('closes, forgets the counts and begins the back-off again', () => {
    const bench = new Bench().halfOpen();
    bench.run(1, 'failure');
    bench.breaker.reset(bench.nowMs, 'fixed');
    expect(bench.last).toMatchObject({ from: 'open', to: 'closed', cause: 'reset', reason: 'reset: fixed' });
    bench.open();
    expect(bench.breaker.retryAfterMs(bench.nowMs)).toBe(5_000);
  });

  test('of a closed breaker forgets what is under way and what is counted', () => {
    const bench = new Bench();
    const calls = bench.start(19);
    bench.run(15, 'failure');
    bench.breaker.reset(bench.nowMs, 'noise');
    bench.end(calls, 'failure');
    expect(bench.view()).toMatchObject({ state: 'closed', requests: 0, consecutiveFailures: 0 });
    expect(bench.moves).toEqual([]);
  });
});

describe('new settings', () => {
  test('apply to what is already counted', () => {
    const bench = new Bench();
    bench.run(15, 'failure');
    bench.breaker.reconfigure({ ...SETTINGS, minimumRequests: 16 }, bench.nowMs);
    bench.run(1, 'ok');
    expect(bench.state).toBe('open');
  });

  test('with a lower threshold age the calls in flight at once, and with a higher one let them off', () => {
    const bench = new Bench({ minimumRequests: 100 });
    const calls = bench.start(10);
    bench.wait(200);
    bench.breaker.reconfigure(
      { ...SETTINGS, minimumRequests: 100, slow: { thresholdMs: 100, ratio: 0.2 } },
      bench.nowMs,
    );
    bench.wait(0);
    expect(bench.view().overdue).toBe(10);
    bench.breaker.reconfigure(
      {
        ...SETTINGS,
        minimumRequests: 100,
        slow: { thresholdMs: 1_000, ratio: 0.2 },
      },
      bench.nowMs,
    );
    bench.wait(0);
    expect(bench.view().overdue).toBe(0);
    bench.end(calls, 'ok');
    expect(bench.view()).toMatchObject({ requests: 10, slow: 0 });
  });

  test('without a threshold let the calls in flight off, and settle them right', () => {
    const bench = new Bench({ minimumRequests: 100 });
    const calls = bench.start(10);
    bench.wait(300);
    bench.breaker.reconfigure({ ...SETTINGS, slow: null }, bench.nowMs);
    bench.end(calls, 'ok');
    expect(bench.view()).toMatchObject({ requests: 10, slow: 0, overdue: 0 });
  });

  test('with another window keep the counts', () => {
    const bench = new Bench();
    bench.wait(1_000);
    bench.run(15, 'failure');
    bench.breaker.reconfigure({ ...SETTINGS, windowMs: 60_000 }, bench.nowMs);
    bench.wait(30_000);
    expect(bench.view()).toMatchObject({ requests: 15, failures: 15 });
  });

  test('leave a running open period as it is', () => {
    const bench = new Bench().open();
    bench.breaker.reconfigure({ ...SETTINGS, openForMs: 60_000 }, bench.nowMs);
    bench.wait(5_000);
    expect(bench.state).toBe('half-open');
  });

  test('with fewer probes close at once when there are enough good ones', () => {
    const bench = new Bench().halfOpen();
    bench.run(3, 'ok');
    bench.breaker.reconfigure({ ...SETTINGS, halfOpenRequests: 3 }, bench.nowMs);
    bench.start(1);
    expect(bench.state).toBe('closed');
  });

  test('while half-open apply the new threshold to the probes under way', () => {
    const bench = new Bench().halfOpen();
    bench.start(1);
    bench.wait(200);
    bench.breaker.reconfigure({ ...SETTINGS, slow: { thresholdMs: 100, ratio: 0.2 } }, bench.nowMs);
    bench.wait(0);
    expect(bench.state).toBe('open');
  });
});

describe('every admitted call is settled exactly once', () => {
  test('twice is an error, and counts nothing', () => {
    const bench = new Bench();
    const [call] = bench.start(1);
    bench.end([call!], 'failure');
    expect(() => bench.end([call!], 'failure')).toThrow('not in flight here');
    expect(bench.view()).toMatchObject({ requests: 1, failures: 1, inFlight: 0 });
  });

  test('without being admitted is an error', () => {
    const bench = new Bench();
    expect(() => bench.end([new Call()], 'ok')).toThrow('not in flight here');
  });

  test('at another breaker is an error', () => {
    const bench = new Bench();
    const calls = bench.start(1);
    expect(() => new Bench().end(calls, 'ok')).toThrow('not in flight here');
    expect(bench.view().inFlight).toBe(1);
  });

  test('being admitted again before that is an error, and the call stays in flight', () => {
    const bench = new Bench();
    const [call] = bench.start(1);
    expect(() => bench.breaker.admit(call!, 0)).toThrow('a second time');
    bench.end([call!], 'ok');
    expect(bench.view()).toMatchObject({ inFlight: 0, requests: 1 });
  });

  test('an answer to a call that is not in flight is an error', () => {
    expect(() => new Bench().breaker.answered(new Call(), 0)).toThrow('not in flight here');
  });

  test('a settled call can be used again, anywhere', () => {
    const bench = new Bench();
    const other = new Bench();
    const [call] = bench.start(1);
    bench.end([call!], 'ok');
    expect(other.breaker.admit(call!, 0)).toBe(true);
    other.end([call!], 'ok');
    expect([bench.view().requests, other.view().requests]).toEqual([1, 1]);
  });

  test('a call used again starts afresh: not answered, not counted', () => {
    const bench = new Bench({ minimumRequests: 100 });
    const [call] = bench.start(1);
    bench.breaker.answered(call!, 10);
    bench.end([call!], 'ok');
    expect(bench.breaker.admit(call!, bench.nowMs)).toBe(true);
    bench.wait(300);
    expect(bench.view().overdue).toBe(1);
    bench.end([call!], 'ok');
    bench.breaker.admit(call!, bench.nowMs);
    bench.end([call!], 'ok');
    expect(bench.view()).toMatchObject({ requests: 3, slow: 1, overdue: 0 });
  });
});

describe('a breaker that time alone does not move', () => {
  test('is at rest until it has a call in flight or is not closed, and says when', () => {
    const told: string[] = [];
    const { breaker } = tickedBreaker(SETTINGS, told);
    expect([breaker.awakeAt, breaker.isAtRest]).toEqual([-1, true]);
    const [call, other] = [new Call(), new Call()];
    breaker.admit(call, 0);
    expect([breaker.awakeAt, breaker.isAtRest]).toEqual([0, false]);
    breaker.admit(other, 1);
    breaker.settle(call, 'ok', 2);
    expect([breaker.isAtRest, told]).toEqual([false, ['wakes']]);
    breaker.settle(other, 'ok', 3);
    expect([breaker.isAtRest, breaker.awakeAt, told]).toEqual([true, -1, ['wakes', 'rests']]);
    breaker.force('open', 4, 'game day', 1000);
    expect([breaker.isAtRest, told.length]).toEqual([false, 3]);
    breaker.reset(5, 'over');
    expect(breaker.isAtRest).toBe(true);
  });

  test('is ticked once more after its last call where something is judged on ticks only', () => {
    const told: string[] = [];
    const { breaker } = tickedBreaker({ ...SETTINGS, compared: COMPARED }, told);
    const call = new Call();
    breaker.admit(call, 0);
    breaker.settle(call, 'ok', 1);
    expect([breaker.isAtRest, told]).toEqual([true, ['wakes']]);
  });
});

function tickedBreaker(settings: BreakerSettings, told: string[]): { breaker: Breaker } {
  const random = { next: () => 0, hex: () => '' };
  const ticker: Ticker = {
    wake: (breaker) => {
      breaker.awakeAt = 0;
      told.push('wakes');
    },
    rest: (breaker) => {
      breaker.awakeAt = -1;
      told.push('rests');
    },
  };
  return { breaker: new Breaker('b', settings, random, () => {}, false, ticker) };
}
