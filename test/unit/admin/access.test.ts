import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AdminBench, newAdminBench, TOKEN } from '../../support/admin.ts';

let bench: AdminBench;
beforeAll(async () => {
  bench = await newAdminBench();
});
afterAll(() => bench.close());

const KILL = { method: 'POST', url: '/v1/experiments/ranking:kill' } as const;
const status = () => bench.control.snapshot.experiments.get('ranking')?.status;

describe('a change', () => {
  test.each([
    ['no token', undefined],
    ['another token', 'Bearer wrong'],
    ['a token that begins like it', `Bearer ${TOKEN.slice(0, -1)}`],
    ['a token that goes on', `Bearer ${TOKEN}x`],
    ['another scheme', `Basic ${TOKEN}`],
    ['an empty token', 'Bearer '],
  ])('with %s is refused and changes nothing', async (_name, authorization) => {
    const headers = { host: 'localhost', ...(authorization === undefined ? {} : { authorization }) };
    const answer = await bench.app.inject({ ...KILL, headers });
    expect(answer.statusCode).toBe(401);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="fairlead"');
    expect(answer.json()).toMatchObject({ code: 'token_required', status: 401 });
    expect(answer.body).not.toContain(TOKEN);
    expect(status()).toBe('running');
  });

  test('is refused before its body is read', async () => {
    const payload = '{"broken';
    const headers = { host: 'localhost', 'content-type': 'application/json' };
    expect((await bench.app.inject({ ...KILL, headers, payload })).json()).toMatchObject({
      code: 'token_required',
    });
  });

  test('is refused altogether when no token is configured', async () => {
    const open = await newAdminBench(null);
    for (const authorization of ['Bearer ', 'Bearer null', 'Bearer undefined']) {
      const answer = await open.app.inject({ ...KILL, headers: { host: 'localhost', authorization } });
      expect(answer.statusCode).toBe(403);
      expect(answer.json()).toMatchObject({ code: 'writes_disabled' });
    }
    expect(
      (await open.app.inject({ url: '/v1/experiments', headers: { host: 'localhost' } })).statusCode,
    ).toBe(200);
    await open.close();
  });
});

describe('the Host', () => {
  test.each([
    'localhost',
    'localhost:15100',
    'LOCALHOST:1',
    'fairlead.localhost',
    '127.0.0.1:15100',
    '10.1.2.3',
    '[::1]:15100',
    '[::1]',
  ])('%s is taken', async (host) => {
    expect((await bench.app.inject({ url: '/v1/config', headers: { host } })).statusCode).toBe(200);
  });

  test.each([
    'evil.example',
    'evil.example:15100',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'notlocalhost',
    '[evil]:1',
  ])('%s is refused, whatever is asked', async (host) => {
    const authorization = `Bearer ${TOKEN}`;
    for (const question of [
      KILL,
      { method: 'GET', url: '/v1/config' } as const,
      { method: 'GET', url: '/metrics' } as const,
    ]) {
      const answer = await bench.app.inject({ ...question, headers: { host, authorization } });
      expect(answer.statusCode).toBe(403);
      expect(answer.json()).toMatchObject({ code: 'host_forbidden' });
    }
    expect(status()).toBe('running');
  });
});

describe('the Origin', () => {
  test.each(['http://evil.example', 'null', 'http://localhost:3000', 'http://127.0.0.1:15100.evil.example'])(
    '%s is refused',
    async (origin) => {
      const headers = { host: '127.0.0.1:15100', origin, authorization: `Bearer ${TOKEN}` };
      expect((await bench.app.inject({ ...KILL, headers })).json()).toMatchObject({
        code: 'origin_forbidden',
      });
      expect((await bench.app.inject({ url: '/v1/config', headers })).statusCode).toBe(403);
    },
  );

  test('that is our own is taken', async () => {
    const headers = { host: '127.0.0.1:15100', origin: 'http://127.0.0.1:15100' };
    expect((await bench.app.inject({ url: '/v1/config', headers })).statusCode).toBe(200);
  });

  test('that a browser leaves out of a cross-site GET is seen by Sec-Fetch-Site', async () => {
    const headers = { host: '127.0.0.1:15100', 'sec-fetch-site': 'cross-site' };
    expect((await bench.app.inject({ url: '/v1/config', headers })).statusCode).toBe(403);
  });
});
