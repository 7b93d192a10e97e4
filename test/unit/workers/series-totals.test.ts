import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import type { FamilySamples } from '../../../src/telemetry/exposition.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { SeriesTotals } from '../../../src/workers/series-totals.ts';
import { hasTools } from '../../support/tools.ts';

function newMetrics(isProcessIncluded = false): Metrics {
  return new Metrics({ version: '0.1.0', node: 'v24.21.0', isProcessIncluded });
}

/** What a worker sends: through a structured clone, like a message. */
async function report(metrics: Metrics): Promise<FamilySamples[]> {
  const families: FamilySamples[] = [];
  for await (const family of metrics.samples()) families.push(structuredClone(family));
  return families;
}

function page(metrics: Metrics, totals: SeriesTotals): Promise<string> {
  return metrics.render('prometheus', (family) => totals.merge(family));
}

/** The values of the lines of the page that begin like this. */
async function values(metrics: Metrics, totals: SeriesTotals, begin: string): Promise<number[]> {
  const lines = (await page(metrics, totals)).split('\n').filter((line) => line.startsWith(begin));
  return lines.map((line) => Number(line.split(' ').at(-1)));
}

/** A worker that has settled this many requests of 40 ms, with one in flight. */
function busy(requests: number): Metrics {
  const metrics = newMetrics();
  const series = metrics.requests('inbound', 'api', 'ranking', 'candidate');
  for (let i = 0; i < requests; i++) series.record(200, 'ok', 40, 0.1);
  series.inFlight = 1;
  metrics.counters.accessLogLines.value = requests;
  return metrics;
}

const OK = 'fairlead_requests_total{code_class="2xx",outcome="ok",direction="inbound",route="api"';

describe('the page of several processes', () => {
  test('adds up counters, histograms and gauges by their labels', async () => {
    const [primary, totals] = [newMetrics(), new SeriesTotals()];
    totals.reported(1, await report(busy(3)));
    totals.reported(2, await report(busy(4)));
    expect(await values(primary, totals, OK)).toEqual([7]);
    expect(await values(primary, totals, 'fairlead_requests_in_flight')).toEqual([2]);
    expect(await values(primary, totals, 'fairlead_access_log_lines_total')).toEqual([7]);
    const buckets = await values(primary, totals, 'fairlead_request_duration_seconds_bucket');
    expect(buckets).toEqual([0, 0, 0, 0, 0, 0, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]);
    expect(await values(primary, totals, 'fairlead_request_duration_seconds_sum')).toEqual([0.28]);
    expect(await values(primary, totals, 'fairlead_request_duration_seconds_count')).toEqual([7]);
  });

  test('shows the highest level of overload, as long as the worker that has it lives', async () => {
    const [primary, totals] = [newMetrics(), new SeriesTotals()];
    for (const [worker, level] of [1, 4, 2].entries()) {
      const metrics = newMetrics();
      metrics.overload.setSource(() => ({ shedding: { level }, concurrency: [], rateLimits: [] }));
      totals.reported(worker, await report(metrics));
    }
    expect(await values(primary, totals, 'fairlead_overload_level')).toEqual([4]);
    totals.forget(1);
    expect(await values(primary, totals, 'fairlead_overload_level')).toEqual([2]);
  });

  test('shows what is true of the whole sidecar as the primary says it', async () => {
    const [primary, worker, totals] = [newMetrics(), newMetrics(), new SeriesTotals()];
    primary.configured('0123456789ab', 7);
    primary.setReady(true);
    worker.configured('ba9876543210', 3);
    worker.setBreakerSource(() => [{ name: 'api/ranking/candidate', state: 'open' }]);
    primary.setBreakerSource(() => [{ name: 'api/ranking/candidate', state: 'half-open' }]);
    totals.reported(1, await report(worker));
    expect(await values(primary, totals, 'fairlead_config_version ')).toEqual([7]);
    expect(await values(primary, totals, 'fairlead_ready ')).toEqual([1]);
    expect(await values(primary, totals, 'fairlead_breaker_state{')).toEqual([1]);
    expect(await page(primary, totals)).not.toContain('ba9876543210');
  });

  test('labels the metrics of each process with its worker', async () => {
    const [primary, totals] = [newMetrics(true), new SeriesTotals()];
    totals.reported(2, await report(newMetrics(true)));
    totals.reported(1, await report(newMetrics(true)));
    const lines = (await page(primary, totals)).split('\n');
    expect(
      lines.flatMap((line) => /^process_resident_memory_bytes\{worker="(\w+)"\} \d+$/.exec(line)?.[1] ?? []),
    ).toEqual(['primary', '1', '2']);
  });

  test.skipIf(!hasTools('promtool'))('is clean for promtool', async () => {
    const [primary, totals] = [newMetrics(true), new SeriesTotals()];
    primary.setWorkerSource(() => ({
      serving: 2,
      restarts: [{ cause: 'ended', count: 1 }],
      reportsMissing: 1,
    }));
    for (const worker of [1, 2]) totals.reported(worker, await report(newMetrics(true)));
    totals.reported(3, await report(busy(5)));
    totals.forget(3);
    const input = await page(primary, totals);
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input,
      encoding: 'utf8',
    });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(input).toContain('fairlead_worker_restarts_total{cause="ended"} 1');
  });
});

describe('a worker that is gone', () => {
  test('leaves what it had counted, and takes its gauges', async () => {
    const [primary, totals] = [newMetrics(), new SeriesTotals()];
    totals.reported(1, await report(busy(3)));
    totals.reported(2, await report(busy(4)));
    totals.forget(1);
    expect(await values(primary, totals, OK)).toEqual([7]);
    expect(await values(primary, totals, 'fairlead_request_duration_seconds_count')).toEqual([7]);
    expect(await values(primary, totals, 'fairlead_requests_in_flight')).toEqual([1]);
  });

  test('and its successor add up, however often that happens', async () => {
    const [primary, totals] = [newMetrics(), new SeriesTotals()];
    let before = 0;
    for (let round = 1; round <= 5; round++) {
      totals.reported(1, await report(busy(10)));
      const [total] = await values(primary, totals, OK);
      expect(total).toBe(round * 10);
      expect(total).toBeGreaterThan(before);
      before = total!;
      totals.forget(1);
      expect(await values(primary, totals, OK)).toEqual([total]);
    }
  });

  test('before its first report leaves nothing', async () => {
    const [primary, totals] = [newMetrics(), new SeriesTotals()];
    totals.forget(1);
    expect(await values(primary, totals, OK)).toEqual([]);
  });
});

test('a family that came in parts is whole', () => {
  const totals = new SeriesTotals();
  const part = (variant: string): FamilySamples => ({
    name: 'fairlead_assignments_total',
    aggregator: 'sum',
    isCounted: true,
    values: [{ value: 1, labels: { variant } }],
  });
  totals.reported(1, [part('a'), part('b')]);
  expect(totals.merge({ ...part('c'), values: [] })).toHaveLength(2);
});
