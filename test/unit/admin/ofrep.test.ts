import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TokenSigner } from '../../../src/propagation/token-signer.ts';
import { type AdminBench, configWith, newAdminBench } from '../../support/admin.ts';
import { ALL, type Answered, CANDIDATE, CONTROL, configure, FLAG, post } from '../../support/ofrep.ts';

let bench: AdminBench;
/** No token is configured: nothing can be changed, and flags are still answered. */
beforeEach(async () => {
  bench = await newAdminBench(null);
});
afterEach(() => bench.close());

const ask = (context: object, url = FLAG) => post(bench, url, { context });

describe('a flag', () => {
  it('is answered without a token with the variant, the reason and the place of the unit', async () => {
    const { status, body } = await ask({ targetingKey: CANDIDATE });
    expect(status).toBe(200);
    expect(body).toEqual({
      key: 'ranking',
      value: 'candidate',
      variant: 'candidate',
      reason: 'SPLIT',
      metadata: {
        'fairlead.reason': 'split',
        'fairlead.slot': expect.any(Number),
        'fairlead.served': 'candidate',
        'fairlead.epoch': 1,
        'fairlead.config': bench.control.snapshot.hash,
      },
    });
  });

  it('has the payload of the variant for its value', async () => {
    bench.writeConfig(
      configWith(
        'control: {}\n      candidate: { weight: 10%, upstream: v2 }\n      other: { weight: 5%, upstream: v2 }',
        'control: { payload: { size: 10 } }\n      candidate: { weight: 10%, payload: { size: 20, tags: [new] } }',
      ),
    );
    await bench.control.reload('signal');
    expect((await ask({ targetingKey: CANDIDATE })).body).toMatchObject({
      variant: 'candidate',
      value: { size: 20, tags: ['new'] },
    });
    expect((await ask({ targetingKey: CONTROL })).body.value).toEqual({ size: 10 });
  });

  it.each([
    ['the header, as an attribute', { 'X-Experiment': 'ranking=other' }],
    ['the header, among the headers', { headers: { 'X-Experiment': ['checkout=control', 'ranking=other'] } }],
    ['the baggage', { headers: { baggage: 'a=b,fairlead.ranking=other' } }],
    [
      'the header, which goes before the baggage',
      { 'x-experiment': 'ranking=other', baggage: 'fairlead.ranking=control' },
    ],
  ])('is what the request carries by %s', async (_how, carried) => {
    const { body } = await ask({ targetingKey: CANDIDATE, ...carried });
    expect(body).toMatchObject({
      variant: 'other',
      reason: 'CACHED',
      metadata: { 'fairlead.reason': 'propagated' },
    });
  });

  it('is not what the request asks for by an override, which is for the listener to allow', async () => {
    const { body } = await ask({
      targetingKey: CONTROL,
      headers: { 'x-experiment-override': 'ranking=other' },
    });
    expect(body).toMatchObject({ variant: 'control', reason: 'SPLIT' });
  });

  it('is what is remembered of the request, if it brings its ids only', async () => {
    bench.writeConfig(configWith('exposures:', 'propagation: { join: on }\nexposures:'));
    await bench.control.reload('signal');
    const asked: string[][] = [];
    const remember = (text: string) =>
      Object.assign(bench.plane, {
        carried: (...ids: string[]) => {
          asked.push(ids);
          return Promise.resolve(text);
        },
      });
    remember('checkout=b, ranking=other');
    const answers = async (context: object) =>
      (await ask({ targetingKey: CANDIDATE, ...context })).body.variant;
    expect(await answers({ traceparent: '00-a-b-01', headers: { 'X-Request-Id': 'r-1' } })).toBe('other');
    expect(await answers({ 'x-request-id': 'r-2' })).toBe('other');
    expect(asked).toEqual([
      ['00-a-b-01', 'r-1'],
      ['', 'r-2'],
    ]);
    expect(await answers({})).toBe('candidate');
    expect(await answers({ traceparent: '00-a-b-01', 'x-experiment': 'ranking=control' })).toBe('control');
    expect(asked).toHaveLength(2);
    remember('');
    expect(await answers({ traceparent: '00-a-b-01' })).toBe('candidate');
  });

  it('is that of traffic that is kept out of experiments, for a health check', async () => {
    const { body } = await ask({ targetingKey: CANDIDATE, headers: { 'user-agent': 'kube-probe/1.31' } });
    expect([body.variant, body.reason, body.metadata?.['fairlead.reason']]).toEqual([
      'control',
      'DEFAULT',
      'excluded',
    ]);
  });

  it('is that of whatever the configuration excludes: a bot, a path of health checks, synthetic traffic', async () => {
    const classify =
      'classify: { bots: { known: true }, healthChecks: { paths: [/healthz] }, synthetic: { header: x-synthetic } }\n';
    bench.writeConfig(configWith('exposures:', `${classify}exposures:`));
    expect(await bench.control.reload('signal')).toMatchObject({ ok: true });
    const reasonOf = async (context: object) =>
      (await ask({ targetingKey: CANDIDATE, ...context })).body.metadata?.['fairlead.reason'];
    expect(await reasonOf({ headers: { 'user-agent': 'Googlebot/2.1' } })).toBe('excluded');
    expect(await reasonOf({ path: '/healthz' })).toBe('excluded');
    expect(await reasonOf({ headers: { 'x-synthetic': '1' } })).toBe('excluded');
    expect(await reasonOf({ headers: { 'user-agent': 'Mozilla/5.0' }, path: '/cart' })).toBe('split');
  });

  describe('with a signed token', () => {
    const USER = { 'x-user-id': 'anna' };
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-ofrep-'));
    afterAll(() => rmSync(folder, { recursive: true }));
    /** A token that says that anna has the variant `other`, as a sidecar would sign it now. */
    async function tokenOf(unit: string, agoMs = 0): Promise<string> {
      const keys = join(folder, 'key');
      writeFileSync(keys, 'token-secret-0123456789-0123456789-0123456789');
      const tokens = `tokens: { keys: [{ id: t1, secretFile: ${keys} }], ttl: 10m }\n`;
      bench.writeConfig(configWith('exposures:', `${tokens}exposures:`));
      expect(await bench.control.reload('signal')).toMatchObject({ ok: true });
      const assignment = { experiment: 'ranking', variant: 'other', epoch: 1, unit };
      return new TokenSigner(bench.control.snapshot.tokens!).sign([assignment], 1_700_000_000_000 - agoMs)!;
    }
    const answerTo = async (headers: object) => {
      const { body } = await ask({ headers });
      return [body.variant, body.metadata?.['fairlead.reason']];
    };

    it('is what the token vouches for, where no field says it', async () => {
      const token = await tokenOf('anna');
      expect(await answerTo({ ...USER, 'x-experiment-token': token })).toEqual(['other', 'propagated']);
      const both = { ...USER, 'x-experiment-token': token, 'x-experiment': 'ranking=candidate' };
      expect(await answerTo(both)).toEqual(['candidate', 'propagated']);
    });

    it('is not what a token says that is of somebody else, too old or forged', async () => {
      const token = await tokenOf('anna');
      const own = await answerTo(USER);
      expect(own[1]).toBe('split');
      expect(await answerTo({ 'x-user-id': 'bob', 'x-experiment-token': token })).toEqual(
        await answerTo({ 'x-user-id': 'bob' }),
      );
      const forged = `${token.slice(0, -4)}AAAA`;
      expect(await answerTo({ ...USER, 'x-experiment-token': forged })).toEqual(own);
      const old = await tokenOf('anna', 3_600_000);
      expect(await answerTo({ ...USER, 'x-experiment-token': old })).toEqual(own);
    });
  });

  it('says DEFAULT for who takes no part, and DISABLED or STATIC where nobody is asked', async () => {
    const reasonWith = async (...lines: string[]) => {
      await configure(bench, ...lines);
      const { body } = await ask({ targetingKey: CANDIDATE });
      return [body.variant, body.reason, body.metadata?.['fairlead.reason']];
    };
    expect(await reasonWith('traffic: 0%')).toEqual(['control', 'DEFAULT', 'not-enrolled']);
    expect(await reasonWith('targeting: [{ header: x-beta, exists: true }]')).toEqual([
      'control',
      'DEFAULT',
      'not-targeted',
    ]);
    expect(await reasonWith('status: paused')).toEqual(['control', 'DISABLED', 'off']);
    expect(await reasonWith('status: killed')).toEqual(['control', 'DISABLED', 'killed']);
    expect(await reasonWith('status: concluded', 'winner: other')).toEqual(['other', 'STATIC', 'concluded']);
    expect(await reasonWith('endsAt: "2023-01-01T00:00:00Z"')).toEqual(['control', 'STATIC', 'ended']);
    expect(await reasonWith('startsAt: "2024-01-01T00:00:00Z"')).toEqual([
      'control',
      'DISABLED',
      'not-started',
    ]);
  });

  it('is decided after the experiments that it requires', async () => {
    bench.writeConfig(
      configWith(
        'experiments:\n  ranking:\n',
        'experiments:\n  canary: { salt: c, variants: { control: {}, on: { weight: 50% } } }\n  ranking:\n    requires: [{ experiment: canary, variant: "on" }]\n',
      ),
    );
    expect(await bench.control.reload('signal')).toMatchObject({ ok: true });
    const given = async (variant: string) =>
      (await ask({ targetingKey: CANDIDATE, 'x-experiment': `canary=${variant}` })).body;
    expect(await given('on')).toMatchObject({ variant: 'candidate', reason: 'SPLIT' });
    expect(await given('control')).toMatchObject({ variant: 'control', reason: 'DEFAULT' });
  });

  it('is the assigned variant while a breaker is open, and names the served one beside it', async () => {
    bench.plane.force('api/ranking/candidate', 'open', 1000, 'a test');
    expect((await ask({ targetingKey: CANDIDATE })).body).toMatchObject({
      variant: 'candidate',
      metadata: { 'fairlead.served': 'control', 'fairlead.openBreakers': 1 },
    });
    expect((await ask({ targetingKey: CONTROL })).body.metadata).toMatchObject({
      'fairlead.served': 'control',
    });
    expect((await ask({ targetingKey: CONTROL })).body.metadata).not.toHaveProperty('fairlead.openBreakers');
  });

  it('is served as assigned where another route of the experiment is well', async () => {
    bench.writeConfig(
      configWith(
        'routes:\n',
        'routes:\n  - { name: other, match: { path: /other/* }, upstream: v1, experiments: [ranking] }\n',
      ),
    );
    await bench.control.reload('signal');
    bench.plane.force('api/ranking/candidate', 'open', 1000, 'a test');
    expect((await ask({ targetingKey: CANDIDATE })).body.metadata).toMatchObject({
      'fairlead.served': 'candidate',
      'fairlead.openBreakers': 1,
    });
  });
});

describe('all flags', () => {
  const flags = (answered: Answered) =>
    answered.body.flags!.map(({ key, variant, errorCode }) => [key, variant ?? errorCode]);

  beforeEach(async () => {
    bench.writeConfig(
      configWith(
        'experiments:\n',
        'experiments:\n  off: { status: paused, variants: { control: {}, on: { weight: 50% } } }\n',
      ),
    );
    await bench.control.reload('signal');
  });

  it('are answered in the order of the config, each for itself', async () => {
    expect(flags(await ask({ targetingKey: CANDIDATE }, ALL))).toEqual([
      ['off', 'control'],
      ['ranking', 'candidate'],
    ]);
    expect(flags(await ask({}, ALL))).toEqual([
      ['off', 'control'],
      ['ranking', 'TARGETING_KEY_MISSING'],
    ]);
  });

  it('are not sent again while nothing has changed for the context', async () => {
    const body = { context: { targetingKey: CANDIDATE } };
    const first = await post(bench, ALL, body);
    const again = await post(bench, ALL, body, { 'if-none-match': first.etag });
    expect([again.status, again.body, again.etag]).toEqual([304, {}, first.etag]);
    expect((await post(bench, ALL, body, { 'if-none-match': `"x", W/${first.etag}` })).status).toBe(304);
    const other = await post(
      bench,
      ALL,
      { context: { targetingKey: CONTROL } },
      { 'if-none-match': first.etag },
    );
    expect(other.status).toBe(200);
    bench.plane.force('api/ranking/candidate', 'open', 1000, 'a test');
    expect((await post(bench, ALL, body, { 'if-none-match': first.etag })).status).toBe(200);
  });
});

describe('what cannot be answered', () => {
  it('is told in the words of OpenFeature, and never repeats a value', async () => {
    const told = async (url: string, payload: object | string) => {
      const { status, body } = await post(bench, url, payload);
      expect(body.errorDetails).toEqual(expect.any(String));
      expect(JSON.stringify(body)).not.toContain('secret');
      return [status, body.key, body.errorCode];
    };
    expect(await told(`${ALL}/rankin`, {})).toEqual([404, 'rankin', 'FLAG_NOT_FOUND']);
    expect(await told(`${ALL}/a/b`, {})).toEqual([404, 'a/b', 'FLAG_NOT_FOUND']);
    expect(await told(FLAG, '{"context": secret')).toEqual([400, 'ranking', 'PARSE_ERROR']);
    expect(await told(FLAG, '["secret"]')).toEqual([400, 'ranking', 'PARSE_ERROR']);
    expect(await told(FLAG, '{"context": {"__proto__": {"targetingKey": "secret"}}}')).toEqual([
      400,
      'ranking',
      'PARSE_ERROR',
    ]);
    expect(await told(ALL, 'secret')).toEqual([400, undefined, 'PARSE_ERROR']);
    expect(await told(FLAG, { context: 'secret' })).toEqual([400, 'ranking', 'INVALID_CONTEXT']);
    expect(await told(FLAG, { context: { targetingKey: 5 } })).toEqual([400, 'ranking', 'INVALID_CONTEXT']);
    expect(await told(FLAG, { context: { headers: ['secret'] } })).toEqual([
      400,
      'ranking',
      'INVALID_CONTEXT',
    ]);
    expect(await told(FLAG, { context: { headers: { a: { b: 'secret' } } } })).toEqual([
      400,
      'ranking',
      'INVALID_CONTEXT',
    ]);
    expect(await told(ALL, { context: { cookies: { sid: null } } })).toEqual([
      400,
      undefined,
      'INVALID_CONTEXT',
    ]);
  });

  it('is also what no client of this protocol asks', async () => {
    const get = await bench.app.inject({ method: 'GET', url: FLAG, headers: { host: 'localhost' } });
    expect([get.statusCode, get.headers.allow]).toEqual([405, 'POST']);
    expect((await post(bench, FLAG, { context: { a: 'x'.repeat(64 * 1024) } })).status).toBe(413);
    expect(
      (await post(bench, FLAG, 'a=b', { 'content-type': 'application/x-www-form-urlencoded' })).status,
    ).toBe(415);
    expect((await post(bench, FLAG, {}, { host: 'evil.example' })).status).toBe(403);
    expect((await post(bench, FLAG, {}, { origin: 'https://evil.example' })).status).toBe(403);
  });
});

it('evaluations and errors are counted by reason and code, and no request is', async () => {
  await ask({ targetingKey: CANDIDATE });
  await ask({ targetingKey: CANDIDATE, 'x-experiment': 'ranking=other' });
  await ask({});
  const { body } = await bench.app.inject({ url: '/metrics', headers: { host: 'localhost' } });
  const lines = body.split('\n').filter((line) => /^fairlead_(flag_|assignments)/.test(line));
  expect(lines).toEqual([
    'fairlead_flag_evaluations_total{experiment="ranking",variant="candidate",reason="split"} 1',
    'fairlead_flag_evaluations_total{experiment="ranking",variant="other",reason="propagated"} 1',
    'fairlead_flag_evaluation_errors_total{code="TARGETING_KEY_MISSING"} 1',
  ]);
});

it('a question is no change, whose answer would wait until all workers have it', async () => {
  const waited: string[] = [];
  const note = (what: string) => async () => void waited.push(what);
  Object.assign(bench.plane, { settled: note('settled'), refresh: note('refresh') });
  expect((await ask({ targetingKey: CANDIDATE })).status).toBe(200);
  expect((await ask({ targetingKey: CANDIDATE }, ALL)).status).toBe(200);
  expect(waited).toEqual([]);
});
