/** A destination of exposures that does what a test says, and a folder for a spool. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Destination, TAKEN, type Verdict } from '../../src/telemetry/pipeline/destination.ts';
import { Spool, type SpoolOptions } from '../../src/telemetry/pipeline/spool.ts';
import { Counter } from '../../src/telemetry/series.ts';

/** Remembers what it took; `answer` decides what becomes of a batch. */
export class TestDestination implements Destination {
  readonly taken: string[] = [];
  answer: (events: readonly string[]) => Verdict | Promise<Verdict> = () => TAKEN;
  #waiters: (() => void)[] = [];

  async send(events: readonly Buffer[]): Promise<Verdict> {
    const texts = events.map(String);
    const verdict = await this.answer(texts);
    if (verdict.kind === 'taken') this.taken.push(...texts);
    for (const waiter of this.#waiters.splice(0)) waiter();
    return verdict;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Resolves when so many were taken. */
  async has(count: number): Promise<void> {
    while (this.taken.length < count) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  /** Resolves at the end of the next attempt. */
  attempt(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }
}

export function newFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'fairlead-spool-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export interface TestSpool {
  readonly spool: Spool;
  readonly dropped: Counter;
  readonly problems: string[];
}

export function openSpool(dir: string, options: Partial<SpoolOptions> = {}): TestSpool {
  const dropped = new Counter();
  const problems: string[] = [];
  const spool = new Spool({
    dir,
    maxBytes: 64 * 1024 * 1024,
    segmentBytes: 1024 * 1024,
    fsync: 'off',
    readers: ['lake'],
    dropped,
    onProblem: (sentence) => problems.push(sentence),
    retryMs: 10,
    // A machine that pauses is not a disk that hangs.
    closeMs: 30_000,
    ...options,
  });
  return { spool, dropped, problems };
}

/** A line such as a spool takes, with a number in it. */
export function lineOf(number: number): string {
  return `{"id":"${number}","time":"2026-01-01T00:00:00.000Z","data":{"text":"${'é'.repeat(20)}"}}\n`;
}

export function numberOf(event: Buffer | string): number {
  return Number((JSON.parse(String(event)) as { id: string }).id);
}
