import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Transition } from '../../../src/resilience/breaker.ts';
import type { Report } from '../../../src/resilience/sharing.ts';
import { BreakerExchange } from '../../../src/workers/breaker-exchange.ts';
import type { ToWorker } from '../../../src/workers/messages.ts';
import { SETTINGS } from '../../support/breaker-bench.ts';

const NAME = 'api/ranking/candidate';
const ONE = new Map([[NAME, { settings: SETTINGS, control: null }]]);

class Bench {
  readonly sent: { worker: number; message: ToWorker }[] = [];
  readonly moves: Transition[] = [];
  readonly exchange = new BreakerExchange({
    clock: { now: () => Date.now(), wallMs: () => Date.now() },
    send: (worker, message) => this.sent.push({ worker, message }),
    random: { next: () => 0, hex: () => '' },
    onTransition: (move) => this.moves.push(move),
  });

  /** What was said since the last time: `1 standings closed`, `2 elsewhere 3`. */
  take(): string[] {
    return this.sent.splice(0).flatMap(({ worker, message }) => {
      if (message.kind === 'standings')
        return message.standings.map(({ state }) => `${worker} standings ${state}`);
      if (message.kind !== 'elsewhere') return [];
      return message.breakers.map(({ calls }) => `${worker} elsewhere ${calls?.requests ?? 'none'}`);
    });
  }

  /** The era of the latest standing. */
  get era(): number {
    const said = this.sent.flatMap(({ message }) => (message.kind === 'standings' ? message.standings : []));
    return said.at(-1)!.era;
  }
}

function failures(era: number, requests: number): Report {
  const calls = { requests, failures: requests, slow: 0, lastFailures: requests };
  return {
    breaker: NAME,
    era,
    calls,
    spent: null,
    overdue: 0,
    aged: [],
    held: null,
    probes: 0,
    probesOk: 0,
    slots: 0,
    turnedAway: 0,
  };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('counts', () => {
  test('of one worker reach the others together, within a tick', async () => {
    const bench = new Bench();
    bench.exchange.configure(ONE, 1);
    for (const worker of [1, 2, 3]) bench.exchange.adopted(worker, 1);
    const { era } = bench;
    bench.exchange.start();
    await vi.advanceTimersByTimeAsync(25);
    bench.take();
    bench.exchange.reported(1, [failures(era, 3)]);
    bench.exchange.reported(1, [failures(era, 2)]);
    bench.exchange.reported(2, [failures(era, 1)]);
    expect(bench.take()).toEqual([]);
    await vi.advanceTimersByTimeAsync(25);
    expect(bench.take()).toEqual(['1 elsewhere 1', '2 elsewhere 5', '3 elsewhere 6']);
    await vi.advanceTimersByTimeAsync(1000);
    expect(bench.take()).toEqual([]);
    bench.exchange.stop();
  });
});

describe('moves', () => {
  test('reach all workers at once, and are counted once', () => {
    const bench = new Bench();
    bench.exchange.configure(ONE, 1);
    for (const worker of [1, 2]) bench.exchange.adopted(worker, 1);
    const { era } = bench;
    bench.take();
    const opening = { breaker: NAME, era, openForMs: 5000, openings: 1, reason: 'why' } as const;
    bench.exchange.opened({ ...opening, cause: 'error-rate' });
    bench.exchange.opened({ ...opening, cause: 'slow-rate' });
    expect(bench.take()).toEqual(['1 standings open', '2 standings open']);
    expect(bench.moves.map(({ cause }) => cause)).toEqual(['error-rate']);
  });

  test('by hand answer whether there is such a breaker', () => {
    const bench = new Bench();
    bench.exchange.configure(ONE, 1);
    bench.exchange.adopted(1, 1);
    bench.take();
    expect(bench.exchange.force('api/ranking/none', 'open', 1000, 'drill')).toBe(false);
    expect(bench.exchange.force(NAME, 'open', 1000, 'drill')).toBe(true);
    expect(bench.exchange.reset(NAME, 'over')).toBe(true);
    expect(bench.take()).toEqual(['1 standings open', '1 standings closed']);
  });

  test('out of the open state are made by the clock', async () => {
    const bench = new Bench();
    bench.exchange.configure(ONE, 1);
    bench.exchange.adopted(1, 1);
    bench.exchange.start();
    bench.exchange.force(NAME, 'open', 1000, 'drill');
    bench.take();
    await vi.advanceTimersByTimeAsync(975);
    expect(bench.take()).not.toContain('1 standings half-open');
    await vi.advanceTimersByTimeAsync(50);
    expect(bench.take()).toContain('1 standings half-open');
    bench.exchange.stop();
  });
});

describe('a worker', () => {
  test('has a part in a breaker from when it works by the rules that brought it', () => {
    const bench = new Bench();
    bench.exchange.configure(new Map(), 1);
    bench.exchange.adopted(1, 1);
    bench.exchange.configure(ONE, 2);
    bench.exchange.force(NAME, 'open', 1000, 'drill');
    expect(bench.take()).toEqual([]);
    bench.exchange.adopted(1, 2);
    expect(bench.take()).toEqual(['1 standings open']);
  });

  test('that takes over a place stands where the others do', () => {
    const bench = new Bench();
    bench.exchange.configure(ONE, 1);
    for (const worker of [1, 2]) bench.exchange.adopted(worker, 1);
    bench.exchange.leave(2);
    bench.exchange.force(NAME, 'open', 1000, 'drill');
    bench.take();
    bench.exchange.adopted(2, 1);
    expect(bench.take()).toEqual(['2 standings open']);
  });

  test('that missed a removal is told that the breaker is a new one', () => {
    const bench = new Bench();
    bench.exchange.configure(ONE, 1);
    bench.exchange.adopted(1, 1);
    bench.exchange.force(NAME, 'open', 1000, 'drill');
    bench.exchange.configure(new Map(), 2);
    bench.exchange.configure(ONE, 3);
    bench.take();
    bench.exchange.adopted(1, 3);
    expect(bench.take()).toEqual(['1 standings closed']);
  });
});
