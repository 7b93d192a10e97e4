import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listen } from '../../../src/admin/server.ts';
import { type InjectOptions, injectCommand } from '../../../src/cli/inject.ts';
import { CliError, type Io } from '../../../src/cli/io.ts';
import { type AdminBench, configWith, newAdminBench, TOKEN } from '../../support/admin.ts';

let bench: AdminBench;
beforeEach(async () => {
  bench = await newAdminBench();
});
afterEach(() => bench.close());

const HEADERS = { host: 'localhost', authorization: `Bearer ${TOKEN}`, 'x-fairlead-actor': 'alice' };

const send = (method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) =>
  bench.app.inject({ method, url, headers: HEADERS, ...(payload === undefined ? {} : { payload }) });
const inject = (body: object) => send('POST', '/v1/faults', body);
const audit = async () => (await send('GET', '/v1/audit')).json().audit as Record<string, string>[];

const FAULT = {
  target: 'api/ranking/candidate',
  abort: { status: 503, rate: '50%' },
  for: '60s',
  reason: 'game day',
};

describe('POST /v1/faults', () => {
  test('puts a fault in force, lists it, and puts it on the audit', async () => {
    const answer = await inject(FAULT);
    expect(answer.statusCode).toBe(201);
    const fault = {
      ...{ id: 'f1', source: 'admin', route: 'api', experiment: 'ranking', variant: 'candidate' },
      ...{ delay: null, abort: { status: 503, rate: '50%' }, reset: null, when: null },
      ...{ startedAt: '2023-11-14T22:13:20.000Z', endsAt: '2023-11-14T22:14:20.000Z', left: '1m' },
      ...{ reason: 'game day', actor: 'token:alice' },
    };
    expect(answer.json()).toEqual(fault);
    expect((await send('GET', '/v1/faults')).json()).toEqual({ faults: [fault] });
    expect(bench.plane.calls).toMatchObject([
      ['inject', [{ route: 'api', experiment: 'ranking', variant: 'candidate', untilMs: 60_000 }]],
    ]);
    expect((await audit())[0]).toMatchObject({
      action: 'inject',
      target: 'api/ranking/candidate (f1)',
      actor: 'token:alice',
      reason: 'game day',
      result: 'done',
    });
  });

  test('takes a whole route, a variant everywhere, and an end as a point in time', async () => {
    const { for: _, ...open } = FAULT;
    expect((await inject({ ...FAULT, target: 'api' })).json()).toMatchObject({
      ...{ route: 'api', experiment: null, variant: null },
    });
    expect((await inject({ ...FAULT, target: 'ranking/other' })).json()).toMatchObject({
      ...{ route: null, experiment: 'ranking', variant: 'other' },
    });
    const until = await inject({ ...open, until: '2023-11-14T22:15:20Z' });
    expect(until.json()).toMatchObject({ endsAt: '2023-11-14T22:15:20.000Z' });
  });

  test.each([
    ['without an end', { for: undefined }, 'Say when it ends: either for or until.'],
    ['with two ends', { until: '2023-11-14T22:15:20Z' }, 'Say when it ends: either for or until.'],
    ['with an end that was', { for: undefined, until: '2023-11-14T22:00:00Z' }, 'It must end after now'],
    ['for a route that is not there', { target: 'apo' }, 'There is no route "apo"; did you mean "api"?'],
    ['for no experiment', { target: 'rankin/other' }, 'There is no experiment "rankin"'],
    ['for no variant', { target: 'api/ranking/b' }, 'There is no variant "b"'],
    ['for too many names', { target: 'a/b/c/d' }, '"a/b/c/d" has more than three names.'],
  ])('refuses one %s, and says so on the audit', async (_, changes, detail) => {
    const answer = await inject({ ...FAULT, ...changes });
    expect(answer.statusCode).toBe(422);
    expect(answer.json().detail).toContain(detail);
    expect(bench.plane.calls).toEqual([]);
    expect((await audit())[0]).toMatchObject({ action: 'inject', result: 'refused' });
  });

  test.each([
    ['does nothing', { abort: undefined }],
    ['lasts longer than a day', { for: '25h' }],
    ['answers 200', { abort: { status: 200 } }],
    ['has another key', { until_: 1 }],
  ])('refuses a body that %s', async (_, changes) => {
    expect((await inject({ ...FAULT, ...changes })).statusCode).toBe(400);
    expect(bench.plane.calls).toEqual([]);
  });

  test('needs the token', async () => {
    const { authorization: _, ...headers } = HEADERS;
    const answer = await bench.app.inject({ method: 'POST', url: '/v1/faults', headers, payload: FAULT });
    expect(answer.statusCode).toBe(401);
  });
});

describe('DELETE /v1/faults/ID', () => {
  test('ends a fault, and 404 the second time', async () => {
    await inject(FAULT);
    expect((await send('DELETE', '/v1/faults/f1', { reason: 'seen enough' })).json()).toEqual({
      ended: 'f1',
    });
    expect(bench.plane.calls.at(-1)).toEqual(['inject', []]);
    expect((await audit())[0]).toMatchObject({ action: 'end-fault', reason: 'seen enough' });
    expect((await send('DELETE', '/v1/faults/f1')).statusCode).toBe(404);
    expect((await send('GET', '/v1/faults/f1')).statusCode).toBe(405);
  });
});

test('GET /v1/faults shows those of the config, which have no id to end them by', async () => {
  bench.writeConfig(
    configWith(
      'experiments: [ranking] }',
      'experiments: [ranking], fault: { delay: { duration: 300ms }, until: "2023-11-14T22:00:00Z" } }',
    ),
  );
  await bench.control.reload('file');
  expect((await send('GET', '/v1/faults')).json().faults).toMatchObject([
    { id: null, source: 'config', route: 'api', delay: { duration: '300ms', rate: '100%' }, isOver: true },
  ]);
});

describe('fairlead inject', () => {
  const io = (): Io & { outText: string; errText: string } => ({
    env: { FAIRLEAD_ADMIN__TOKEN: TOKEN },
    isTerminal: false,
    outText: '',
    errText: '',
    out(text) {
      this.outText += text;
    },
    err(text) {
      this.errText += text;
    },
  });
  const run = async (options: Partial<InjectOptions>) => {
    const port = bench.app.server.listening
      ? (bench.app.server.address() as { port: number }).port
      : await listen(bench.app, { kind: 'tcp', host: '127.0.0.1', port: 0 });
    const said = io();
    const common = { target: null, jitter: '0', rate: '100%', reason: 'game day', output: 'text' } as const;
    const code = await injectCommand({ ...common, admin: `http://127.0.0.1:${port}`, ...options }, said);
    return { code, out: said.outText, err: said.errText };
  };

  test('makes, lists and ends faults', async () => {
    const made = await run({
      target: 'ranking/candidate',
      delay: '300ms',
      jitter: '100ms',
      reset: true,
      rate: '20',
      header: 'x-game-day=1',
      for: '60s',
    });
    const line =
      'f1  ranking/candidate  delay 300ms +-100ms (20%), reset (20%), when x-game-day=1  until 2023-11-14T22:14:20.000Z  (game day)\n';
    expect(made).toMatchObject({ code: 0, out: line });
    await run({ target: 'api', abort: 503, for: '60s' });
    expect((await run({ list: true })).out).toContain(line);
    expect((await run({ end: 'f1' })).err).toBe('ended f1\n');
    expect((await run({ end: 'all' })).err).toBe('ended f2\n');
    expect((await run({ list: true })).err).toBe('no fault is in force\n');
  });

  test('makes none without an end, or when it is not clear what is wanted', async () => {
    await expect(run({ target: 'api', abort: 503 })).rejects.toThrow('say when it ends');
    await expect(run({})).rejects.toThrow(CliError);
    await expect(run({ target: 'api', list: true })).rejects.toThrow(CliError);
    expect(bench.plane.calls).toEqual([]);
  });
});
