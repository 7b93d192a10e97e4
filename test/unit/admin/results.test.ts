/** `GET /v1/experiments/NAME/results` and `GET /v1/results`. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Results } from '../../../src/analysis/results/results.ts';
import { type AdminBench, newAdminBench } from '../../support/admin.ts';
import { MadeUpExperiment } from '../../support/collected.ts';

const START_MS = 1_700_000_000_000;
let bench: AdminBench;

beforeEach(async () => {
  bench = await newAdminBench();
});
afterEach(() => bench.close());

async function get(url: string) {
  const answer = await bench.app.inject({ url, headers: { host: '127.0.0.1' } });
  return { status: answer.statusCode, body: answer.json() };
}

/** All of them seen a minute ago; the candidate fails every so many-th. */
function users(count: number, failing: number): MadeUpExperiment {
  const experiment = new MadeUpExperiment([0.85, 0.1, 0.05], ['control', 'candidate', 'other']);
  for (let unit = 0; unit < count; unit++) {
    const variant = unit % 20 < 17 ? 0 : unit % 20 < 19 ? 1 : 2;
    const isFailure = variant === 1 && unit % failing === 0;
    experiment.add({ unit, variant, isFailure, atMs: START_MS - 60_000 + unit });
  }
  return experiment;
}

describe('the results of an experiment', () => {
  it('are off without an analysis, with how to turn it on', async () => {
    const { status, body } = await get('/v1/experiments/ranking/results');
    expect(status).toBe(200);
    expect(body).toMatchObject({ experiment: 'ranking', state: 'off', fallback: 'control' });
    expect(body.verdict).toMatchObject({ kind: 'off', reason: expect.stringContaining('analysis: {}') });
  });

  it('are made of what was collected', async () => {
    bench.analysed.experiment = users(4000, 1);
    const { body } = (await get('/v1/experiments/ranking/results')) as { body: Results };
    expect(body.state).toBe('collecting');
    expect(body.verdict.kind).toBe('breach');
    expect(body.assigned.map(({ units }) => units)).toEqual([3400, 400, 200]);
    expect(body.comparisons.map(({ variant }) => variant)).toEqual(['candidate', 'other']);
  });

  it('are not made more often than once a second, and are then of what is there', async () => {
    bench.analysed.experiment = users(400, 1000);
    await get('/v1/experiments/ranking/results');
    await get('/v1/experiments/ranking/results');
    await get('/v1/results');
    expect(bench.analysed.asked).toBe(1);
    bench.analysed.experiment = users(800, 1000);
    bench.advance(1001);
    const { body } = await get('/v1/experiments/ranking/results');
    expect(bench.analysed.asked).toBe(2);
    expect(body.assigned[0].units).toBe(680);
  });

  it('of an experiment that is not there are 404', async () => {
    expect(await get('/v1/experiments/nothing/results')).toMatchObject({
      status: 404,
      body: { code: 'not_found', hint: 'there are ranking' },
    });
  });

  it('cannot be changed', async () => {
    const answer = await bench.app.inject({
      method: 'POST',
      url: '/v1/results',
      headers: { host: '127.0.0.1', authorization: 'Bearer correct-horse-battery-staple' },
    });
    expect(answer.statusCode).toBe(405);
  });
});

it('the verdict of each experiment is listed', async () => {
  bench.analysed.experiment = users(4000, 1);
  const { body } = await get('/v1/results');
  expect(body.results).toMatchObject([
    { experiment: 'ranking', state: 'collecting', verdict: { kind: 'breach' } },
  ]);
});
