import { describe, expect, test } from 'vitest';
import { Bench, SETTINGS } from '../../support/breaker-bench.ts';

describe('the error rate', () => {
  test('trips the breaker when it reaches the limit, with a sentence that says so', () => {
    const bench = new Bench();
    bench.run(10, 'ok');
    bench.run(9, 'failure');
    expect(bench.state).toBe('closed');
    bench.run(1, 'failure');
    expect(bench.moves).toEqual([
      {
        breaker: 'api/ranking/candidate',
        from: 'closed',
        to: 'open',
        mode: 'enforce',
        cause: 'error-rate',
        reason: 'error rate 50% >= 50% (10 of 20 calls in 10s); open for 5s',
        tooOften: null,
        atMs: 0,
      },
    ]);
  });

  test('is not judged below the minimum number of requests', () => {
    const bench = new Bench();
    bench.run(19, 'failure');
    expect(bench.state).toBe('closed');
  });

  test('of nobody is shown as none, and judged from the first call on by the settings of then', () => {
    const bench = new Bench();
    bench.wait(1000);
    expect(bench.view()).toMatchObject({ state: 'closed', requests: 0, failures: 0, inFlight: 0 });
    bench.breaker.reconfigure({ ...SETTINGS, minimumRequests: 5 }, bench.nowMs);
    bench.run(4, 'failure');
    expect(bench.state).toBe('closed');
    bench.run(1, 'failure');
    expect(bench.last.reason).toBe('error rate 100% >= 50% (5 of 5 calls in 10s); open for 5s');
  });

  test('is judged when a good call makes up the minimum', () => {
    const bench = new Bench();
    bench.run(19, 'failure');
    bench.run(1, 'ok');
    expect(bench.last.reason).toBe('error rate 95% >= 50% (19 of 20 calls in 10s); open for 5s');
  });

  test('trips the same for a burst of failures and for the burst spread out', () => {
    const burst = new Bench({ errorRatio: 0.1 });
    const spread = new Bench({ errorRatio: 0.1 });
    for (let second = 0; second < 9; second++) {
      burst.run(10, 'ok');
      spread.run(10, 'ok');
      spread.run(1, 'failure');
      burst.wait(1_000);
      spread.wait(1_000);
    }
    expect(spread.state).toBe('closed');
    burst.run(9, 'failure');
    expect(burst.state).toBe('closed');
    burst.run(1, 'failure');
    spread.run(1, 'failure');
    expect([burst.last.reason, spread.last.reason]).toEqual([
      'error rate 10% >= 10% (10 of 100 calls in 10s); open for 5s',
      'error rate 10% >= 10% (10 of 100 calls in 10s); open for 5s',
    ]);
  });

  test('reaches 7 percent with 7 of 100 calls, rounding or not', () => {
    const bench = new Bench({ errorRatio: 0.07, minimumRequests: 100 });
    bench.run(93, 'ok');
    bench.run(7, 'failure');
    expect(bench.state).toBe('open');
  });

  test('forgets failures that have left the window', () => {
    const bench = new Bench();
    bench.run(15, 'failure');
    bench.wait(10_200);
    bench.run(15, 'failure');
    expect(bench.state).toBe('closed');
    expect(bench.view().requests).toBe(15);
  });

  test('does not count ignored calls at all', () => {
    const bench = new Bench();
    bench.run(19, 'failure');
    bench.run(1_000, 'ignored');
    expect(bench.view().requests).toBe(19);
    bench.run(1, 'failure');
    expect(bench.state).toBe('open');
  });

  test('needs five bad calls, however low the limit is', () => {
    const bench = new Bench({ errorRatio: 0.05 });
    bench.run(16, 'ok');
    bench.run(4, 'failure');
    expect(bench.state).toBe('closed');
    bench.run(1, 'failure');
    expect(bench.last.reason).toBe('error rate 23.8% >= 5% (5 of 21 calls in 10s); open for 5s');
  });

  test('needs no more bad calls than the minimum of requests', () => {
    const bench = new Bench({ minimumRequests: 2 });
    bench.run(2, 'failure');
    expect(bench.state).toBe('open');
  });

  test('can be switched off', () => {
    const bench = new Bench({ errorRatio: null });
    bench.run(1_000, 'failure');
    expect(bench.state).toBe('closed');
  });
});

describe('failures in a row', () => {
  test('trip the breaker whatever the minimum is', () => {
    const bench = new Bench({ consecutiveFailures: 7 });
    bench.run(7, 'failure');
    expect(bench.last.cause).toBe('consecutive-failures');
    expect(bench.last.reason).toBe('failures in a row 7 >= 7; open for 5s');
  });

  test('begin again after a good or a slow call, and not after an ignored one', () => {
    const bench = new Bench({ consecutiveFailures: 3, errorRatio: null, slow: null });
    bench.run(2, 'failure');
    bench.run(1, 'ok');
    bench.run(2, 'failure');
    bench.run(1, 'slow');
    bench.run(2, 'failure');
    expect(bench.state).toBe('closed');
    bench.run(5, 'ignored');
    bench.run(1, 'failure');
    expect(bench.state).toBe('open');
  });
});

describe('calls in flight past the slow threshold', () => {
  test('trip a hung candidate without one finished call', () => {
    const bench = new Bench();
    const calls = bench.start(20);
    bench.wait(250);
    expect(bench.state).toBe('closed');
    bench.wait(0.5);
    expect(bench.state).toBe('open');
    expect(bench.last.cause).toBe('slow-rate');
    expect(bench.last.reason).toBe(
      'slow calls 100% >= 20% (20 of 20 calls took over 250ms, 20 of them still in flight); open for 5s',
    );
    bench.end(calls, 'failure');
  });

  test('trip at the very call that makes up the minimum, not one earlier', () => {
    const bench = new Bench();
    for (let i = 0; i < 20; i++) {
      bench.start(1);
      bench.wait(10);
    }
    bench.wait(240);
    expect(bench.nowMs).toBe(440);
    expect([bench.state, bench.view().overdue]).toEqual(['closed', 19]);
    bench.wait(0.01);
    expect(bench.state).toBe('open');
  });

  test('trip without a tick, at the next call that asks', () => {
    const bench = new Bench();
    bench.start(20);
    bench.nowMs = 251;
    expect(bench.isTurnedAway()).toBe(true);
    expect(bench.last.cause).toBe('slow-rate');
  });

  test('trip a hung candidate that is asked so seldom that the window would forget', () => {
    const bench = new Bench();
    for (let i = 0; i < 19; i++) {
      bench.start(1);
      bench.wait(2_000);
    }
    expect([bench.state, bench.view().overdue]).toEqual(['closed', 19]);
    bench.start(1);
    bench.wait(251);
    expect(bench.state).toBe('open');
  });

  test('trip when the good calls leave the window and the hung ones stay', () => {
    const bench = new Bench();
    bench.run(100, 'ok');
    bench.start(20);
    bench.wait(251);
    expect([bench.state, bench.view().slowRatio]).toEqual(['closed', 20 / 120]);
    bench.wait(10_000);
    expect(bench.state).toBe('open');
  });

  test('are counted once: in flight, and then finished', () => {
    const bench = new Bench({ minimumRequests: 100 });
    const calls = bench.start(10);
    bench.wait(300);
    expect(bench.view()).toMatchObject({ requests: 10, slow: 10, overdue: 10, inFlight: 10 });
    bench.end(calls, 'slow');
    expect(bench.view()).toMatchObject({ requests: 10, slow: 10, overdue: 0, inFlight: 0 });
  });

  test('count as failures too when they end as such', () => {
    const bench = new Bench({ minimumRequests: 100 });
    const calls = bench.start(10);
    bench.wait(30_000);
    bench.end(calls, 'failure');
    expect(bench.view()).toMatchObject({ requests: 10, slow: 10, failures: 10 });
  });

  test('are slow by their age, whether a tick saw it or not, and whatever they end as', () => {
    const ticked = new Bench({ minimumRequests: 100 });
    const unticked = new Bench({ minimumRequests: 100 });
    const first = ticked.start(4);
    const second = unticked.start(4);
    ticked.wait(300);
    unticked.nowMs = 300;
    for (const [bench, calls] of [
      [ticked, first],
      [unticked, second],
    ] as const) {
      bench.end(calls.slice(0, 2), 'ok');
      bench.end(calls.slice(2), 'failure');
      expect(bench.view()).toMatchObject({ requests: 4, slow: 4, failures: 2 });
    }
  });

  test('are taken back when they end as ignored', () => {
    const bench = new Bench({ minimumRequests: 100 });
    const calls = bench.start(10);
    bench.wait(300);
    bench.end(calls, 'ignored');
    expect(bench.view()).toMatchObject({ requests: 0, slow: 0, overdue: 0 });
  });

  test('are not slow when the answer came in time and only the body takes long', () => {
    const bench = new Bench();
    const calls = bench.start(30);
    bench.wait(200);
    for (const call of calls) bench.breaker.answered(call, bench.nowMs);
    bench.wait(60_000);
    expect(bench.view()).toMatchObject({ state: 'closed', overdue: 0 });
    bench.end(calls, 'ok');
    expect(bench.view()).toMatchObject({ requests: 30, slow: 0 });
  });

  test('stay slow when the answer came too late', () => {
    const bench = new Bench({ minimumRequests: 100 });
    const [call] = bench.start(1);
    bench.nowMs = 300;
    bench.breaker.answered(call!, bench.nowMs);
    bench.wait(10);
    expect(bench.view().overdue).toBe(1);
    bench.end([call!], 'ok');
    expect(bench.view()).toMatchObject({ requests: 1, slow: 1, overdue: 0 });
  });

  test('do not count without a slow setting', () => {
    const bench = new Bench({ slow: null });
    bench.start(100);
    bench.wait(1e9);
    expect(bench.view()).toMatchObject({ state: 'closed', requests: 0, inFlight: 100 });
  });
});
