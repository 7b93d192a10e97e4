import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Log } from '../../../src/telemetry/log.ts';
import type { WorkerLink } from '../../../src/workers/link.ts';
import type { ToPrimary, ToWorker } from '../../../src/workers/messages.ts';
import type { WorkerEvents } from '../../../src/workers/process.ts';
import { type Addresses, retryDelayMs, Supervisor } from '../../../src/workers/supervisor.ts';

const ADDRESSES: Addresses = { inbound: { kind: 'tcp', host: '127.0.0.1', port: 4711 } };

/** A process that does what the test says. */
class FakeProcess {
  readonly pid: number;
  readonly sent: ToWorker[] = [];
  isKilled = false;
  readonly #events: WorkerEvents;

  constructor(pid: number, events: WorkerEvents) {
    this.pid = pid;
    this.#events = events;
  }

  send(message: ToWorker): void {
    this.sent.push(message);
  }

  kill(): void {
    if (this.isKilled) return;
    this.isKilled = true;
    this.#events.onExit('signal SIGKILL');
  }

  says(message: ToPrimary): void {
    this.#events.onMessage(message);
  }

  serves(): void {
    this.says({ kind: 'loaded' });
    this.says({ kind: 'serving', addresses: ADDRESSES, version: 1 });
  }

  exits(how: string): void {
    this.#events.onExit(how);
  }
}

class Bench {
  readonly processes: FakeProcess[] = [];
  readonly log: string[] = [];
  /** `loaded 1`, `serving 1`, `gone 1`, ... in order. */
  readonly events: string[] = [];
  readonly supervisor: Supervisor;

  constructor(workers: number) {
    const say = (_facts: object, sentence: string) => void this.log.push(sentence);
    const log: Log = { debug: say, info: say, warn: say, error: say };
    const note = (what: string) => (link: WorkerLink) => void this.events.push(`${what} ${link.worker}`);
    this.supervisor = new Supervisor({
      workers,
      clock: { now: () => Date.now(), wallMs: () => Date.now() },
      log,
      startProcess: (events) => {
        const process = new FakeProcess(100 + this.processes.length, events);
        this.processes.push(process);
        return process;
      },
      onLoaded: (link, first) =>
        void this.events.push(`loaded ${link.worker} ${first === null ? 'first' : 'later'}`),
      onMessage: (link, message) => void this.events.push(`${message.kind} of ${link.worker}`),
      onServing: note('serving'),
      onGone: note('gone'),
    });
  }

  /** All of them serve. */
  async started(): Promise<this> {
    const start = this.supervisor.start();
    for (const process of this.processes) process.serves();
    await start;
    this.events.length = 0;
    return this;
  }

  get last(): FakeProcess {
    return this.processes.at(-1)!;
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('starting', () => {
  test('all load at once, and the others open their listeners when the first one has', async () => {
    const bench = new Bench(3);
    const start = bench.supervisor.start();
    expect(bench.processes).toHaveLength(3);
    for (const process of bench.processes) process.says({ kind: 'loaded' });
    expect(bench.events).toEqual(['loaded 1 first']);
    bench.processes[0]!.says({ kind: 'serving', addresses: ADDRESSES, version: 1 });
    expect(bench.events).toEqual(['loaded 1 first', 'serving 1', 'loaded 2 later', 'loaded 3 later']);
    for (const process of bench.processes.slice(1))
      process.says({ kind: 'serving', addresses: ADDRESSES, version: 1 });
    expect(await start).toEqual(ADDRESSES);
    expect(bench.supervisor.serving().map(({ worker }) => worker)).toEqual([1, 2, 3]);
  });

  test('fails with what the system says when one cannot listen, and none is left', async () => {
    const bench = new Bench(2);
    const start = bench.supervisor.start();
    bench.processes[0]!.serves();
    bench.processes[1]!.says({ kind: 'loaded' });
    bench.processes[1]!.says({ kind: 'failed', message: 'listen EADDRINUSE: address already in use' });
    await expect(start).rejects.toThrow('listen EADDRINUSE: address already in use');
    expect(bench.processes.every(({ isKilled }) => isKilled)).toBe(true);
  });

  test('fails when one ends before it serves', async () => {
    const bench = new Bench(2);
    const start = bench.supervisor.start();
    bench.processes[1]!.exits('exit code 1');
    await expect(start).rejects.toThrow('a worker ended before it served (exit code 1)');
    expect(bench.processes[0]!.isKilled).toBe(true);
  });
});

describe('a worker that ends', () => {
  test('has a successor in its place at once', async () => {
    const bench = await new Bench(2).started();
    bench.processes[0]!.exits('signal SIGKILL');
    expect(bench.supervisor.serving().map(({ worker }) => worker)).toEqual([2]);
    await vi.advanceTimersByTimeAsync(0);
    expect(bench.processes).toHaveLength(3);
    bench.last.serves();
    expect(bench.events).toEqual(['gone 1', 'loaded 1 later', 'serving 1']);
    expect(bench.supervisor.serving()).toHaveLength(2);
    expect([...bench.supervisor.restarts]).toEqual([['ended', 1]]);
    expect(bench.log).toEqual(['worker 1 ended (signal SIGKILL); its successor starts in 0 ms']);
  });

  test('again and again is replaced after growing waits with a limit, for good', async () => {
    const bench = await new Bench(1).started();
    const waits: number[] = [];
    for (let round = 0; round < 12; round++) {
      const before = bench.processes.length;
      const endedMs = Date.now();
      bench.last.exits('exit code 1');
      while (bench.processes.length === before) await vi.advanceTimersByTimeAsync(1);
      waits.push(Date.now() - endedMs);
    }
    expect(waits.slice(0, 8)).toEqual([1, 100, 200, 400, 800, 1600, 3200, 5000]);
    expect(Math.max(...waits)).toBe(5000);
    bench.last.serves();
    await vi.advanceTimersByTimeAsync(1000);
    expect(bench.supervisor.serving()).toHaveLength(1);
  });

  test('after it has served for a while is replaced at once, whatever was before', async () => {
    const bench = await new Bench(1).started();
    for (let round = 0; round < 5; round++) {
      bench.last.exits('exit code 1');
      await vi.advanceTimersByTimeAsync(retryDelayMs(round + 1) + 1);
    }
    bench.last.serves();
    for (let second = 0; second < 10; second++) {
      await vi.advanceTimersByTimeAsync(1000);
      bench.last.says({ kind: 'report', reports: [] });
    }
    const before = bench.processes.length;
    bench.last.exits('exit code 1');
    await vi.advanceTimersByTimeAsync(1);
    expect(bench.processes).toHaveLength(before + 1);
  });

  test('and whose successor fails to start is tried again, while the others serve', async () => {
    const bench = await new Bench(2).started();
    bench.processes[0]!.exits('exit code 1');
    await vi.advanceTimersByTimeAsync(0);
    bench.last.says({ kind: 'failed', message: 'out of memory' });
    bench.last.exits('exit code 1');
    await vi.advanceTimersByTimeAsync(200);
    expect(bench.processes).toHaveLength(4);
    expect(bench.supervisor.serving().map(({ worker }) => worker)).toEqual([2]);
    expect([...bench.supervisor.restarts]).toEqual([
      ['ended', 1],
      ['failed', 1],
    ]);
  });

  test('answers nothing any more: whoever waits hears so', async () => {
    const bench = await new Bench(1).started();
    const [link] = bench.supervisor.serving();
    const asked = link!.ask('series', 10_000);
    const reached = link!.reached(7);
    bench.last.exits('exit code 1');
    expect(await asked).toBeNull();
    await reached;
  });
});

describe('a worker that says nothing', () => {
  test('is asked for a sign, and ended and replaced when none comes in 10 seconds', async () => {
    const bench = await new Bench(1).started();
    const stuck = bench.last;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(stuck.sent.filter((message) => message.kind === 'ask' && message.what === 'sign')).toHaveLength(
      10,
    );
    expect(stuck.isKilled).toBe(false);
    await vi.advanceTimersByTimeAsync(1001);
    expect(stuck.isKilled).toBe(true);
    expect(bench.processes).toHaveLength(2);
    expect([...bench.supervisor.restarts]).toEqual([['hung', 1]]);
  });

  test('lives as long as it says anything at all', async () => {
    const bench = await new Bench(1).started();
    for (let second = 0; second < 60; second++) {
      await vi.advanceTimersByTimeAsync(1000);
      if (second % 5 === 0) bench.last.says({ kind: 'report', reports: [] });
    }
    expect(bench.processes).toHaveLength(1);
  });

  test('has half a minute to begin', async () => {
    const bench = await new Bench(1).started();
    bench.last.exits('exit code 1');
    await vi.advanceTimersByTimeAsync(30_000);
    expect(bench.last.isKilled).toBe(false);
    const slow = bench.last;
    await vi.advanceTimersByTimeAsync(2000);
    expect(slow.isKilled).toBe(true);
    expect(bench.supervisor.restarts.get('slow-start')).toBe(1);
  });
});

describe('draining', () => {
  test('resolves when all have ended, with the connections they cut', async () => {
    const bench = await new Bench(2).started();
    const drain = bench.supervisor.drain(30_000);
    for (const process of bench.processes) {
      expect(process.sent.at(-1)).toEqual({ kind: 'drain', timeoutMs: 30_000 });
      process.says({ kind: 'drained', cut: 2 });
      process.exits('exit code 0');
    }
    expect(await drain).toBe(4);
    expect(bench.processes).toHaveLength(2);
  });

  test('ends a worker that does not in its time and a little', async () => {
    const bench = await new Bench(2).started();
    const drain = bench.supervisor.drain(1000);
    bench.processes[0]!.exits('exit code 0');
    await vi.advanceTimersByTimeAsync(4999);
    expect(bench.processes[1]!.isKilled).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(bench.processes[1]!.isKilled).toBe(true);
    await drain;
    expect(bench.log).toEqual(['worker 2 did not drain in time and is ended']);
  });

  test('starts no successor, neither for one that waits nor for one that ends now', async () => {
    const bench = await new Bench(2).started();
    bench.processes[0]!.exits('exit code 1');
    bench.processes[1]!.exits('exit code 1');
    await bench.supervisor.drain(1000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(bench.processes).toHaveLength(2);
  });
});
