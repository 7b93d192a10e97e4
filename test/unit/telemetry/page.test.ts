import { describe, expect, test } from 'vitest';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { ALL_FORMATS, PLAIN_ONLY, pageFormat } from '../../../src/telemetry/page.ts';

/** What Prometheus 2.42 sends. */
const PROMETHEUS =
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';

test.each([
  [undefined, 'prometheus'],
  ['*/*', 'prometheus'],
  ['text/plain', 'prometheus'],
  [PROMETHEUS, 'openmetrics'],
  ['application/openmetrics-text', 'openmetrics'],
  ['application/openmetrics-text;q=0', 'prometheus'],
  ['text/plain, application/openmetrics-text;q=0.3', 'prometheus'],
])('who asks for %s gets the format %s', (accept, format) => {
  expect(pageFormat(accept, ALL_FORMATS)).toBe(format);
  expect(pageFormat(accept, PLAIN_ONLY)).toBe('prometheus');
});

describe('the OpenMetrics page', () => {
  const metrics = new Metrics({ version: '0', node: '0', isProcessIncluded: true });
  const series = metrics.requests('inbound', 'api', 'ranking', 'candidate');
  series.record(200, 'ok', 30, 1);
  series.duration.exemplify({ traceId: 'abc', wallMs: 1_700_000_000_250, durationMs: 30 });

  test('names a trace beside the bucket that it is counted in', async () => {
    const page = await metrics.render('openmetrics');
    const lines = page.split('\n').filter((line) => line.includes('trace_id'));
    expect(lines).toEqual([
      'fairlead_request_duration_seconds_bucket{le="0.05",direction="inbound",route="api",experiment="ranking",variant="candidate"} 1 # {trace_id="abc"} 0.03 1700000000.25',
    ]);
  });

  test('has names, kinds and an end as that format wants them', async () => {
    const page = await metrics.render('openmetrics');
    expect(page).toContain('# TYPE fairlead_requests counter\nfairlead_requests_total{');
    expect(page).toContain('# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total ');
    expect(page.endsWith('\n# EOF\n')).toBe(true);
    expect(page).not.toContain('\n\n');
    for (const line of page.trim().split('\n'))
      expect(line).toMatch(/^(# (HELP|TYPE|EOF)|[a-z0-9_]+(\{.*\})? \S+)/);
    expect(page).not.toContain('_total_total');
  });

  test('is what it was for who does not ask', async () => {
    expect(await metrics.render()).not.toContain('trace_id');
  });
});
