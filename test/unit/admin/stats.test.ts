/** `GET /v1/stats`: read while somebody asks. Time is that of a timer that the test moves. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { StatsSampler, type StatsView } from '../../../src/admin/stats.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { type AdminBench, newAdminBench } from '../../support/admin.ts';
import { snapshotOf } from '../../support/config.ts';

const CONFIG = `
version: 1
upstreams: { app: "127.0.0.1:9001" }
routes: [{ name: api, match: { path: /* }, upstream: app, experiments: [ranking] }]
experiments: { ranking: { variants: { control: {}, candidate: { weight: 10% } } } }
`;

/** Lets time pass, and in each of its steps the turns of the event loop that a reading takes. */
async function pass(ms: number): Promise<void> {
  for (let at = 0; at < ms; at += 100) {
    vi.advanceTimersByTime(100);
    for (let turn = 0; turn < 4; turn++) await nextTurn();
  }
}

describe('the sampler', () => {
  let reads = 0;
  let isBroken = false;
  let metrics: Metrics;
  let sampler: StatsSampler;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
    reads = 0;
    isBroken = false;
    metrics = new Metrics({ version: '0.1.0', node: 'v24', isProcessIncluded: false });
    sampler = new StatsSampler({
      control: { snapshot: snapshotOf(CONFIG) },
      clock: { now: () => performance.now(), wallMs: () => Date.now() },
      counts: async () => {
        reads++;
        if (isBroken) throw new Error('planted');
        return [await metrics.live()];
      },
    });
  });
  afterEach(() => {
    sampler.close();
    vi.useRealTimers();
  });

  test('reads nothing before somebody asks', async () => {
    await pass(60_000);
    expect([reads, sampler.current]).toEqual([0, null]);
  });

  test('who asks first has numbers after half a second, who asks then at once', async () => {
    const asked = sampler.latest();
    await pass(100);
    expect(sampler.current).toMatchObject({ intervalMs: null });
    metrics.requests('inbound', 'api', 'ranking', 'candidate').record(200, 'ok', 3, 0.1);
    await pass(500);
    const first = await asked;
    expect(first.intervalMs).toBeGreaterThanOrEqual(500);
    expect(first.experiments[0]!.variants[1]!.requestsPerSecond).toBeGreaterThan(1);
    expect(await sampler.latest()).toBe(first);
    expect(reads).toBe(2);
  });

  test('it reads every two seconds, and no more half a minute after the last question', async () => {
    const asked = sampler.latest();
    await pass(600);
    await asked;
    await pass(28_000);
    expect(reads).toBe(16);
    await pass(120_000);
    expect(reads).toBeLessThan(20);
    expect(sampler.current).toBeNull();
    const again = sampler.latest();
    await pass(600);
    expect((await again).intervalMs).toBeLessThan(1000);
  });

  test('as long as somebody watches it goes on', async () => {
    const told: StatsView[] = [];
    const stop = sampler.subscribe((stats) => told.push(stats));
    await pass(120_000);
    expect(told.length).toBeGreaterThan(55);
    expect(told[0]!.intervalMs).toBeNull();
    stop();
    await pass(60_000);
    const { length } = told;
    await pass(60_000);
    expect([told.length, sampler.current]).toEqual([length, null]);
  });

  test('a reading that fails is said to who asked, and the next one is taken', async () => {
    isBroken = true;
    const asked = sampler.latest();
    const refused = expect(asked).rejects.toThrow('The metrics could not be read in time.');
    await pass(5_100);
    await refused;
    isBroken = false;
    const again = sampler.latest();
    await pass(2_000);
    expect((await again).experiments[0]!.name).toBe('ranking');
  });
});

describe('the resource', () => {
  let bench: AdminBench;
  beforeEach(async () => {
    bench = await newAdminBench();
  });
  afterEach(() => bench.close());

  test('has every experiment, variant and route of the configuration', async () => {
    const answer = await bench.app.inject({ url: '/v1/stats', headers: { host: 'localhost' } });
    expect([answer.statusCode, answer.headers['cache-control']]).toEqual([200, 'no-store']);
    const { at, experiments, routes } = answer.json<StatsView>();
    expect(at).toBe('2023-11-14T22:13:20.000Z');
    expect(experiments.map(({ name, variants }) => [name, variants.map((one) => one.name)])).toEqual([
      ['ranking', ['control', 'candidate', 'other']],
    ]);
    expect(routes.map(({ name }) => name)).toEqual(['api']);
  });
});
