import { describe, expect, test } from 'vitest';
import { Call } from '../../../src/resilience/breaker.ts';
import { Bench } from '../../support/breaker-bench.ts';

describe('an open breaker', () => {
  test('turns every call away until its time is over', () => {
    const bench = new Bench().open();
    bench.wait(4_999);
    expect(bench.isTurnedAway()).toBe(true);
    expect(bench.breaker.retryAfterMs(bench.nowMs)).toBe(1);
    expect(bench.view()).toMatchObject({ state: 'open', openUntilMs: 5_000, turnedAway: 1, trips: 1 });
  });

  test('becomes half-open when it is due, by a tick', () => {
    const bench = new Bench().open();
    bench.wait(5_000);
    expect(bench.last).toMatchObject({ from: 'open', to: 'half-open', cause: 'timer', atMs: 5_000 });
    expect(bench.last.reason).toBe('was open for 5s; up to 5 probes may pass');
  });

  test('becomes half-open when it is due, by the next call alone', () => {
    const bench = new Bench().open();
    bench.nowMs = 5_000;
    bench.start(1);
    expect(bench.state).toBe('half-open');
  });

  test('ends its turn-away at 0 once it is not open', () => {
    const bench = new Bench();
    expect(bench.breaker.retryAfterMs(0)).toBe(0);
    bench.halfOpen();
    expect(bench.breaker.retryAfterMs(bench.nowMs)).toBe(0);
  });

  test('leaves a turned-away call free for use elsewhere', () => {
    const bench = new Bench().open();
    const call = new Call();
    expect(bench.breaker.admit(call, 1)).toBe(false);
    expect(call.isArmed).toBe(false);
  });
});

describe('a half-open breaker', () => {
  test('lets one probe through at first and no call more', () => {
    const bench = new Bench().halfOpen();
    bench.start(1);
    expect(bench.isTurnedAway()).toBe(true);
    expect(bench.view()).toMatchObject({ probes: 1, probesOk: 0, turnedAway: 1 });
  });

  test('lets twice as many through at one time when those before were good, up to as many as it needs', () => {
    const bench = new Bench({ halfOpenRequests: 20 }).halfOpen();
    const atOneTime: number[] = [];
    while (bench.state === 'half-open') {
      const calls: Call[] = [];
      for (let call = new Call(); bench.breaker.admit(call, bench.nowMs); call = new Call()) calls.push(call);
      atOneTime.push(calls.length);
      bench.end(calls, 'ok');
    }
    expect(atOneTime).toEqual([1, 2, 4, 8, 5]);
    expect(bench.last).toMatchObject({ to: 'closed', reason: 'good probes 20 >= 20' });
  });

  test('lets one more through for each good one while others are still under way', () => {
    const bench = new Bench({ halfOpenRequests: 20 }).halfOpen();
    bench.run(1, 'ok');
    const [first] = bench.start(2);
    expect(bench.isTurnedAway()).toBe(true);
    bench.end([first!], 'ok');
    bench.start(2);
    expect(bench.isTurnedAway()).toBe(true);
    expect(bench.view()).toMatchObject({ probes: 5, probesOk: 2, inFlight: 3 });
  });

  test('closes when all of them are good, and counts from nothing', () => {
    const bench = new Bench().halfOpen();
    bench.run(3, 'ok');
    const probes = bench.start(2);
    bench.end(probes.slice(0, 1), 'ok');
    expect(bench.state).toBe('half-open');
    expect(bench.isTurnedAway()).toBe(true);
    bench.end(probes.slice(1), 'ok');
    expect(bench.last).toMatchObject({ to: 'closed', cause: 'probes-ok', reason: 'good probes 5 >= 5' });
    expect(bench.view()).toMatchObject({ requests: 0, failures: 0, probes: 0, probesOk: 0 });
  });

  test('opens again on one bad probe', () => {
    for (const outcome of ['failure', 'slow'] as const) {
      const bench = new Bench().halfOpen();
      bench.run(4, 'ok');
      bench.run(1, outcome);
      expect(bench.last).toMatchObject({ from: 'half-open', to: 'open', cause: 'probe-failed' });
    }
  });

  test('gives the slot of an ignored probe to the next', () => {
    const bench = new Bench().halfOpen();
    bench.run(100, 'ignored');
    expect(bench.view()).toMatchObject({ state: 'half-open', probes: 0 });
    bench.run(5, 'ok');
    expect(bench.state).toBe('closed');
  });

  test('opens again when a probe hangs past the slow threshold', () => {
    const bench = new Bench().halfOpen();
    bench.start(1);
    bench.wait(250);
    expect(bench.state).toBe('half-open');
    bench.wait(1);
    expect(bench.last.reason).toBe('a probe took 251ms > 250ms, after 0 good ones; open for 10s');
  });

  test('opens again when a probe hangs for as long as it was open, without a slow setting', () => {
    const bench = new Bench({ slow: null }).halfOpen();
    bench.start(1);
    bench.wait(5_000);
    expect(bench.state).toBe('half-open');
    bench.wait(1);
    expect(bench.last.cause).toBe('probe-failed');
  });

  test('notices a hung probe at the next call, without a tick', () => {
    const bench = new Bench().halfOpen();
    bench.start(1);
    bench.nowMs += 251;
    expect(bench.isTurnedAway()).toBe(true);
    expect(bench.state).toBe('open');
  });

  test('does not wait for ever for traffic, for probes or for streams', () => {
    const bench = new Bench({ halfOpenRequests: 2 }).halfOpen();
    const streams: Call[] = [];
    for (let round = 0; round < 2; round++) {
      const [stream] = bench.start(1);
      bench.breaker.answered(stream!, bench.nowMs + 50);
      streams.push(stream!);
      bench.wait(5_000);
      expect(bench.state).toBe('half-open');
      bench.wait(1);
    }
    expect(bench.last).toMatchObject({ to: 'closed', cause: 'probes-ok' });
    bench.end(streams, 'failure');
    expect(bench.view()).toMatchObject({ state: 'closed', failures: 0 });
  });

  test('opens again when a stream that was taken for good breaks off before the others are done', () => {
    const bench = new Bench({ halfOpenRequests: 2 }).halfOpen();
    const [stream] = bench.start(1);
    bench.breaker.answered(stream!, bench.nowMs);
    bench.wait(5_001);
    expect(bench.view()).toMatchObject({ probes: 1, probesOk: 1 });
    bench.end([stream!], 'failure');
    expect(bench.state).toBe('open');
  });

  test('counts a stream that was taken for good once, however it ends', () => {
    for (const outcome of ['ok', 'ignored'] as const) {
      const bench = new Bench({ halfOpenRequests: 3 }).halfOpen();
      const [stream] = bench.start(1);
      bench.breaker.answered(stream!, bench.nowMs);
      bench.wait(5_001);
      bench.wait(20);
      bench.end([stream!], outcome);
      expect(bench.view()).toMatchObject({ state: 'half-open', probes: 1, probesOk: 1 });
    }
  });

  test('takes a probe that ends well too late for a bad one', () => {
    const bench = new Bench({ slow: null }).halfOpen();
    const [probe] = bench.start(1);
    bench.nowMs += 5_001;
    bench.end([probe!], 'ok');
    expect(bench.state).toBe('open');
  });
});

describe('a call that was under way when the state changed', () => {
  test('neither closes nor opens a half-open breaker', () => {
    for (const outcome of ['ok', 'failure', 'slow', 'ignored'] as const) {
      const bench = new Bench({ halfOpenRequests: 1 });
      const stale = bench.start(10);
      bench.halfOpen();
      bench.end(stale, outcome);
      expect(bench.view()).toMatchObject({ state: 'half-open', probes: 0, probesOk: 0 });
    }
  });

  test('does not age into a half-open or a newly closed breaker', () => {
    const bench = new Bench({ slow: { thresholdMs: 6_000, ratio: 0.2 } });
    bench.start(50);
    bench.halfOpen();
    bench.run(5, 'ok');
    expect(bench.state).toBe('closed');
    bench.wait(60_000);
    expect(bench.view()).toMatchObject({ state: 'closed', overdue: 0, requests: 0, inFlight: 50 });
  });

  test('as a probe counts for nothing once the breaker has opened again', () => {
    const bench = new Bench({ halfOpenRequests: 3 }).halfOpen();
    bench.run(1, 'ok');
    const probes = bench.start(2);
    bench.end(probes.slice(0, 1), 'failure');
    bench.end(probes.slice(1), 'ok');
    expect(bench.view()).toMatchObject({ state: 'open', probesOk: 0 });
    bench.wait(10_000);
    expect(bench.view()).toMatchObject({ state: 'half-open', probes: 0, probesOk: 0 });
  });
});

describe('the back-off', () => {
  test('grows with every failed probe up to the cap', () => {
    const bench = new Bench().open();
    const waits: number[] = [];
    for (let i = 0; i < 6; i++) {
      waits.push(bench.breaker.retryAfterMs(bench.nowMs));
      bench.wait(waits.at(-1)!);
      bench.run(1, 'failure');
    }
    expect(waits).toEqual([5_000, 10_000, 20_000, 40_000, 40_000, 40_000]);
  });

  test('goes on growing when the breaker trips within a window of closing', () => {
    const bench = new Bench().halfOpen();
    bench.run(5, 'ok');
    bench.wait(9_999);
    bench.open();
    expect(bench.breaker.retryAfterMs(bench.nowMs)).toBe(10_000);
  });

  test('begins again after a whole window closed', () => {
    const bench = new Bench().halfOpen();
    bench.run(5, 'ok');
    bench.wait(10_000);
    bench.open();
    expect(bench.breaker.retryAfterMs(bench.nowMs)).toBe(5_000);
  });
});
