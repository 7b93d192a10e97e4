/** Error budgets and too many openings in a breaker, alone, beside a control, and shared by workers. */
import { describe, expect, test } from 'vitest';
import type { BreakerSettings } from '../../../src/resilience/breaker.ts';
import { Bench, SETTINGS } from '../../support/breaker-bench.ts';
import { SharedBench } from '../../support/shared-bench.ts';

const HOUR = 3_600_000;

/** Only the budget opens it: a tenth may fail, five times as much over 10 s and 1 s may not. */
const BUDGETED: BreakerSettings = {
  ...SETTINGS,
  errorRatio: null,
  slow: null,
  budget: { targetRatio: 0.9, periodMs: HOUR, burn: [{ rate: 5, longMs: 10_000, shortMs: 1_000 }] },
};

describe('a breaker with an error budget', () => {
  test('opens when it burns too fast, with the numbers', () => {
    const bench = new Bench(BUDGETED);
    bench.run(10, 'ok');
    bench.run(10, 'failure');
    bench.wait(50);
    expect(bench.last).toMatchObject({
      to: 'open',
      cause: 'budget-burn',
      reason:
        'error budget burns 5x over 10s (10 of 20 calls) and 5x over 1s >= 5x; of 10% in 1h, nothing is left; open for 5s',
    });
  });

  test('counts every call with an outcome, in whatever state, and slow ones as good', () => {
    const bench = new Bench({ ...BUDGETED, budget: { ...BUDGETED.budget!, burn: [] } });
    const stale = bench.start(3);
    bench.run(5, 'ok');
    bench.run(5, 'ignored');
    bench.run(2, 'slow');
    bench.breaker.force('open', bench.nowMs, 'test', 1_000);
    bench.end(stale, 'failure');
    bench.wait(1_000);
    bench.run(1, 'ok');
    bench.wait(50);
    expect(bench.view().budget).toMatchObject({ requests: 11, failures: 3 });
  });

  test('is not at rest before everything is entered', () => {
    const bench = new Bench(BUDGETED);
    bench.run(1, 'ok');
    expect(bench.breaker.isAtRest).toBe(false);
    bench.wait(50);
    expect(bench.breaker.isAtRest).toBe(true);
  });

  test('that has closed again is opened by what fails from then on, and stays open for longer', () => {
    const bench = new Bench(BUDGETED);
    bench.run(20, 'failure');
    bench.wait(50);
    bench.wait(5_000);
    bench.run(5, 'ok');
    expect(bench.state).toBe('closed');
    bench.wait(50);
    bench.run(14, 'failure');
    bench.wait(50);
    expect(bench.state).toBe('closed');
    bench.run(1, 'failure');
    bench.wait(50);
    expect(bench.state).toBe('open');
    expect(bench.breaker.retryAfterMs(bench.nowMs)).toBe(10_000);
  });

  test('is not opened again by what had opened it, while its short time is not over', () => {
    const bench = new Bench({ ...BUDGETED, openForMs: 100, openForMaxMs: 100 });
    bench.run(20, 'failure');
    bench.wait(50);
    bench.wait(100);
    bench.run(5, 'ok');
    expect(bench.state).toBe('closed');
    bench.run(15, 'ok');
    bench.run(5, 'failure');
    bench.wait(50);
    expect(bench.state).toBe('closed');
    // Five times as fast over the long time, and the short one has begun anew.
    expect(bench.view().budget!.burn[0]!.long).toBeGreaterThan(5);
    expect(bench.view().budget!.burn[0]!.short).toBeCloseTo(2, 5);
  });

  test('opens nothing while it is forced closed, and counts on', () => {
    const bench = new Bench(BUDGETED);
    bench.breaker.force('closed', bench.nowMs, 'test', 60_000);
    bench.run(100, 'failure');
    bench.wait(50);
    expect(bench.view()).toMatchObject({ state: 'closed', budget: { requests: 100, failures: 100 } });
  });

  test('takes up after a restart where it was', () => {
    const before = new Bench(BUDGETED);
    before.run(15, 'failure');
    before.wait(50);
    const after = new Bench(BUDGETED);
    after.breaker.memory.restore(before.breaker.memory.keep(before.nowMs), 200, after.nowMs);
    expect(after.view().budget).toMatchObject({ requests: 15, failures: 15 });
    after.run(5, 'failure');
    after.wait(50);
    expect(after.state).toBe('open');
  });

  test('keeps its calls when the target changes, and forgets them with the budget', () => {
    const bench = new Bench(BUDGETED);
    bench.run(10, 'failure');
    bench.wait(50);
    const budget = { ...BUDGETED.budget!, targetRatio: 0.5 };
    bench.breaker.reconfigure({ ...BUDGETED, budget }, bench.nowMs);
    expect(bench.view().budget).toMatchObject({ targetRatio: 0.5, failures: 10 });
    bench.breaker.reconfigure({ ...BUDGETED, budget: null }, bench.nowMs);
    bench.run(5, 'ok');
    expect(bench.view().budget).toBeNull();
    bench.breaker.reconfigure(BUDGETED, bench.nowMs);
    expect(bench.view().budget).toMatchObject({ requests: 0 });
  });
});

describe('a budget beside the control', () => {
  const held: BreakerSettings = {
    ...BUDGETED,
    sharedOutage: { policy: 'hold', confidence: { ratio: 0.99999, surprise: 13 } },
  };
  const counted: BreakerSettings = { ...BUDGETED, budget: { ...BUDGETED.budget!, isCountedOnly: true } };

  function arms(policy: BreakerSettings = held) {
    const candidate = new Bench(policy);
    const control = new Bench(counted);
    candidate.breaker.compareWith(control.breaker);
    const wait = (ms: number): void => {
      control.wait(ms);
      candidate.wait(ms);
    };
    return { candidate, control, wait };
  }

  test('is held back while the control burns as well, once said, and opens when only it burns', () => {
    const { candidate, control, wait } = arms();
    for (let round = 0; round < 10; round++) {
      control.run(10, 'failure');
      candidate.run(10, 'failure');
      wait(50);
    }
    expect(candidate.moves.map(({ cause, from, to }) => [cause, from, to])).toEqual([
      ['held-back', 'closed', 'closed'],
    ]);
    expect(candidate.last.reason).toMatch(
      /^held back, as control is bad too: error budget burns 10x over 10s/,
    );
    for (let round = 0; round < 100 && candidate.state === 'closed'; round++) {
      control.run(10, 'ok');
      candidate.run(10, 'failure');
      wait(50);
    }
    expect(candidate.last).toMatchObject({ to: 'open', cause: 'budget-burn' });
    expect(control.state).toBe('closed');
  });

  test('is not held back by a control that fails now and then, nor where nobody asks for it', () => {
    const { candidate, control, wait } = arms();
    control.run(5, 'failure');
    control.run(40, 'ok');
    candidate.run(20, 'failure');
    wait(50);
    expect(candidate.last).toMatchObject({ to: 'open', cause: 'budget-burn' });
    const alone = arms(BUDGETED);
    alone.control.run(20, 'failure');
    alone.candidate.run(20, 'failure');
    alone.wait(50);
    expect(alone.candidate.state).toBe('open');
  });
});

describe('a breaker that may not open too often', () => {
  const settings = { tripsMax: { count: 3, withinMs: HOUR } };
  const tooOften = (bench: Bench): (string | null)[] =>
    bench.moves.filter(({ to }) => to === 'open').map((move) => move.tooOften);

  test('says when it has, openings after bad probes included, and begins anew', () => {
    const bench = new Bench(settings).open();
    for (let round = 0; round < 5; round++) {
      bench.wait(bench.breaker.retryAfterMs(bench.nowMs));
      bench.run(1, 'failure');
    }
    const said = 'opened 3 times within 1h >= 3';
    expect(tooOften(bench)).toEqual([null, null, said, null, null, said]);
  });

  test('counts those of the last hour, and none by hand or without effect', () => {
    const bench = new Bench(settings).open();
    bench.breaker.reset(bench.nowMs, 'test');
    bench.open();
    bench.breaker.reset(bench.nowMs, 'test');
    bench.breaker.force('open', bench.nowMs, 'drill', 1_000);
    bench.breaker.reset(bench.nowMs, 'test');
    bench.breaker.force('observe', bench.nowMs, 'test', 60_000);
    bench.run(20, 'failure');
    bench.wait(HOUR);
    bench.breaker.reset(bench.nowMs, 'test');
    bench.open();
    expect(tooOften(bench).filter((sentence) => sentence !== null)).toEqual([]);
  });

  test('counts those from before a restart', () => {
    const before = new Bench(settings).open();
    before.breaker.reset(before.nowMs, 'test');
    before.open();
    const after = new Bench(settings);
    after.breaker.memory.restore(before.breaker.memory.keep(before.nowMs), HOUR / 2, after.nowMs);
    expect(after.open().last.tooOften).toBe('opened 3 times within 1h >= 3');
    const late = new Bench(settings);
    late.breaker.memory.restore(before.breaker.memory.keep(before.nowMs), HOUR, late.nowMs);
    expect(late.open().last.tooOften).toBeNull();
  });
});

describe('a breaker that workers share', () => {
  test('opens when the calls of all of them burn the budget, though no one of them does', () => {
    const bench = new SharedBench({ workers: 4, settings: BUDGETED });
    for (const id of [1, 2, 3, 4]) bench.run(id, 4, 'failure');
    bench.spread();
    expect(bench.states()).toEqual(['closed', 'closed', 'closed', 'closed']);
    for (const id of [1, 2, 3, 4]) bench.run(id, 1, 'failure');
    bench.spread();
    expect(bench.states()).toEqual(['open', 'open', 'open', 'open']);
    expect(bench.moves).toMatchObject([{ cause: 'budget-burn', to: 'open' }]);
    expect(bench.moves[0]!.reason).toContain('(20 of 20 calls)');
    expect(bench.shared.standing(bench.nowMs).budget).toMatchObject({ requests: 20, failures: 20 });
  });

  test('has every call in its budget once, whatever moves in between', () => {
    const bench = new SharedBench({
      workers: 3,
      settings: { ...BUDGETED, openForMs: 100, openForMaxMs: 100 },
    });
    let made = 0;
    for (let ms = 0; ms < 5_000; ms++) {
      for (const id of [1, 2, 3]) made += bench.run(id, 1, ms % 7 === 0 ? 'failure' : 'ok');
      if (ms % 997 === 0) bench.shared.force('open', bench.nowMs, 'test', 50);
      bench.step();
    }
    bench.spread();
    expect(bench.shared.standing(bench.nowMs).budget!.requests).toBe(made);
  });

  test('counts what has opened it too often, in whichever worker', () => {
    const bench = new SharedBench({
      workers: 2,
      settings: { ...SETTINGS, tripsMax: { count: 2, withinMs: HOUR } },
    });
    bench.run(1, 20, 'failure');
    bench.wait(4);
    bench.shared.reset(bench.nowMs, 'test');
    bench.wait(4);
    bench.run(2, 20, 'failure');
    bench.wait(4);
    const opened = bench.moves.filter(({ to }) => to === 'open');
    expect(opened.map(({ tooOften }) => tooOften)).toEqual([null, 'opened 2 times within 1h >= 2']);
  });

  test('keeps and takes up what it has spent', () => {
    const before = new SharedBench({ workers: 2, settings: BUDGETED });
    before.run(1, 15, 'failure');
    before.spread();
    const after = new SharedBench({ workers: 2, settings: BUDGETED });
    after.shared.memory.restore(before.shared.memory.keep(before.nowMs), 100, after.nowMs);
    after.run(2, 5, 'failure');
    after.spread();
    expect(after.moves).toMatchObject([{ cause: 'budget-burn', to: 'open' }]);
  });
});
