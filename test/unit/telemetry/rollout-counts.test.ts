/** What rollouts are decided by, out of the families of the metrics page. */
import { describe, expect, test } from 'vitest';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { countArms, ROLLOUT_FAMILIES } from '../../../src/telemetry/rollout-counts.ts';

const RANKING = new Map([['ranking', 'candidate']]);

function metrics(): Metrics {
  return new Metrics({ version: '0', node: '0', isProcessIncluded: false });
}

describe('the counts of a rollout', () => {
  test('are those of the variant that served, over all routes', async () => {
    const page = metrics();
    for (const route of ['api', 'web']) {
      const series = page.requests('inbound', route, 'ranking', 'candidate');
      series.record(200, 'ok', 3, 0);
      series.record(500, 'failure', 30, 0);
      series.record(200, 'slow', 300, 0);
    }
    page.requests('inbound', 'api', 'other', 'candidate').record(500, 'failure', 1, 0);
    page.requests('inbound', 'api', 'ranking', 'control').record(200, 'ok', 1, 0);
    const arms = countArms(await page.samplesOf(ROLLOUT_FAMILIES), RANKING);
    expect([...arms.keys()]).toEqual(['ranking']);
    expect(arms.get('ranking')!.get('candidate')).toMatchObject({
      requests: 6,
      hits: { errors: 2, slow: 2, 'above:2.5': 6, 'above:25': 4, 'above:250': 2, 'above:500': 0 },
    });
    expect(arms.get('ranking')!.get('control')).toMatchObject({ requests: 1, hits: { 'above:250': 0 } });
  });

  test('call a request that failover saved a failure of the candidate', async () => {
    const page = metrics();
    page.requests('inbound', 'api', 'ranking', 'candidate').record(200, 'ok', 1, 0);
    page.fallbacks('ranking', 'failover').value += 3;
    page.fallbacks('ranking', 'breaker').value += 5;
    const arms = countArms(await page.samplesOf(ROLLOUT_FAMILIES), RANKING);
    expect(arms.get('ranking')!.get('candidate')).toMatchObject({ requests: 4, hits: { errors: 3 } });
  });

  test('are the same whether latencies are at a bound or not', async () => {
    const page = metrics();
    const series = page.requests('inbound', 'api', 'ranking', 'candidate');
    for (const ms of [250, 250.1]) series.record(200, 'ok', ms, 0);
    const arms = countArms(await page.samplesOf(ROLLOUT_FAMILIES), RANKING);
    expect(arms.get('ranking')!.get('candidate')!.hits['above:250']).toBe(1);
  });
});
