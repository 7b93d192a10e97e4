import { describe, expect, test } from 'vitest';
import type { Call } from '../../../src/resilience/breaker.ts';
import { addTallies, Evidence } from '../../../src/resilience/evidence.ts';
import { SETTINGS } from '../../support/breaker-bench.ts';
import { SharedBench } from '../../support/shared-bench.ts';

/** Opened by worker 1. */
function opened(workers: number, settings = SETTINGS): SharedBench {
  const bench = new SharedBench({ workers, settings });
  bench.run(1, 20, 'failure');
  bench.wait(4);
  expect(bench.states()).toEqual(Array(workers).fill('open'));
  return bench;
}

/** The probes may begin. */
function halfOpen(workers: number, settings = SETTINGS): SharedBench {
  const bench = opened(workers, settings);
  while (bench.shared.state === 'open') bench.step();
  bench.wait(2);
  expect(bench.states()).toEqual(Array(workers).fill('half-open'));
  return bench;
}

describe('a breaker that workers share, closed', () => {
  test('opens on what all of them have seen together', () => {
    const bench = new SharedBench({ workers: 4 });
    for (const worker of [1, 2, 3, 4]) bench.run(worker, 4, 'failure');
    bench.spread();
    expect(bench.states()).toEqual(['closed', 'closed', 'closed', 'closed']);
    for (const worker of [1, 2, 3, 4]) bench.run(worker, 1, 'failure');
    bench.spread();
    expect(bench.states()).toEqual(['open', 'open', 'open', 'open']);
    expect(bench.moves).toHaveLength(1);
    expect(bench.moves[0]!.reason).toMatch(
      /^error rate 100% >= 50% \(20 of 20 calls in 10s\); open for [5-7]/,
    );
  });

  test('is not opened by one worker whose share of the calls is bad, when the rate over all is not', () => {
    const bench = new SharedBench({ workers: 2 });
    bench.run(1, 100, 'ok');
    bench.spread();
    bench.run(2, 30, 'failure');
    bench.spread();
    expect(bench.states()).toEqual(['closed', 'closed']);
  });

  test('counts calls that hang in several workers together', () => {
    const bench = new SharedBench({ workers: 2 });
    expect(bench.start(1, 10)).toHaveLength(10);
    expect(bench.start(2, 10)).toHaveLength(10);
    bench.wait(250);
    expect(bench.states()).toEqual(['closed', 'closed']);
    bench.wait(150);
    expect(bench.states()).toEqual(['open', 'open']);
    expect(bench.moves[0]!.reason).toContain('20 of 20 calls took over 250ms, 20 of them still in flight');
  });

  test('no longer counts the calls that hung in a worker that is gone', () => {
    const bench = new SharedBench({ workers: 2 });
    bench.start(1, 15);
    bench.wait(500);
    expect(bench.worker(2).view(bench.nowMs)).toMatchObject({ requests: 15, slow: 15 });
    bench.crash(1);
    bench.spread();
    expect(bench.worker(2).view(bench.nowMs)).toMatchObject({ requests: 0, slow: 0 });
  });

  test('counts a hung call once when it ends at last', () => {
    const bench = new SharedBench({ workers: 2 });
    const [call] = bench.start(1, 1);
    bench.wait(500);
    bench.worker(1).settle(call!, 'slow', bench.nowMs);
    bench.spread();
    for (const worker of [1, 2])
      expect(bench.worker(worker).view(bench.nowMs)).toMatchObject({ requests: 1, slow: 1 });
  });

  test('adds up failures in a row, and a good call anywhere ends the row', () => {
    const settings = { ...SETTINGS, errorRatio: null, slow: null, consecutiveFailures: 6 };
    const bench = new SharedBench({ workers: 2, settings });
    bench.run(1, 3, 'failure');
    bench.run(2, 2, 'failure');
    bench.spread();
    bench.run(2, 1, 'ok');
    bench.spread();
    bench.run(1, 3, 'failure');
    bench.run(2, 2, 'failure');
    bench.spread();
    expect(bench.states()).toEqual(['closed', 'closed']);
    bench.run(1, 1, 'failure');
    expect(bench.worker(1).state).toBe('open');
    expect(bench.worker(1).view(bench.nowMs).reason).toContain('failures in a row 6 >= 6');
  });

  test('follows the first of two workers that open it at one time, and has opened once', () => {
    const bench = new SharedBench({ workers: 3 });
    bench.run(1, 20, 'failure');
    bench.run(2, 20, 'failure');
    bench.spread();
    expect(bench.states()).toEqual(['open', 'open', 'open']);
    expect(bench.shared.standing(bench.nowMs).trips).toBe(1);
    const retries = [1, 2, 3].map((id) => bench.worker(id).retryAfterMs(bench.nowMs));
    expect(Math.max(...retries) - Math.min(...retries)).toBeLessThanOrEqual(5);
    expect(bench.worker(2).view(bench.nowMs).reason).toBe(bench.worker(1).view(bench.nowMs).reason);
  });

  test('a worker that joins stands where the others do', () => {
    const bench = opened(2);
    bench.join(3);
    bench.wait(2);
    expect(bench.states()).toEqual(['open', 'open', 'open']);
  });

  test('what was counted before a reset counts for nothing after it', () => {
    const bench = new SharedBench({ workers: 2 });
    bench.run(1, 19, 'failure');
    bench.shared.reset(bench.nowMs, 'by hand');
    bench.spread();
    bench.run(2, 1, 'failure');
    bench.spread();
    expect(bench.states()).toEqual(['closed', 'closed']);
    expect(bench.worker(2).view(bench.nowMs).requests).toBe(1);
  });
});

describe('a breaker that workers share, open', () => {
  test('is open in every worker two messages after one has opened it', () => {
    const bench = new SharedBench({ workers: 8, wireMs: 3 });
    bench.run(5, 20, 'failure');
    bench.wait(6);
    expect(new Set(bench.states())).toEqual(new Set(['open']));
  });

  test('stays open past its time in a worker that has not heard from the primary', () => {
    const bench = opened(2);
    const worker = bench.worker(2);
    worker.tick(bench.nowMs + 60_000);
    expect(worker.state).toBe('open');
    expect(bench.run(2, 1, 'ok')).toBe(0);
  });

  test('by hand it opens and closes everywhere, and recovers by probes', () => {
    const bench = new SharedBench({ workers: 2 });
    bench.shared.trip(bench.nowMs, 'drill', 1000);
    bench.wait(2);
    expect(bench.states()).toEqual(['open', 'open']);
    expect(bench.worker(1).view(bench.nowMs).reason).toBe('forced open for 1s: drill');
    bench.wait(1030);
    expect(bench.states()).toEqual(['half-open', 'half-open']);
    bench.shared.reset(bench.nowMs, 'over');
    bench.wait(2);
    expect(bench.states()).toEqual(['closed', 'closed']);
    expect(bench.moves.map(({ cause }) => cause)).toEqual(['forced', 'force-ended', 'timer', 'reset']);
  });

  test('each opening is twice as long as the one before, whichever worker opens', () => {
    const bench = opened(2);
    const forMs = (): number => bench.shared.standing(bench.nowMs).openUntilMs! - bench.nowMs;
    const first = forMs();
    bench.run(2, 3, 'ok');
    while (bench.shared.state === 'open') bench.step();
    bench.wait(2);
    expect(bench.run(2, 1, 'failure')).toBe(1);
    bench.wait(2);
    expect(bench.shared.state).toBe('open');
    expect(forMs()).toBeGreaterThan(9_900);
    expect(first).toBeLessThan(7_600);
  });
});

describe('a breaker that workers share, half-open', () => {
  test.each([1, 2, 3, 5, 8])('%i workers together have no more probes under way than one', (workers) => {
    const bench = halfOpen(workers, { ...SETTINGS, slow: null, openForMs: 60_000, halfOpenRequests: 7 });
    const rounds: number[] = [];
    for (let round = 0; round < 3; round++) {
      const calls: { readonly id: number; readonly call: Call }[] = [];
      // Whoever has slots and no use for them is asked for them: a few messages there and back.
      for (let ms = 0; ms < 500; ms++) {
        for (let id = 1; id <= workers; id++) calls.push(...bench.start(id, 3).map((call) => ({ id, call })));
        bench.step();
      }
      rounds.push(calls.length);
      for (const { id, call } of calls) bench.worker(id).settle(call, 'ok', bench.nowMs);
    }
    expect(rounds).toEqual([1, 2, 4]);
    bench.spread();
    expect(new Set(bench.states())).toEqual(new Set(['closed']));
  });

  test('closes when the probes of all workers together have proven enough', () => {
    const bench = halfOpen(2);
    let admitted = 0;
    for (let ms = 0; ms < 1_000 && bench.shared.state === 'half-open'; ms++) {
      admitted += bench.run(1, 1, 'ok') + bench.run(2, 1, 'ok');
      bench.step();
    }
    bench.spread();
    expect(bench.states()).toEqual(['closed', 'closed']);
    expect(admitted).toBeGreaterThanOrEqual(5);
    expect(bench.moves.at(-1)).toMatchObject({ cause: 'probes-ok', reason: 'good probes 5 >= 5' });
  });

  test('opens everywhere on one bad probe', () => {
    const bench = halfOpen(3);
    expect(bench.run(1, 1, 'failure')).toBe(1);
    bench.wait(4);
    expect(bench.states()).toEqual(['open', 'open', 'open']);
    expect(bench.moves.at(-1)).toMatchObject({ from: 'half-open', to: 'open', cause: 'probe-failed' });
  });

  test('the first slot goes to where the traffic is', () => {
    const bench = opened(4, { ...SETTINGS, halfOpenRequests: 2 });
    bench.run(3, 10, 'ok');
    bench.run(4, 20, 'ok');
    while (bench.shared.state === 'open') bench.step();
    bench.wait(2);
    expect([1, 2, 3, 4].map((id) => bench.start(id, 2).length)).toEqual([0, 0, 0, 1]);
  });

  test('a worker that has all the traffic gets the slots of the others, and closes the breaker', () => {
    const bench = halfOpen(4, { ...SETTINGS, halfOpenRequests: 3 });
    let admitted = 0;
    for (let round = 0; round < 40 && bench.shared.state === 'half-open'; round++) {
      admitted += bench.run(4, 1, 'ok');
      bench.wait(10);
    }
    expect(bench.shared.state).toBe('closed');
    expect(admitted).toBe(3);
  });

  test('slots that were asked back and used in the meantime are not given twice, whenever that is', () => {
    for (let waitMs = 0; waitMs <= 120; waitMs++) {
      const bench = halfOpen(2, { ...SETTINGS, slow: null, halfOpenRequests: 2 });
      // The slot is the first one's, and only the second has a use for it, until then.
      const calls = bench.start(2, 2);
      bench.wait(waitMs);
      calls.push(...bench.start(1, 2));
      bench.wait(150);
      calls.push(...bench.start(1, 2), ...bench.start(2, 2));
      expect([waitMs, calls.length]).toEqual([waitMs, 1]);
    }
  });

  test('the slots of a worker that crashes go to the others', () => {
    const bench = halfOpen(2);
    expect(bench.start(1, 5)).toHaveLength(1);
    bench.crash(1);
    const admitted: number[] = [];
    for (let ms = 0; ms < 1_000 && bench.shared.state === 'half-open'; ms++) {
      const count = bench.run(2, 5, 'ok');
      if (count > 0) admitted.push(count);
      bench.step();
    }
    expect(admitted).toEqual([1, 2, 2]);
    bench.spread();
    expect(bench.states()).toEqual(['closed']);
  });

  test('good probes of a worker that crashes count', () => {
    const bench = halfOpen(2, { ...SETTINGS, halfOpenRequests: 3 });
    expect(bench.run(1, 1, 'ok')).toBe(1);
    bench.spread();
    bench.crash(1);
    let admitted = 0;
    for (let ms = 0; ms < 1_000 && bench.shared.state === 'half-open'; ms++) {
      admitted += bench.run(2, 5, 'ok');
      bench.step();
    }
    expect(admitted).toBe(2);
    bench.spread();
    expect(bench.states()).toEqual(['closed']);
  });

  test('fewer probes asked for by a reload are enough', () => {
    const bench = halfOpen(2);
    expect(bench.run(1, 1, 'ok')).toBe(1);
    bench.spread();
    const settings = { ...SETTINGS, halfOpenRequests: 1 };
    for (const breaker of bench.workers.values()) breaker.reconfigure(settings, bench.nowMs);
    bench.shared.reconfigure(settings, bench.nowMs);
    bench.wait(2);
    expect(bench.states()).toEqual(['closed', 'closed']);
  });
});

describe('evidence that is passed on', () => {
  test('is taken once', () => {
    const evidence = new Evidence(10_000);
    evidence.add(true, false, 1);
    evidence.add(false, true, 2);
    evidence.add(true, true, 3);
    expect(evidence.take()).toEqual({ requests: 3, failures: 2, slow: 2, lastFailures: 1 });
    expect(evidence.take()).toBeNull();
  });

  test('leaves the window like that which was counted here', () => {
    const evidence = new Evidence(10_000);
    evidence.merge({ requests: 9, failures: 4, slow: 3, lastFailures: 4 }, 0);
    evidence.advance(10_000);
    expect([evidence.requests, evidence.failures, evidence.slow]).toEqual([9, 4, 3]);
    evidence.advance(10_200);
    expect([evidence.requests, evidence.failures, evidence.slow]).toEqual([0, 0, 0]);
    expect(evidence.take()).toBeNull();
  });

  test('of two reports is that of one report over both', () => {
    const good = { requests: 2, failures: 1, slow: 0, lastFailures: 1 };
    const bad = { requests: 3, failures: 3, slow: 1, lastFailures: 3 };
    expect(addTallies(good, bad)).toEqual({ requests: 5, failures: 4, slow: 1, lastFailures: 4 });
    expect(addTallies(bad, good)).toEqual({ requests: 5, failures: 4, slow: 1, lastFailures: 1 });
  });
});
