/** `GET /v1/experiments/NAME/results` and `GET /v1/results`. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Results } from '../../../src/analysis/results/results.ts';
import { type AdminBench, configWith, newAdminBench, TOKEN } from '../../support/admin.ts';
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

describe('DELETE /v1/experiments/NAME/results', () => {
  const ANALYSED = configWith('salt: ranking-1', 'salt: ranking-1\n    analysis: {}');
  const TOKENS =
    'tokens: [{ name: alice, role: operator, token: alice-1 }, { name: bob, role: operator, token: bob-1 }, { name: vera, role: viewer, token: vera-1 }]';

  async function configure(text = ANALYSED, tokens = ''): Promise<void> {
    bench.writeConfig(text, tokens);
    const { ok, issues } = await bench.control.reload('file');
    expect(ok, JSON.stringify(issues)).toBe(true);
  }

  async function send(
    method: 'DELETE' | 'POST',
    url: string,
    { token = TOKEN, payload = { reason: 'v2.1 is out' } as object, headers = {} } = {},
  ) {
    const authorization = `Bearer ${token}`;
    const answer = await bench.app.inject({
      ...{ method, url, payload },
      headers: { host: '127.0.0.1', authorization, ...headers },
    });
    return { status: answer.statusCode, body: answer.json() };
  }
  const forget = (name: string, more = {}) => send('DELETE', `/v1/experiments/${name}/results`, more);
  const forgets = () => bench.control.runtime.experiments.get('ranking')!.forgets;
  const audit = async () => (await get('/v1/audit')).body.audit as object[];

  it('says what was forgotten, and since when that was collected', async () => {
    await configure();
    bench.analysed.experiment = users(400, 1000);
    expect(await forget('ranking')).toEqual({
      status: 200,
      body: {
        experiment: 'ranking',
        reason: 'v2.1 is out',
        forgotten: { since: new Date(START_MS - 60_000).toISOString(), requests: 400, units: 400 },
      },
    });
    expect(forgets()).toBe(1);
    expect((await audit())[0]).toMatchObject({
      ...{ action: 'forget-results', target: 'ranking', actor: 'token', result: 'done' },
      ...{ reason: 'v2.1 is out', before: 'what was collected', after: 'nothing' },
    });
  });

  it('is for operators, and not for whoever only looks', async () => {
    await configure(ANALYSED, TOKENS);
    expect((await forget('ranking', { token: 'vera-1' })).body.code).toBe('role_insufficient');
    expect((await forget('ranking', { token: 'wrong' })).status).toBe(401);
    expect(forgets()).toBe(0);
    expect((await forget('ranking', { token: 'alice-1' })).status).toBe(200);
    expect((await audit())[0]).toMatchObject({ actor: 'operator:alice' });
  });

  it('is refused with what to do for an experiment without an analysis, on record, and for one that there is not', async () => {
    expect(await forget('ranking')).toMatchObject({
      status: 422,
      body: {
        code: 'change_invalid',
        detail: 'The experiment ranking has no analysis.',
        hint: 'nothing is collected, so there is nothing to forget',
      },
    });
    expect((await audit())[0]).toMatchObject({ action: 'forget-results', result: 'refused' });
    expect(await forget('rankin')).toMatchObject({ status: 404, body: { hint: 'there are ranking' } });
  });

  it('takes a reason and nothing else, and may be bound to the rules that were looked at', async () => {
    await configure();
    expect((await forget('ranking', { payload: { because: 'x' } })).status).toBe(400);
    expect((await forget('ranking', { headers: { 'if-match': '"other.1"' } })).status).toBe(412);
    expect(forgets()).toBe(0);
    expect((await forget('ranking', { payload: {} })).body.reason).toBe('no reason given');
  });

  it('waits for a second person on a protected route', async () => {
    const text = ANALYSED.replace('exposures: {', 'protect: [api]\nexposures: {');
    const allowed = 'owner: search-team\n    allowProtected: { approvedBy: carol, reason: planned }';
    await configure(text.replace('owner: search-team', allowed), TOKENS);
    const asked = await forget('ranking', { token: 'alice-1' });
    expect(asked).toMatchObject({
      status: 202,
      body: { approval: { action: 'forget-results', before: 'what was collected', after: 'nothing' } },
    });
    expect(forgets()).toBe(0);
    const { id, digest } = asked.body.approval;
    const said = { token: 'bob-1', payload: { digest, reason: 'agreed' } };
    expect((await send('POST', `/v1/approvals/${id}:approve`, said)).status).toBe(200);
    expect(forgets()).toBe(1);
  });
});
