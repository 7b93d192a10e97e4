/** What goes on in all workers: `src/workers/live-totals.ts`. */
import { expect, test } from 'vitest';
import { AT, type LiveCounts } from '../../../src/telemetry/live-counts.ts';
import { liveStats, readingOf } from '../../../src/telemetry/live-stats.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { LiveTotals } from '../../../src/workers/live-totals.ts';

const NAMES = { experiments: [{ name: 'ranking', variants: ['candidate'] }], routes: ['api'] };

/** A worker that answers with its counts, through a structured clone like a message; null: not in time. */
function worker(number: number) {
  const metrics = new Metrics({ version: '0.1.0', node: 'v24', isProcessIncluded: false });
  const series = metrics.requests('inbound', 'api', 'ranking', 'candidate');
  let isSilent = false;
  const ask = async () => ({
    families: [],
    state: null,
    carried: '',
    mirrors: [],
    live: isSilent ? null : structuredClone(await metrics.live()),
  });
  return { worker: number, ask, series, silence: () => (isSilent = true) };
}

const candidateOf = (all: readonly LiveCounts[]) =>
  liveStats(NAMES, readingOf(all, 0), null).experiments[0]!.variants[0]!;

test('a worker that does not answer counts with what it said before', async () => {
  const totals = new LiveTotals(500);
  const [one, other] = [worker(1), worker(2)];
  one.series.record(200, 'ok', 3, 0.1);
  other.series.record(500, 'failure', 3, 0.1);
  await totals.collect([one, other]);
  one.series.record(200, 'ok', 3, 0.1);
  other.silence();
  expect(candidateOf(await totals.collect([one, other]))).toMatchObject({ requests: 3, failures: 1 });
});

test('a worker that is gone leaves its counts and takes what it had in flight with it', async () => {
  const totals = new LiveTotals(500);
  for (const requests of [3, 4]) {
    const gone = worker(1);
    for (let i = 0; i < requests; i++) gone.series.record(200, 'ok', 3, 0.1);
    gone.series.inFlight = 5;
    await totals.collect([gone]);
    totals.forget(1);
  }
  const successor = worker(1);
  successor.series.record(200, 'ok', 3, 0.1);
  successor.series.inFlight = 1;
  const all = await totals.collect([successor]);
  expect(candidateOf(all)).toMatchObject({ requests: 8, inFlight: 1 });
  expect(all.reduce((sum, { forwarded }) => sum + (forwarded.get('api') ?? 0), 0)).toBe(8);
  expect(all.at(-1)!.series[0]!.numbers[AT.inFlight]).toBe(0);
});

test('a worker that is gone before it said anything leaves nothing', async () => {
  const totals = new LiveTotals(500);
  totals.forget(1);
  expect(candidateOf(await totals.collect([]))).toMatchObject({ requests: 0, inFlight: 0 });
});
