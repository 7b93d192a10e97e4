import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ADMIN_ERRORS } from '../../../src/admin/problem.ts';
import { type AdminBench, configWith, newAdminBench, TOKEN } from '../../support/admin.ts';

let bench: AdminBench;
beforeEach(async () => {
  bench = await newAdminBench();
});
afterEach(() => bench.close());

const HOST = { host: '127.0.0.1:15100' };

const get = (url: string, headers: Record<string, string> = {}) =>
  bench.app.inject({ url, headers: { ...HOST, ...headers } });

function send(
  url: string,
  payload?: object | string,
  options: { method?: 'POST' | 'PUT'; headers?: Record<string, string> } = {},
) {
  const headers = {
    ...HOST,
    authorization: `Bearer ${TOKEN}`,
    'x-fairlead-actor': 'alice@laptop',
    ...options.headers,
  };
  return bench.app.inject({
    method: options.method ?? 'POST',
    url,
    headers,
    ...(payload === undefined ? {} : { payload }),
  });
}

const rules = () => {
  const experiment = bench.control.snapshot.experiments.get('ranking');
  return { status: experiment?.status, weights: experiment?.variants.map(({ weightPpm }) => weightPpm) };
};

describe('reading', () => {
  test('an experiment shows its weights, routes and breakers as people write them', async () => {
    expect((await get('/v1/experiments/ranking')).json()).toMatchObject({
      name: 'ranking',
      status: 'running',
      owner: 'search-team',
      traffic: '100%',
      unit: ['header x-user-id'],
      routes: ['api'],
      runtime: null,
      variants: [
        { name: 'control', weight: '85%', isFallback: true, breakers: [] },
        {
          name: 'candidate',
          weight: '10%',
          upstream: 'v2',
          breakers: [{ name: 'api/ranking/candidate', state: 'closed', mode: 'enforce' }],
        },
        { name: 'other', weight: '5%' },
      ],
    });
    expect((await get('/v1/experiments')).json().experiments).toHaveLength(1);
  });

  test('what is not there is 404 and says what is', async () => {
    const answer = await get('/v1/experiments/rankin');
    expect(answer.statusCode).toBe(404);
    expect(answer.json()).toMatchObject({ code: 'not_found', hint: 'there are ranking' });
    expect((await get('/v1/breakers/api/ranking/nobody')).statusCode).toBe(404);
    expect((await get('/v2/anything')).json()).toMatchObject({ code: 'not_found' });
  });

  test('a breaker is found by its name, slashes and all', async () => {
    expect((await get('/v1/breakers/api/ranking/candidate')).json()).toMatchObject({ state: 'closed' });
    expect((await get('/v1/breakers/api%2Franking%2Fcandidate')).json()).toMatchObject({ state: 'closed' });
    expect((await get('/v1/breakers')).json().breakers).toHaveLength(1);
  });

  test('upstreams have their endpoints, under the alias too', async () => {
    const upstreams = [{ name: 'v1', endpoints: [{ id: '127.0.0.1:9001', active: 3, idle: 1 }] }];
    expect((await get('/v1/upstreams')).json()).toEqual({ upstreams });
    expect((await get('/v1/overload')).json()).toEqual({ shedding: null, concurrency: [], rateLimits: [] });
    expect((await get('/clusters')).json()).toEqual({ upstreams });
  });

  test.each(['/v1/config', '/config_dump'])('%s tells declared from run time, and no secret', async (url) => {
    await send('/v1/experiments/ranking:pause', { reason: 'looking at the errors' });
    const answer = await get(url);
    expect(answer.body).not.toContain(TOKEN);
    expect(answer.body).not.toContain('exposures-secret');
    expect(answer.json()).toMatchObject({
      version: 2,
      service: 'checkout',
      declared: { experiments: { ranking: { status: 'running' } } },
      runtime: {
        ranking: {
          status: { status: 'paused', reason: 'looking at the errors', actor: 'token:alice@laptop' },
        },
      },
      effective: {
        experiments: {
          ranking: { status: 'paused', weights: { control: '85%', candidate: '10%', other: '5%' } },
        },
      },
      lastReload: { ok: true, cause: 'start', at: '2023-11-14T22:13:20.000Z' },
    });
  });

  test('the config is 304 for who has it, until it changes', async () => {
    const first = await get('/v1/config');
    const etag = String(first.headers.etag);
    expect((await get('/v1/config', { 'if-none-match': etag })).statusCode).toBe(304);
    await send('/v1/experiments/ranking:pause');
    expect((await get('/v1/config', { 'if-none-match': etag })).statusCode).toBe(200);
  });
});

describe('status', () => {
  test.each([
    ['pause', 'paused'],
    ['kill', 'killed'],
    ['start', 'running'],
  ])(':%s makes it %s at once', async (verb, status) => {
    const answer = await send(`/v1/experiments/ranking:${verb}`, { reason: 'because' });
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({
      name: 'ranking',
      status,
      runtime: { status: { status, reason: 'because' } },
    });
    expect(rules().status).toBe(status);
  });

  test('needs no body in an emergency, and the record says that nobody said why', async () => {
    expect((await send('/v1/experiments/ranking:kill')).statusCode).toBe(200);
    expect((await get('/v1/audit')).json().audit[0]).toMatchObject({
      action: 'set-status',
      reason: 'no reason given',
    });
  });

  test('needs none from a client that says all the same that it is JSON', async () => {
    const headers = { 'content-type': 'application/json' };
    expect((await send('/v1/experiments/ranking:kill', undefined, { headers })).statusCode).toBe(200);
    expect((await send('/v1/experiments/ranking:kill', '{', { headers })).statusCode).toBe(400);
  });

  test(':clear goes back to what is declared', async () => {
    await send('/v1/experiments/ranking:kill');
    await send('/v1/experiments/ranking/weights', { weights: { candidate: '50%' } });
    const answer = await send('/v1/experiments/ranking:clear', { reason: 'over' });
    expect(answer.json()).toMatchObject({ status: 'running' });
    expect(rules()).toEqual({ status: 'running', weights: [850_000, 100_000, 50_000] });
  });

  test('of nothing, or with a verb that is none, is 404', async () => {
    expect((await send('/v1/experiments/nope:kill')).statusCode).toBe(404);
    expect((await send('/v1/experiments/ranking:explode')).json()).toMatchObject({ code: 'not_found' });
    expect((await send('/v1/experiments/ranking')).statusCode).toBe(404);
  });
});

describe('weights', () => {
  test.each(['POST', 'PUT'] as const)(
    'by %s: one is given, the others keep theirs, the fallback takes the rest',
    async (method) => {
      const answer = await send(
        '/v1/experiments/ranking/weights',
        { weights: { candidate: '25%' }, reason: 'more' },
        { method },
      );
      expect(answer.statusCode).toBe(200);
      expect(rules().weights).toEqual([700_000, 250_000, 50_000]);
    },
  );

  test('may be numbers of per cent', async () => {
    await send('/v1/experiments/ranking/weights', { weights: { candidate: 12.5, other: 0 } });
    expect(rules().weights).toEqual([875_000, 125_000, 0]);
  });

  test.each([
    [{ weights: { candidate: '99%' } }, 422, 'add up'],
    [{ weights: { control: '10%', candidate: '10%' } }, 422, 'add up'],
    [{ weights: { nobody: '10%' } }, 422, 'nobody'],
    [{ weights: { candidate: '101%' } }, 400, 'more than 100%'],
    [{ weights: { candidate: '-1%' } }, 400, 'not a percentage'],
    [{ weights: { candidate: -1 } }, 400, 'weights.candidate'],
    [{ weights: { candidate: true } }, 400, 'weights.candidate'],
    [{ weights: 'all' }, 400, 'weights'],
    [{}, 400, 'weights'],
    [{ weights: { candidate: '20%' }, dryRun: true }, 400, 'dryRun'],
    [{ weights: { candidate: '20%' }, reason: 'x'.repeat(501) }, 400, 'reason'],
  ])('%j is refused', async (body, status, detail) => {
    const answer = await send('/v1/experiments/ranking/weights', body);
    expect(answer.statusCode).toBe(status);
    expect(answer.json().detail).toContain(detail);
    expect(rules().weights).toEqual([850_000, 100_000, 50_000]);
  });
});

describe('the method', () => {
  test.each([
    ['/v1/experiments/ranking:kill', 'POST'],
    ['/v1/experiments/ranking/weights', 'PUT, POST'],
    ['/v1/breakers/api/ranking/candidate:trip', 'POST'],
    ['/v1/reload', 'POST'],
    ['/v1/config:validate', 'POST'],
  ])('GET on %s is 405', async (url, allow) => {
    const answer = await get(url);
    expect(answer.statusCode).toBe(405);
    expect(answer.headers.allow).toBe(allow);
    expect(answer.json()).toMatchObject({ code: 'method_not_allowed' });
    expect(rules().status).toBe('running');
  });

  test('POST on what is only read is 405', async () => {
    expect((await send('/v1/experiments')).statusCode).toBe(405);
    expect((await send('/v1/config')).statusCode).toBe(405);
  });
});

describe('the body', () => {
  test('that is no JSON, another type or too large is refused', async () => {
    const url = '/v1/experiments/ranking:kill';
    const json = { 'content-type': 'application/json' };
    expect((await send(url, '{"reason"', { headers: json })).json()).toMatchObject({
      code: 'request_invalid',
      status: 400,
    });
    expect(
      (await send(url, 'reason=x', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }))
        .statusCode,
    ).toBe(415);
    expect((await send(url, 'x', { headers: { 'content-type': 'text/plain' } })).statusCode).toBe(415);
    expect((await send(url, { reason: 'x'.repeat(2 ** 20) })).json()).toMatchObject({
      code: 'body_too_large',
      status: 413,
    });
    expect((await send(url, '{"__proto__": {"reason": "x"}}', { headers: json })).statusCode).toBe(400);
    expect(rules().status).toBe('running');
  });
});

describe('a change that is meant for another version', () => {
  test('is 412 and changes nothing; with the right tag it is made', async () => {
    const stale = String((await get('/v1/config')).headers.etag);
    await send('/v1/experiments/ranking:pause');
    const refused = await send('/v1/experiments/ranking:kill', undefined, { headers: { 'if-match': stale } });
    expect(refused.statusCode).toBe(412);
    expect(refused.json()).toMatchObject({ code: 'version_conflict' });
    expect(rules().status).toBe('paused');
    const fresh = String((await get('/v1/config')).headers.etag);
    expect(
      (await send('/v1/experiments/ranking:kill', undefined, { headers: { 'if-match': `"x", ${fresh}` } }))
        .statusCode,
    ).toBe(200);
  });
});

describe('a reload', () => {
  test('takes the file as it is now', async () => {
    bench.writeConfig(configWith('weight: 10%', 'weight: 20%'));
    const answer = await send('/v1/reload', { reason: 'deployed' });
    expect(answer.json()).toMatchObject({ ok: true, version: 2 });
    expect(rules().weights).toEqual([750_000, 200_000, 50_000]);
  });

  test('of a bad file changes nothing and names every place', async () => {
    bench.writeConfig(configWith('weight: 10%', 'wieght: 10%'));
    const answer = await send('/v1/reload');
    expect(answer.statusCode).toBe(422);
    expect(answer.json()).toMatchObject({ code: 'config_invalid', issues: [{ severity: 'error' }] });
    expect(answer.json().detail).toMatch(/fairlead\.yaml:\d+:\d+: /);
    expect(rules().weights).toEqual([850_000, 100_000, 50_000]);
    expect((await get('/v1/config')).json().lastReload).toMatchObject({ ok: false, cause: 'admin' });
    expect((await get('/v1/audit')).json().audit[0]).toMatchObject({
      action: 'ask-reload',
      result: 'refused',
    });
  });
});

describe('a config to be validated', () => {
  test.each(['application/yaml', 'application/json', 'text/plain', 'application/x-www-form-urlencoded'])(
    'is checked as text, whatever it is sent as: %s',
    async (type) => {
      const headers = { 'content-type': type };
      const good = await send('/v1/config:validate', 'version: 1\nupstreams: { v1: "127.0.0.1:9001" }\n', {
        headers,
      });
      expect(good.json()).toMatchObject({ ok: true });
      const bad = await send(
        '/v1/config:validate',
        'version: 1\nupstreams: { v1: "127.0.0.1:9001" }\nexperimnets: {}\n',
        { headers },
      );
      expect(bad.statusCode).toBe(422);
      expect(bad.json().issues[0]).toMatchObject({ line: 3, column: 1 });
    },
  );

  test('changes nothing', async () => {
    await send('/v1/config:validate', 'version: 1\nupstreams: { v1: "127.0.0.1:9001" }\n', {
      headers: { 'content-type': 'text/yaml' },
    });
    expect(bench.control.snapshot.version).toBe(1);
  });
});

describe('the audit', () => {
  test('has every change in order, newest first, and the log has a sentence for each', async () => {
    await send('/v1/experiments/ranking:pause', { reason: 'errors' });
    await send('/v1/experiments/ranking/weights', { weights: { candidate: '99%' }, reason: 'too much' });
    const { audit } = (await get('/v1/audit')).json();
    expect(audit).toMatchObject([
      { id: 2, action: 'set-weights', target: 'ranking', result: 'refused', reason: 'too much' },
      {
        id: 1,
        action: 'set-status',
        target: 'ranking',
        result: 'done',
        actor: 'token:alice@laptop',
        at: '2023-11-14T22:13:20.000Z',
      },
    ]);
    expect(bench.sentences).toHaveLength(2);
    expect(bench.sentences[0]).toMatch(
      /^info: set-status ranking by token:alice@laptop done: .+ -> .+ \(errors\)$/,
    );
    expect(bench.sentences[1]).toMatch(/^warn: set-weights ranking by token:alice@laptop refused/);
  });

  test('believes no name that could break a line, and needs none', async () => {
    await send('/v1/experiments/ranking:pause', undefined, { headers: { 'x-fairlead-actor': 'a\tb{"x"}' } });
    await send('/v1/experiments/ranking:start', undefined, { headers: { 'x-fairlead-actor': '' } });
    const { audit } = (await get('/v1/audit')).json();
    expect(audit.map((entry: { actor: string }) => entry.actor)).toEqual(['token', 'token:abx']);
  });

  test('answers as many as asked for', async () => {
    for (const verb of ['pause', 'start', 'pause']) await send(`/v1/experiments/ranking:${verb}`);
    expect((await get('/v1/audit?limit=2')).json().audit.map(({ id }: { id: number }) => id)).toEqual([3, 2]);
    expect((await get('/v1/audit?limit=-1')).statusCode).toBe(400);
  });
});

test('every code that the API answers is in docs/admin-api.md with its status, and no other', () => {
  const doc = readFileSync(join(import.meta.dirname, '../../../docs/admin-api.md'), 'utf8');
  const documented = [...doc.matchAll(/^\| `([a-z_]+)` \| (\d{3}) \|$/gm)].map(([, code, status]) => [
    code,
    Number(status),
  ]);
  expect(documented).toEqual(Object.entries(ADMIN_ERRORS).map(([code, { status }]) => [code, status]));
});
