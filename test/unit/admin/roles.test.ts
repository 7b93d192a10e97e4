import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FailedAttempts } from '../../../src/admin/failed-attempts.ts';
import { neededRole } from '../../../src/admin/roles.ts';
import { type AdminBench, configWith, newAdminBench, TOKEN } from '../../support/admin.ts';

const ROLES_CONFIG = configWith(
  'exposures: {',
  `protect: []
exposures: {`,
);

let bench: AdminBench;
beforeEach(async () => {
  bench = await newAdminBench();
});
afterEach(() => bench.close());

const HOST = { host: '127.0.0.1:15100' };
const REASON = { reason: 'because' };

/** Reloads with these lines in `admin`, beside the shared token. */
async function configure(...lines: string[]): Promise<void> {
  bench.writeConfig(ROLES_CONFIG, lines.join(', '));
  const { ok, issues } = await bench.control.reload('admin');
  expect(ok, JSON.stringify(issues)).toBe(true);
}

const TOKENS =
  'tokens: [{ name: vera, role: viewer, token: vera-secret }, { name: alice, role: operator, token: alice-old }, { name: alice, role: operator, token: alice-new }, { name: carol, role: admin, token: carol-secret }]';

function ask(method: 'GET' | 'POST' | 'DELETE', url: string, token: string | null, payload?: object) {
  const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
  return bench.app.inject({
    method,
    url,
    headers: { ...HOST, ...authorization },
    ...(payload === undefined ? {} : { payload }),
  });
}

const FAULT = { target: 'ranking/candidate', abort: { status: 503 }, for: '60s', reason: 'game day' };

describe('a token', () => {
  test('may do what its role may, and nothing more', async () => {
    await configure(TOKENS);
    const asked = async (token: string) => [
      (await ask('POST', '/v1/explain', token, { path: '/' })).statusCode,
      (await ask('POST', '/v1/experiments/ranking:pause', token, REASON)).statusCode,
      (await ask('POST', '/v1/breakers/api/ranking/candidate:reset', token, REASON)).statusCode,
      (await ask('POST', '/v1/faults', token, FAULT)).statusCode,
      (await ask('DELETE', '/v1/faults/f9', token, REASON)).statusCode,
      (await ask('POST', '/v1/reload', token, REASON)).statusCode,
    ];
    expect(await asked('vera-secret')).toEqual([200, 403, 403, 403, 403, 403]);
    expect(await asked('alice-new')).toEqual([200, 200, 200, 403, 404, 403]);
    expect(await asked('carol-secret')).toEqual([200, 200, 200, 201, 404, 200]);
    expect(await asked(TOKEN)).toEqual([200, 200, 200, 201, 404, 200]);
  });

  test('is named on record with its role, and so is what it may not do, but never itself', async () => {
    await configure(TOKENS);
    await ask('POST', '/v1/experiments/ranking:pause', 'alice-old', REASON);
    const refused = await ask('POST', '/v1/experiments/ranking:start', 'vera-secret', REASON);
    expect(refused.json()).toMatchObject({
      code: 'role_insufficient',
      detail: 'This needs the role operator, and the token has viewer.',
    });
    const { audit } = (await ask('GET', '/v1/audit', null)).json();
    expect(audit.slice(0, 2)).toMatchObject([
      { action: 'use-admin-api', actor: 'viewer:vera', result: 'refused', reason: 'needs the role operator' },
      { action: 'set-status', actor: 'operator:alice', result: 'done' },
    ]);
    expect(JSON.stringify([audit, bench.sentences])).not.toMatch(/secret|alice-old/);
    expect(await bench.metrics.render()).toContain('fairlead_admin_refusals_total{cause="role"} 1');
  });

  test('of an application may post events, and nothing else', async () => {
    const reporter = '{ name: shop, role: reporter, token: shop-secret }';
    await configure(TOKENS.replace('tokens: [', `tokens: [${reporter}, `), 'readRole: viewer');
    const posted = async (token: string) =>
      (await ask('POST', '/v1/events', token, { events: [{ experiment: 'a', metric: 'b', unit: 'c' }] }))
        .statusCode;
    // There is no such experiment; whoever may not post does not learn that.
    expect([await posted('shop-secret'), await posted('alice-new'), await posted('vera-secret')]).toEqual([
      422, 422, 403,
    ]);
    expect((await ask('GET', '/v1/config', 'shop-secret')).statusCode).toBe(403);
    expect((await ask('POST', '/v1/explain', 'shop-secret', { path: '/' })).statusCode).toBe(403);
    expect((await ask('POST', '/v1/experiments/ranking:kill', 'shop-secret', REASON)).statusCode).toBe(403);
  });

  test('of before and one of after are good at the same time, until the old one is taken away', async () => {
    await configure(TOKENS);
    for (const token of ['alice-old', 'alice-new'])
      expect((await ask('POST', '/v1/experiments/ranking:pause', token, REASON)).statusCode).toBe(200);
    await configure(TOKENS.replace('{ name: alice, role: operator, token: alice-old }, ', ''));
    expect((await ask('POST', '/v1/experiments/ranking:pause', 'alice-old', REASON)).statusCode).toBe(401);
    expect((await ask('POST', '/v1/experiments/ranking:pause', 'alice-new', REASON)).statusCode).toBe(200);
  });

  test('is needed to read where readRole says so, but for probes, metrics and flags', async () => {
    await configure(TOKENS, 'readRole: viewer');
    for (const url of ['/v1/config', '/v1/experiments', '/v1/audit', '/v1/approvals', '/clusters']) {
      expect((await ask('GET', url, null)).statusCode, url).toBe(401);
      expect((await ask('GET', url, 'vera-secret')).statusCode, url).toBe(200);
    }
    for (const url of ['/livez', '/readyz', '/metrics'])
      expect((await ask('GET', url, null)).statusCode, url).toBe(200);
    expect((await ask('POST', '/ofrep/v1/evaluate/flags', null, { context: {} })).statusCode).toBe(200);
  });

  test('that is wrong too often is not looked at for a while, and neither is a right one from there', async () => {
    await configure(TOKENS);
    for (let attempt = 0; attempt < 20; attempt++)
      expect((await ask('POST', '/v1/reload', 'guess')).statusCode).toBe(401);
    const refused = await ask('POST', '/v1/reload', 'carol-secret', REASON);
    expect([refused.statusCode, refused.json().code, refused.headers['retry-after']]).toEqual([
      429,
      'attempts_exceeded',
      '1',
    ]);
    // Reading is open, and stays so.
    expect((await ask('GET', '/v1/experiments', null)).statusCode).toBe(200);
  });

  test('is never shown', async () => {
    await configure(TOKENS);
    const shown = (await ask('GET', '/v1/config', null)).payload;
    expect(shown).toContain('"name":"alice"');
    expect(shown).not.toMatch(/vera-secret|alice-old|alice-new|carol-secret/);
  });
});

test('what is not in the table needs the highest role, and reading what it is told', () => {
  expect(neededRole('POST', '/v1/something-new', null)).toBe('admin');
  expect(neededRole('DELETE', '', null)).toBe('admin');
  expect(neededRole('GET', '/v1/something-new', 'operator')).toBe('operator');
  expect(neededRole('GET', '/v1/something-new', null)).toBeNull();
});

test('attempts come back one a second, each address has its own, and the oldest of many is forgotten', () => {
  const attempts = new FailedAttempts();
  for (let count = 0; count < 20; count++) attempts.failed('a', 0);
  expect(attempts.waitSeconds('a', 0)).toBe(1);
  expect(attempts.waitSeconds('b', 0)).toBe(0);
  expect(attempts.waitSeconds('a', 1000)).toBe(0);
  attempts.failed('a', 1000);
  expect(attempts.waitSeconds('a', 1000)).toBe(1);
  for (let count = 0; count < 1000; count++) attempts.failed(`other ${count}`, 1000);
  expect(attempts.waitSeconds('a', 1000)).toBe(0);
});
