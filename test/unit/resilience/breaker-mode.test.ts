import { describe, expect, test } from 'vitest';
import type { Call } from '../../../src/resilience/breaker.ts';
import { FORCE_MAX_MS } from '../../../src/resilience/mode.ts';
import { Bench, SETTINGS } from '../../support/breaker-bench.ts';
import { SharedBench } from '../../support/shared-bench.ts';

describe('a breaker that only observes', () => {
  test('says that it would have opened, and lets every call through', () => {
    const bench = new Bench({ mode: 'observe' });
    bench.run(20, 'failure');
    expect(bench.last).toMatchObject({ to: 'open', mode: 'observe', cause: 'error-rate' });
    bench.run(30, 'failure');
    expect(bench.breaker.isBarred).toBe(false);
    expect(bench.view()).toMatchObject({ state: 'open', mode: 'observe', turnedAway: 0, wouldTurnAway: 30 });
  });

  test('recovers by the calls that would have been its probes', () => {
    const bench = new Bench({ mode: 'observe' }).halfOpen();
    // The first is the probe; what would have been turned away is let through and proves nothing.
    const calls = bench.start(100);
    expect(bench.view()).toMatchObject({ probes: 1, wouldTurnAway: 99 });
    bench.end(calls.slice(1), 'failure');
    expect(bench.state).toBe('half-open');
    bench.end(calls.slice(0, 1), 'ok');
    bench.run(4, 'ok');
    expect(bench.last).toMatchObject({ to: 'closed', mode: 'observe', cause: 'probes-ok' });
  });

  test('still notices a probe that hangs among calls that do not count', () => {
    const bench = new Bench({ mode: 'observe' }).halfOpen();
    bench.start(50);
    bench.wait(251);
    expect(bench.last).toMatchObject({ to: 'open', cause: 'probe-failed' });
  });

  test('counts no call of before once it has closed again', () => {
    const bench = new Bench({ mode: 'observe' }).open();
    const calls = bench.start(40);
    for (const call of calls.slice(0, 20)) bench.breaker.answered(call, bench.nowMs);
    bench.wait(5_000);
    bench.run(5, 'ok');
    bench.wait(60_000);
    bench.end(calls, 'failure');
    expect(bench.view()).toMatchObject({ state: 'closed', requests: 0, overdue: 0, inFlight: 0 });
  });

  test('turns calls away from the moment it is told to by its settings', () => {
    const bench = new Bench({ mode: 'observe' }).open();
    bench.start(1);
    bench.breaker.reconfigure({ ...SETTINGS, mode: 'enforce' }, bench.nowMs);
    expect(bench.isTurnedAway()).toBe(true);
    expect(bench.breaker.isBarred).toBe(true);
    expect(bench.moves).toHaveLength(1);
  });

  test('is forced open all the same, and observes again when that is over', () => {
    const bench = new Bench({ mode: 'observe' });
    bench.breaker.force('open', bench.nowMs, 'drill', 1_000);
    expect(bench.isTurnedAway()).toBe(true);
    bench.wait(1_000);
    expect(bench.view()).toMatchObject({ state: 'half-open', mode: 'observe', force: null });
    bench.start(10);
  });
});

describe('a breaker that is forced', () => {
  test('closed lets every call through, whatever becomes of them, for its time', () => {
    const bench = new Bench().open();
    bench.breaker.force('closed', bench.nowMs, 'the fix is out', 60_000);
    expect(bench.last).toMatchObject({
      from: 'open',
      to: 'closed',
      mode: 'forced-closed',
      cause: 'forced',
      reason: 'forced closed for 60s: the fix is out',
    });
    for (let second = 0; second < 59; second++) {
      bench.run(50, 'failure');
      bench.wait(1_000);
    }
    expect(bench.view()).toMatchObject({ state: 'closed', mode: 'forced-closed' });
  });

  test('closed judges what it has counted when its time is over', () => {
    const bench = new Bench();
    bench.breaker.force('closed', bench.nowMs, 'let it be', 1_000);
    bench.run(50, 'failure');
    bench.wait(999);
    expect(bench.state).toBe('closed');
    bench.wait(1);
    expect(bench.last).toMatchObject({
      from: 'closed',
      to: 'closed',
      mode: 'enforce',
      cause: 'force-ended',
      reason: 'the time of being forced closed is over',
    });
    bench.run(1, 'failure');
    expect(bench.last).toMatchObject({ to: 'open', cause: 'error-rate' });
  });

  test('to observe goes on where it stands, without effect', () => {
    const bench = new Bench().open();
    bench.breaker.force('observe', bench.nowMs, 'is it the breaker?', 60_000);
    expect(bench.last).toMatchObject({ from: 'open', to: 'open', mode: 'forced-observe' });
    bench.start(5);
    bench.wait(5_000);
    expect(bench.state).toBe('half-open');
    bench.run(1, 'failure');
    bench.wait(55_000);
    expect(bench.moves.map(({ to, mode }) => `${to} ${mode}`)).toEqual([
      'open enforce',
      'open forced-observe',
      'half-open forced-observe',
      'open forced-observe',
      'open enforce',
      'half-open enforce',
    ]);
  });

  test('is not at rest, so that somebody tells it when its time is over', () => {
    const bench = new Bench();
    bench.breaker.force('closed', bench.nowMs, 'quiet', 1_000);
    expect(bench.breaker.isAtRest).toBe(false);
    bench.wait(1_000);
    expect(bench.breaker.isAtRest).toBe(true);
  });

  test('notices the end of its time without a tick', () => {
    const bench = new Bench();
    bench.breaker.force('observe', bench.nowMs, 'no ticks', 1_000);
    bench.run(20, 'failure');
    bench.nowMs += 1_000;
    expect(bench.isTurnedAway()).toBe(true);
  });

  test('decides by itself again after a reset', () => {
    const bench = new Bench();
    bench.breaker.force('closed', bench.nowMs, 'let it be', 60_000);
    bench.breaker.reset(bench.nowMs, 'no longer');
    expect(bench.last).toMatchObject({ from: 'closed', to: 'closed', mode: 'enforce', cause: 'reset' });
    bench.run(20, 'failure');
    expect(bench.state).toBe('open');
  });

  test('needs a time limit of at most a day', () => {
    const bench = new Bench();
    for (const forMs of [0, -1, Number.NaN, FORCE_MAX_MS + 1, Number.POSITIVE_INFINITY])
      expect(() => bench.breaker.force('closed', 0, 'for ever', forMs)).toThrow(RangeError);
    bench.breaker.force('closed', 0, 'a day', FORCE_MAX_MS);
    expect(bench.view().force).toMatchObject({ kind: 'closed', forMs: FORCE_MAX_MS });
  });
});

describe('a breaker that workers share', () => {
  test('that observes opens everywhere, without effect', () => {
    const bench = new SharedBench({ workers: 3, settings: { ...SETTINGS, mode: 'observe' } });
    bench.run(1, 20, 'failure');
    bench.wait(4);
    expect(bench.states()).toEqual(['open', 'open', 'open']);
    expect(bench.shared.isBarred).toBe(false);
    expect([1, 2, 3].map((id) => bench.run(id, 7, 'ok'))).toEqual([7, 7, 7]);
    for (let ms = 0; ms < 20_000 && bench.shared.state !== 'closed'; ms++) {
      for (const id of [1, 2, 3]) expect(bench.run(id, 1, 'ok')).toBe(1);
      bench.step();
    }
    expect(bench.moves.map(({ to, mode }) => `${to} ${mode}`)).toEqual([
      'open observe',
      'half-open observe',
      'closed observe',
    ]);
  });

  test('is forced closed in all of them, and in those that join, until its time is over', () => {
    const bench = new SharedBench({ workers: 2 });
    bench.run(1, 20, 'failure');
    bench.wait(4);
    bench.shared.force('closed', bench.nowMs, 'the fix is out', 2_000);
    bench.wait(2);
    bench.join(3);
    bench.wait(2);
    expect([1, 2, 3].map((id) => bench.run(id, 100, 'failure'))).toEqual([100, 100, 100]);
    bench.wait(2_030);
    expect(bench.moves.at(-1)).toMatchObject({ cause: 'force-ended', mode: 'enforce' });
    bench.run(2, 1, 'failure');
    bench.wait(4);
    expect(bench.states()).toEqual(['open', 'open', 'open']);
  });

  test('is told to observe, and turns calls away again after that', () => {
    const bench = new SharedBench({ workers: 2, settings: { ...SETTINGS, openForMs: 60_000 } });
    bench.run(1, 20, 'failure');
    bench.wait(4);
    expect(bench.start(2, 5)).toHaveLength(0);
    bench.shared.force('observe', bench.nowMs, 'is it the breaker?', 1_000);
    bench.wait(2);
    const calls: Call[] = bench.start(2, 5);
    expect(calls).toHaveLength(5);
    bench.wait(1_030);
    expect(bench.start(2, 5)).toHaveLength(0);
    expect(bench.worker(2).view(bench.nowMs)).toMatchObject({ mode: 'enforce', force: null, inFlight: 5 });
  });
});
