import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { FamilySamples } from '../../../src/telemetry/exposition.ts';
import { WorkerLink } from '../../../src/workers/link.ts';
import type { ToWorker } from '../../../src/workers/messages.ts';
import { SeriesCollector } from '../../../src/workers/series-collector.ts';
import { SeriesTotals } from '../../../src/workers/series-totals.ts';

const NONE: FamilySamples = {
  name: 'fairlead_requests_total',
  aggregator: 'sum',
  isCounted: true,
  values: [],
};

class Bench {
  readonly totals = new SeriesTotals();
  readonly collector = new SeriesCollector(this.totals);
  /** Questions by worker that have not been answered. */
  readonly asked = new Map<number, number[]>();
  readonly links = [1, 2].map((worker) => {
    this.asked.set(worker, []);
    const send = (message: ToWorker) => {
      if (message.kind === 'ask') this.asked.get(worker)!.push(message.id);
    };
    return new WorkerLink(worker, { pid: worker, send, kill: () => {} });
  });

  /** The worker answers its oldest question. */
  answer(worker: number, value: number): void {
    const id = this.asked.get(worker)!.shift()!;
    const families = [{ ...NONE, values: [{ value, labels: {} }] }];
    this.links[worker - 1]!.answered({ kind: 'answer', id, families, state: null, isLast: true });
  }

  collect(): Promise<void> {
    return this.collector.collect(this.links);
  }

  get total(): number | undefined {
    return this.totals.merge(NONE)[0]?.value;
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a page has the newest values of all', async () => {
  const bench = new Bench();
  const page = bench.collect();
  bench.answer(1, 3);
  bench.answer(2, 4);
  await page;
  expect([bench.total, bench.collector.missing]).toEqual([7, 0]);
});

test('a worker that does not answer in time is missing, and shown as it last was', async () => {
  const bench = new Bench();
  const first = bench.collect();
  bench.answer(1, 3);
  bench.answer(2, 4);
  await first;
  const second = bench.collect();
  bench.answer(2, 6);
  await vi.advanceTimersByTimeAsync(500);
  await second;
  expect([bench.total, bench.collector.missing]).toEqual([9, 1]);
});

test('what comes too late for one page is on the next', async () => {
  const bench = new Bench();
  const first = bench.collect();
  bench.answer(2, 4);
  await vi.advanceTimersByTimeAsync(500);
  await first;
  expect(bench.total).toBe(4);
  bench.answer(1, 3);
  await vi.advanceTimersByTimeAsync(0);
  expect(bench.total).toBe(7);
});

test('a worker that is slow is not asked again before it has answered', async () => {
  const bench = new Bench();
  for (let page = 0; page < 5; page++) {
    const collected = bench.collect();
    await vi.advanceTimersByTimeAsync(500);
    await collected;
  }
  expect(bench.asked.get(1)).toHaveLength(1);
});

test('pages that are wanted at one time ask once', async () => {
  const bench = new Bench();
  const pages = [bench.collect(), bench.collect()];
  expect(bench.asked.get(1)).toHaveLength(1);
  bench.answer(1, 1);
  bench.answer(2, 1);
  await Promise.all(pages);
});
