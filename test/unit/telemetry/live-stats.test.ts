/** What goes on between two readings: `src/telemetry/live-stats.ts`, of counts as the request path makes them. */
import { describe, expect, test } from 'vitest';
import { liveStats, readingOf } from '../../../src/telemetry/live-stats.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';

const newMetrics = () => new Metrics({ version: '0.1.0', node: 'v24', isProcessIncluded: false });
const NAMES = {
  experiments: [{ name: 'ranking', variants: ['control', 'candidate'] }],
  routes: ['api', 'rest'],
};
const read = async (atMs: number, ...processes: Metrics[]) =>
  readingOf(await Promise.all(processes.map((metrics) => metrics.live())), atMs);

const series = (metrics: Metrics, experiment: string, variant: string, route = 'api') =>
  metrics.requests('inbound', route, experiment, variant);

describe('the first reading', () => {
  test('has totals and what is in flight, and nothing of an interval that there is not', async () => {
    const metrics = newMetrics();
    const candidate = series(metrics, 'ranking', 'candidate');
    candidate.record(200, 'ok', 3, 0.1);
    candidate.record(503, 'failure', 3, 0.1);
    candidate.inFlight = 2;
    const { intervalMs, experiments, routes } = liveStats(NAMES, await read(1000, metrics), null);
    expect(intervalMs).toBeNull();
    expect(experiments[0]!.variants[1]).toEqual({
      name: 'candidate',
      requests: 2,
      failures: 1,
      requestsPerSecond: null,
      errorShare: null,
      slowShare: null,
      p50Ms: null,
      p90Ms: null,
      p99Ms: null,
      inFlight: 2,
    });
    expect(routes).toEqual([
      { name: 'api', requestsPerSecond: null, errorShare: null, p50Ms: null, p99Ms: null },
      { name: 'rest', requestsPerSecond: null, errorShare: null, p50Ms: null, p99Ms: null },
    ]);
  });
});

describe('between two readings', () => {
  test('rates, shares and quantiles are those of the interval alone', async () => {
    const metrics = newMetrics();
    const control = series(metrics, 'ranking', 'control');
    for (let i = 0; i < 50; i++) control.record(500, 'failure', 9000, 0.1);
    const before = await read(1000, metrics);
    // 60 within 10 ms, 30 within 25 ms, 10 within 50 ms.
    for (let i = 0; i < 60; i++) control.record(200, 'ok', 7, 0.1);
    for (let i = 0; i < 30; i++) control.record(200, 'slow', 20, 0.1);
    for (let i = 0; i < 10; i++) control.record(502, 'failure', 30, 0.1);
    const { intervalMs, experiments, routes } = liveStats(NAMES, await read(3000, metrics), before);
    expect(intervalMs).toBe(2000);
    expect(experiments[0]!.variants[0]).toEqual({
      name: 'control',
      requests: 150,
      failures: 60,
      requestsPerSecond: 50,
      errorShare: 0.1,
      slowShare: 0.3,
      // 5 ms and 50 of the 60 steps to 10 ms; the end of the bucket up to 25 ms; 9 of the 10 steps from there to 50 ms.
      p50Ms: 9.167,
      p90Ms: 25,
      p99Ms: 47.5,
      inFlight: 0,
    });
    expect(routes[0]).toEqual({
      name: 'api',
      requestsPerSecond: 50,
      errorShare: 0.1,
      p50Ms: 9.167,
      p99Ms: 47.5,
    });
  });

  test('a variant without requests has a rate of 0 and no shares', async () => {
    const metrics = newMetrics();
    const [, candidate] = liveStats(NAMES, await read(2000, metrics), await read(1000, metrics))
      .experiments[0]!.variants;
    expect(candidate).toMatchObject({ requestsPerSecond: 0, errorShare: null, p99Ms: null });
  });

  test('what took longer than the last bound took that long, as far as can be said', async () => {
    const metrics = newMetrics();
    const before = await read(0, metrics);
    series(metrics, 'ranking', 'control').record(200, 'ok', 500_000, 0.1);
    const { experiments } = liveStats(NAMES, await read(1000, metrics), before);
    expect(experiments[0]!.variants[0]).toMatchObject({ p50Ms: 60_000, p99Ms: 60_000 });
  });

  test('several processes are added up, and so are the routes of a variant', async () => {
    const [one, other] = [newMetrics(), newMetrics()];
    const before = await read(0, one, other);
    series(one, 'ranking', 'candidate').record(200, 'ok', 3, 0.1);
    series(other, 'ranking', 'candidate').record(500, 'failure', 3, 0.1);
    series(other, 'ranking', 'candidate', 'rest').record(200, 'ok', 3, 0.1);
    series(other, 'ranking', 'candidate', 'rest').record(200, 'ok', 3, 0.1);
    const { experiments, routes } = liveStats(NAMES, await read(1000, one, other), before);
    expect(experiments[0]!.variants[1]).toMatchObject({
      requests: 4,
      requestsPerSecond: 4,
      errorShare: 0.25,
    });
    expect(routes.map((route) => route.requestsPerSecond)).toEqual([2, 2]);
  });

  test('counts that began again, as those of a process that is new, make no rate below 0', async () => {
    const [old, fresh] = [newMetrics(), newMetrics()];
    for (let i = 0; i < 9; i++) series(old, 'ranking', 'control').record(200, 'ok', 3, 0.1);
    series(fresh, 'ranking', 'control').record(200, 'ok', 3, 0.1);
    const { experiments } = liveStats(NAMES, await read(1000, fresh), await read(0, old));
    expect(experiments[0]!.variants[0]).toMatchObject({
      requestsPerSecond: 0,
      errorShare: null,
      p50Ms: null,
    });
  });

  test('names that the configuration does not have are left out', async () => {
    const metrics = newMetrics();
    const before = await read(0, metrics);
    series(metrics, 'gone', 'candidate', 'nowhere').record(200, 'ok', 3, 0.1);
    const { experiments, routes } = liveStats(NAMES, await read(1000, metrics), before);
    expect([experiments.length, routes.map(({ name }) => name)]).toEqual([1, ['api', 'rest']]);
  });
});

describe('the requests of a route', () => {
  test('count once where each is in two experiments', async () => {
    const metrics = newMetrics();
    const before = await read(0, metrics);
    for (let i = 0; i < 4; i++) {
      series(metrics, 'ranking', 'control').record(200, 'ok', 3, 0.1);
      // As the exchange does it: its own share goes to the first.
      series(metrics, 'search', 'control').record(200, 'ok', 3, -1);
    }
    series(metrics, '', '').record(200, 'ok', 3, 0.1);
    expect(liveStats(NAMES, await read(1000, metrics), before).routes[0]!.requestsPerSecond).toBe(5);
  });

  test('count all where experiments share no unit', async () => {
    const metrics = newMetrics();
    const before = await read(0, metrics);
    for (let i = 0; i < 4; i++) series(metrics, 'ranking', 'control').record(200, 'ok', 3, 0.1);
    for (let i = 0; i < 3; i++) series(metrics, 'search', 'control').record(200, 'ok', 3, 0.1);
    expect(liveStats(NAMES, await read(1000, metrics), before).routes[0]!.requestsPerSecond).toBe(7);
  });

  test('count also when none was sent on', async () => {
    const metrics = newMetrics();
    const before = await read(0, metrics);
    series(metrics, 'ranking', 'candidate').record(503, 'failure', 1, -1);
    expect(liveStats(NAMES, await read(1000, metrics), before).routes[0]).toMatchObject({
      requestsPerSecond: 1,
      errorShare: 1,
    });
  });
});
