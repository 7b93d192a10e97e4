import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { hasTools } from '../../support/tools.ts';

const DOC = join(import.meta.dirname, '../../../docs/metrics.md');

function newMetrics(options: { labelSetsMax?: number; isProcessIncluded?: boolean } = {}): Metrics {
  return new Metrics({ version: '0.1.0', node: 'v24.21.0', isProcessIncluded: false, ...options });
}

/** The lines of one family, without comments. */
async function linesOf(metrics: Metrics, name: string): Promise<string[]> {
  const page = await metrics.render();
  return page.split('\n').filter((line) => line.startsWith(name) && !line.startsWith('#'));
}

/** Every family with something in it. */
function fill(metrics: Metrics): void {
  const series = metrics.requests('inbound', 'api', 'ranking', 'candidate');
  series.inFlight = 2;
  series.record(200, 'ok', 12, 0.2);
  series.record(503, 'failure', 700, 0.3);
  const tunnels = metrics.tunnels('inbound', 'api', 'ranking', 'candidate');
  tunnels.active = 2;
  tunnels.end('max-age', 4000);
  metrics.assignments('ranking', 'candidate', 'split').value++;
  metrics.fallbacks('ranking', 'breaker').value++;
  metrics.retries('api', 'upstream_reset').value++;
  metrics.localAnswers('route_not_found').value++;
  const breaker = 'api/ranking/candidate';
  metrics.breakerTransition({ breaker, from: 'closed', to: 'open', cause: 'error-rate' });
  metrics.setBreakerSource(() => [{ name: breaker, state: 'open' }]);
  metrics.setEndpointSource(() => [{ upstream: 'v1', endpoint: '127.0.0.1:9001', active: 3, idle: 1 }]);
  metrics.setListenerSource(() => [{ listener: 'inbound', connections: 7 }]);
  metrics.reloaded({ ok: true, atMs: 1_700_000_000_500 });
  metrics.configured('0123456789ab', 4);
  metrics.setReady(true);
}

describe('the page', () => {
  test.skipIf(!hasTools('promtool'))('is clean for promtool, process metrics included', async () => {
    const metrics = newMetrics({ isProcessIncluded: true });
    fill(metrics);
    const page = await metrics.render();
    const { status, stdout, stderr, error } = spawnSync('promtool', ['check', 'metrics'], {
      input: page,
      encoding: 'utf8',
    });
    expect(error, 'promtool is needed: apt-get install prometheus').toBeUndefined();
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(page).toContain('process_resident_memory_bytes ');
    expect(page).toContain('nodejs_eventloop_lag_p99_seconds ');
    expect(page).toContain('process_open_fds ');
  });

  test('has every name that docs/metrics.md has, and no other', () => {
    const named = new Set(
      [...readFileSync(DOC, 'utf8').matchAll(/`((?:fairlead|process|nodejs)_[a-z0-9_]+)`/g)].map(
        ([, name]) => name,
      ),
    );
    const registered = new Set(newMetrics({ isProcessIncluded: true }).names());
    expect([...named].filter((name) => !registered.has(name as string))).toEqual([]);
    expect([...registered].filter((name) => !named.has(name))).toEqual([]);
  });

  test('escapes what a label value may hold', async () => {
    const metrics = newMetrics();
    metrics.retries('a"b\\c\nd', 'upstream_reset').value = 1;
    expect(await linesOf(metrics, 'fairlead_retries_total')).toEqual([
      'fairlead_retries_total{route="a\\"b\\\\c\\nd",cause="upstream_reset"} 1',
    ]);
  });
});

describe('requests', () => {
  test('are counted by class and outcome, the common two from zero on', async () => {
    const metrics = newMetrics();
    const series = metrics.requests('inbound', 'api', '', '');
    for (const status of [200, 204, 301, 404, 0, 101]) series.record(status, 'ok', 1, -1);
    series.record(404, 'slow', 1, -1);
    const labels = 'direction="inbound",route="api",experiment="",variant=""';
    expect((await linesOf(metrics, 'fairlead_requests_total')).sort()).toEqual(
      [
        `{code_class="none",outcome="ok",${labels}} 1`,
        `{code_class="1xx",outcome="ok",${labels}} 1`,
        `{code_class="2xx",outcome="ok",${labels}} 2`,
        `{code_class="3xx",outcome="ok",${labels}} 1`,
        `{code_class="4xx",outcome="ok",${labels}} 1`,
        `{code_class="4xx",outcome="slow",${labels}} 1`,
        `{code_class="5xx",outcome="failure",${labels}} 0`,
      ]
        .map((line) => `fairlead_requests_total${line}`)
        .sort(),
    );
  });

  test('have cumulative duration buckets in seconds', async () => {
    const metrics = newMetrics();
    const series = metrics.requests('inbound', 'api', '', '');
    for (const ms of [0.4, 5, 5.1, 90_000]) series.record(200, 'ok', ms, -1);
    const values = Object.fromEntries(
      (await linesOf(metrics, 'fairlead_request_duration_seconds')).map((line) => [
        /le="([^"]*)"/.exec(line)?.[1] ?? /_(sum|count)/.exec(line)?.[1],
        Number(line.split(' ').at(-1)),
      ]),
    );
    expect(values).toMatchObject({
      '0.0005': 1,
      '0.0025': 1,
      '0.005': 2,
      '0.01': 3,
      '60': 3,
      '+Inf': 4,
      sum: 90.0105,
      count: 4,
    });
  });

  test('that never were have no histogram', async () => {
    const metrics = newMetrics();
    metrics.requests('inbound', 'api', 'ranking', 'control');
    expect(await linesOf(metrics, 'fairlead_request_duration_seconds')).toEqual([]);
    expect(await linesOf(metrics, 'fairlead_requests_total')).toHaveLength(2);
  });

  test('give their overhead once, whichever experiment they are in', async () => {
    const metrics = newMetrics();
    metrics.requests('inbound', 'api', 'one', 'control').record(200, 'ok', 5, 0.3);
    metrics.requests('inbound', 'api', 'two', 'control').record(200, 'ok', 5, -1);
    expect(await linesOf(metrics, 'fairlead_proxy_overhead_seconds_count')).toEqual([
      'fairlead_proxy_overhead_seconds_count{direction="inbound",route="api"} 1',
    ]);
  });

  test('of one label set are one series, however often it is asked for', () => {
    const metrics = newMetrics();
    expect(metrics.requests('inbound', 'api', 'x', 'y')).toBe(metrics.requests('inbound', 'api', 'x', 'y'));
    expect(metrics.requests('inbound', 'api', 'x', 'y')).not.toBe(
      metrics.requests('inbound', 'api', 'xy', ''),
    );
  });
});

describe('the cap on label sets', () => {
  test('gives what is beyond it one overflow series, and counts', async () => {
    const metrics = newMetrics({ labelSetsMax: 3 });
    for (let index = 0; index < 5; index++) metrics.retries(`route-${index}`, 'upstream_reset').value++;
    expect(await linesOf(metrics, 'fairlead_retries_total')).toEqual([
      'fairlead_retries_total{route="route-0",cause="upstream_reset"} 1',
      'fairlead_retries_total{route="route-1",cause="upstream_reset"} 1',
      'fairlead_retries_total{route="route-2",cause="upstream_reset"} 1',
      'fairlead_retries_total{route="_overflow",cause="_overflow"} 2',
    ]);
    expect(await linesOf(metrics, 'fairlead_series_overflow_total')).toEqual([
      'fairlead_series_overflow_total 2',
    ]);
  });

  test('is shared by all families and leaves what is known alone', () => {
    const metrics = newMetrics({ labelSetsMax: 1 });
    const known = metrics.assignments('ranking', 'control', 'split');
    const series = metrics.requests('inbound', 'api', 'ranking', 'control');
    expect(metrics.requests('outbound', 'other', '', '')).toBe(series);
    expect(metrics.assignments('ranking', 'control', 'split')).toBe(known);
  });
});

describe('breakers', () => {
  test('are labelled with the parts of their name', async () => {
    const metrics = newMetrics();
    metrics.setBreakerSource(() => [
      { name: 'api/ranking/candidate', state: 'half-open' },
      { name: 'rest', state: 'open' },
    ]);
    expect(await linesOf(metrics, 'fairlead_breaker_state')).toEqual([
      'fairlead_breaker_state{route="api",experiment="ranking",variant="candidate"} 1',
      'fairlead_breaker_state{route="rest",experiment="",variant=""} 2',
    ]);
  });

  test('that cannot be asked leave their lines out and the page whole', async () => {
    const metrics = newMetrics();
    metrics.setBreakerSource(() => {
      throw new Error('gone');
    });
    metrics.setReady(true);
    expect(await linesOf(metrics, 'fairlead_breaker_state')).toEqual([]);
    expect(await linesOf(metrics, 'fairlead_ready')).toEqual(['fairlead_ready 1']);
  });
});

test('a failed reload turns the gauge over and keeps the time of the last good one', async () => {
  const metrics = newMetrics();
  expect(await linesOf(metrics, 'fairlead_config_last_reload')).toEqual([]);
  metrics.reloaded({ ok: true, atMs: 1_700_000_000_500 });
  metrics.reloaded({ ok: false, atMs: 1_700_000_009_000 });
  expect(await linesOf(metrics, 'fairlead_config_last_reload')).toEqual([
    'fairlead_config_last_reload_successful 0',
    'fairlead_config_last_reload_success_timestamp_seconds 1700000000.5',
  ]);
  expect(await linesOf(metrics, 'fairlead_config_reloads_total')).toEqual([
    'fairlead_config_reloads_total{result="success"} 1',
    'fairlead_config_reloads_total{result="failure"} 1',
  ]);
});
