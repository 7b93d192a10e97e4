/** `GET /v1/events/stream`, `/v1/tap` and the histories, over real sockets. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type AdminBench, configWith, newAdminBench, TOKEN } from '../../support/admin.ts';
import { EventReader } from '../../support/events.ts';

let bench: AdminBench;
let url: string;
const readers: EventReader[] = [];
beforeEach(async () => {
  bench = await newAdminBench();
  url = await bench.app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  vi.useRealTimers();
  for (const reader of readers.splice(0)) reader.close();
  await bench.close();
});

async function open(path: string, headers: Record<string, string> = {}): Promise<EventReader> {
  const reader = await EventReader.open(`${url}${path}`, headers);
  readers.push(reader);
  return reader;
}

const get = async (path: string) => {
  const answer = await bench.app.inject({ url: path, headers: { host: 'localhost' } });
  return { status: answer.statusCode, body: answer.json() as Record<string, unknown> };
};

const MOVE = {
  breaker: 'api/ranking/candidate',
  from: 'closed',
  to: 'open',
  mode: 'enforce',
  cause: 'reset',
  reason: '12 of 20 failed',
  tooOften: null,
  atMs: 1,
} as const;

const halve = (reason: string) =>
  bench.control.change(
    { kind: 'set-weights', experiment: 'ranking', weightsPpm: { candidate: 500_000 }, reason },
    'operator:ann',
  );

describe('the stream', () => {
  test('says first who is talking, then what goes on', async () => {
    const reader = await open('/v1/events/stream');
    expect([reader.status, reader.headers['content-type']]).toEqual([200, 'text/event-stream']);
    await reader.first('stats');
    expect(reader.events[0]).toEqual({
      event: 'hello',
      data: { service: 'checkout', fairlead: '0.1.0', version: 1, hash: bench.control.snapshot.hash },
    });
    expect(reader.events[1]!.data).toMatchObject({ intervalMs: null, experiments: [{ name: 'ranking' }] });
    await reader.first('stats', ({ intervalMs }) => intervalMs !== null);
  });

  test('who comes later has the latest stats at once', async () => {
    // The next are read in half a second, which is never over here.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const first = await open('/v1/events/stream');
    const stats = await first.first('stats');
    const second = await open('/v1/events/stream');
    await second.until(() => second.events.length >= 2);
    expect(second.events[1]).toEqual({ event: 'stats', data: stats });
  });

  test('tells a change of the rules, and its record in the audit as that is read there', async () => {
    const reader = await open('/v1/events/stream');
    await reader.first('hello');
    halve('looks good');
    expect(await reader.first('config')).toMatchObject({
      version: 2,
      by: 'operator:ann',
      reason: 'looks good',
    });
    const audit = await reader.first('audit');
    expect(audit).toMatchObject({ action: 'set-weights', target: 'ranking', result: 'done' });
    const { body } = await get('/v1/audit?limit=1');
    expect(body.audit).toEqual([audit]);
  });

  test('tells each move of a breaker', async () => {
    const reader = await open('/v1/events/stream');
    await reader.first('hello');
    bench.moves.moved(MOVE);
    const { breaker: name, atMs: _, ...move } = MOVE;
    expect(await reader.first('breaker')).toEqual({ name, ...move, at: '2023-11-14T22:13:20.000Z' });
  });

  test('tells a rollout that has changed, at once with what is put on record of it, and no other', async () => {
    const state = {
      id: 'rollout_1',
      phase: 'baking',
      step: 0,
      sharePpm: 10_000,
      reason: 'begun',
      counts: {},
    };
    const times = { etaMs: null, watchedMs: 0, startedAtMs: 0, sinceMs: 0, previous: null };
    const view = { experiment: 'ranking', state: { ...state, ...times }, settings: null };
    bench.rollouts.push(view as never, { ...view, experiment: 'search' } as never);
    const reader = await open('/v1/events/stream');
    await reader.first('stats');
    bench.rollouts[0] = { ...view, state: { ...view.state, phase: 'paused' } } as never;
    const record = { actor: 'ann', reason: 'wait', result: 'done', before: '', after: '' } as const;
    bench.audit.record({ action: 'rollout-pause', target: 'ranking', ...record });
    expect(await reader.first('rollout')).toMatchObject({ experiment: 'ranking', phase: 'paused', step: 1 });
    bench.audit.record({ action: 'rollout-pause', target: 'search', ...record });
    await reader.first('audit', ({ target }) => target === 'search');
    expect(reader.events.filter(({ event }) => event === 'rollout')).toHaveLength(1);
  });

  test('is open to readers only where reading has a role, and to this server’s own pages', async () => {
    const foreign = await open('/v1/events/stream', { origin: 'http://evil.test' });
    expect([foreign.status, (await foreign.body()).code]).toEqual([403, 'origin_forbidden']);
    bench.writeConfig(configWith('service: checkout', 'service: shop'), 'readRole: viewer');
    await bench.control.reload('file');
    const refused = await open('/v1/events/stream');
    expect([refused.status, (await refused.body()).code]).toEqual([401, 'token_required']);
    expect((await open('/v1/tap')).status).toBe(401);
    const reader = await open('/v1/events/stream', { authorization: `Bearer ${TOKEN}` });
    expect(await reader.first('hello')).toMatchObject({ service: 'shop', version: 2 });
  });

  test('ends when who may read is somebody else, so that all have to ask again', async () => {
    const reader = await open('/v1/events/stream');
    await reader.first('hello');
    halve('no matter');
    await reader.first('config');
    bench.writeConfig(configWith('service: checkout', 'service: shop'), 'readRole: viewer');
    await bench.control.reload('file');
    await reader.until(() => reader.isEnded);
    expect(reader.isComplete).toBe(true);
  });

  test('is 405 for what would change something', async () => {
    for (const path of ['/v1/events/stream', '/v1/tap', '/v1/stats', '/v1/config/history']) {
      const headers = { host: 'localhost', authorization: `Bearer ${TOKEN}` };
      const answer = await bench.app.inject({ method: 'POST', url: path, headers });
      expect([path, answer.statusCode, answer.headers.allow]).toEqual([path, 405, 'GET']);
    }
  });
});

describe('a tap', () => {
  const RECORD = { method: 'GET', route: 'api', status: 200 };

  test('asks for what is in the query, and shows what comes', async () => {
    const path = '/v1/tap?experiment=ranking&variant=candidate&route=api&outcome=failure&status=5xx&rate=25';
    const reader = await open(path);
    expect(bench.plane.taps.map(({ query }) => query)).toEqual([
      {
        experiment: 'ranking',
        variant: 'candidate',
        route: 'api',
        outcome: 'failure',
        status: { from: 500, to: 599 },
        rate: 25,
      },
    ]);
    bench.plane.taps[0]!.take(RECORD as never);
    expect(await reader.first('request')).toEqual(RECORD);
  });

  test('asks for everything, ten a second, unless something is said', async () => {
    await open('/v1/tap');
    const nothing = { experiment: null, variant: null, route: null, outcome: null, status: null };
    expect(bench.plane.taps.map(({ query }) => query)).toEqual([{ ...nothing, rate: 10 }]);
  });

  test('says how many it does not show', async () => {
    const reader = await open('/v1/tap');
    bench.plane.taps[0]!.dropped = 41;
    expect(await reader.first('dropped')).toEqual({ count: 41 });
  });

  test('ends with its reader', async () => {
    const reader = await open('/v1/tap');
    expect(bench.plane.taps).toHaveLength(1);
    reader.close();
    await expect.poll(() => bench.plane.taps.length).toBe(0);
  });

  test('there are eight at most', async () => {
    for (let i = 0; i < 8; i++) expect((await open('/v1/tap')).status).toBe(200);
    const refused = await open('/v1/tap');
    expect([refused.status, (await refused.body()).code]).toEqual([429, 'streams_exceeded']);
    expect((await open('/v1/events/stream')).status).toBe(200);
  });

  test.each([
    ['experiment=nothing', 404, 'There is no experiment "nothing".'],
    ['variant=nothing', 404, 'There is no variant "nothing".'],
    ['experiment=ranking&variant=nothing', 404, 'There is no variant "nothing".'],
    ['route=nothing', 404, 'There is no route "nothing".'],
    ['status=9xx', 400, 'status: expected 503 or 5xx'],
    ['rate=0', 400, 'rate: expected a whole number from 1 to 100'],
    ['rate=101', 400, 'rate: expected a whole number from 1 to 100'],
    ['rate=1.5', 400, 'rate: expected a whole number from 1 to 100'],
    ['outcome=good', 400, 'outcome: expected ok, failure, slow or ignored'],
    ['path=/a', 400, 'Unrecognized key: "path"'],
  ])('%s is refused, since it would show nothing for ever', async (query, status, detail) => {
    const answer = await get(`/v1/tap?${query}`);
    expect([answer.status, answer.body.detail]).toEqual([status, detail]);
    expect(bench.plane.taps).toEqual([]);
  });
});

describe('the histories', () => {
  test('of breakers: the newest first, of one experiment or of all', async () => {
    bench.moves.moved(MOVE);
    bench.moves.moved({ ...MOVE, breaker: 'api/search/candidate', reason: 'later' });
    const reasons = async (query: string) => {
      const { body } = await get(`/v1/breakers/history${query}`);
      return (body.transitions as { reason: string }[]).map(({ reason }) => reason);
    };
    expect(await reasons('')).toEqual(['later', '12 of 20 failed']);
    expect(await reasons('?experiment=ranking')).toEqual(['12 of 20 failed']);
    expect(await reasons('?experiment=nothing')).toEqual([]);
  });

  test('of the rules: the newest first', async () => {
    halve('looks good');
    const { body } = await get('/v1/config/history');
    expect(body.history).toMatchObject([
      { version: 2, by: 'operator:ann', reason: 'looks good', changes: [expect.stringContaining('ranking')] },
      { version: 1, by: 'file', reason: 'started', changes: [] },
    ]);
  });
});
