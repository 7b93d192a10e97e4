import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AdminBench, configWith, newAdminBench, TOKEN } from '../../support/admin.ts';

const PROTECTED = configWith('exposures: {', 'protect: [api]\nexposures: {').replace(
  'owner: search-team',
  'owner: search-team\n    allowProtected: { approvedBy: carol, reason: planned }',
);
const TOKENS =
  'tokens: [{ name: alice, role: operator, token: alice-1 }, { name: alice, role: operator, token: alice-2 }, { name: bob, role: operator, token: bob-1 }, { name: vera, role: viewer, token: vera-1 }]';

let bench: AdminBench;
beforeEach(async () => {
  bench = await newAdminBench();
  bench.writeConfig(PROTECTED, TOKENS);
  const { ok, issues } = await bench.control.reload('admin');
  expect(ok, JSON.stringify(issues)).toBe(true);
});
afterEach(() => bench.close());

function send(token: string, url: string, payload: object = { reason: 'because' }) {
  const headers = { host: '127.0.0.1:15100', authorization: `Bearer ${token}` };
  return bench.app.inject({ method: 'POST', url, headers, payload });
}

const get = async (url: string) =>
  (await bench.app.inject({ url, headers: { host: '127.0.0.1:15100' } })).json();
const audit = async () => (await get('/v1/audit')).audit as { action: string; actor: string }[];
const status = () => bench.control.snapshot.experiments.get('ranking')?.status;
const weight = () => bench.control.snapshot.experiments.get('ranking')?.variants[1]?.weightPpm;
const MORE = { weights: { candidate: '25%' }, reason: 'looks good' };

async function ask(token = 'alice-1') {
  const answer = await send(token, '/v1/experiments/ranking/weights', MORE);
  expect(answer.statusCode).toBe(202);
  return answer.json().approval as { id: string; digest: string };
}

const approve = (token: string, { id, digest }: { id: string; digest: string }) =>
  send(token, `/v1/approvals/${id}:approve`, { digest, reason: 'agreed' });

describe('a change on a protected route', () => {
  test('is done when somebody else approves it, and both are on record', async () => {
    const asked = await ask();
    expect(weight()).toBe(100_000);
    expect((await get('/v1/approvals')).approvals).toMatchObject([
      {
        id: 'a1',
        action: 'set-weights',
        target: 'ranking',
        reason: 'looks good',
        before: 'running, control 85%, candidate 10%, other 5%',
        after: 'running, control 70%, candidate 25%, other 5%',
        askedBy: 'operator:alice',
        expiresAt: '2023-11-14T22:28:20.000Z',
      },
    ]);
    expect((await approve('bob-1', asked)).statusCode).toBe(200);
    expect(weight()).toBe(250_000);
    expect((await get('/v1/approvals')).approvals).toEqual([]);
    expect((await audit()).slice(0, 3)).toMatchObject([
      { action: 'set-weights', actor: 'operator:alice, approved by operator:bob', reason: 'looks good' },
      { action: 'approve', actor: 'operator:bob', target: 'set-weights ranking (a1)', reason: 'agreed' },
      { action: 'ask-approval', actor: 'operator:alice', target: 'set-weights ranking (a1)' },
    ]);
  });

  test('is not approved by who asked, with any of their tokens, nor by a viewer', async () => {
    const asked = await ask();
    for (const token of ['alice-1', 'alice-2'])
      expect((await approve(token, asked)).json()).toMatchObject({
        status: 403,
        code: 'second_person_needed',
        detail: 'alice asked for it; somebody else has to approve it.',
      });
    expect((await approve('vera-1', asked)).json().code).toBe('role_insufficient');
    expect(weight()).toBe(100_000);
    expect((await audit())[1]).toMatchObject({
      action: 'approve',
      actor: 'operator:alice',
      result: 'refused',
    });
    // All who share the one token are one person.
    const shared = await ask(TOKEN);
    expect((await approve(TOKEN, shared)).statusCode).toBe(403);
    expect((await approve('alice-1', shared)).statusCode).toBe(200);
  });

  test('is not done when what was asked for is no longer what would be done', async () => {
    const asked = await ask();
    const other = (await send('bob-1', '/v1/experiments/ranking:pause')).json().approval;
    expect((await approve('alice-1', other)).statusCode).toBe(200);
    expect((await approve('bob-1', asked)).json().code).toBe('approval_outdated');
    expect([status(), weight()]).toEqual(['paused', 100_000]);
    expect((await get('/v1/approvals')).approvals).toEqual([]);
  });

  test('is approved for what the digest says, and for nothing else', async () => {
    const asked = await ask();
    const wrong = await approve('bob-1', { ...asked, digest: '0123456789abcdef' });
    expect([wrong.statusCode, wrong.json().code]).toEqual([409, 'approval_outdated']);
    expect((await approve('bob-1', asked)).statusCode).toBe(200);
    expect((await approve('bob-1', asked)).statusCode).toBe(404);
  });

  test('waits for a quarter of an hour, and not longer', async () => {
    const asked = await ask();
    bench.advance(15 * 60_000 - 1);
    expect((await get('/v1/approvals')).approvals).toHaveLength(1);
    bench.advance(1);
    expect((await approve('bob-1', asked)).statusCode).toBe(404);
    expect((await audit())[0]).toMatchObject({
      action: 'expire-approval',
      target: 'set-weights ranking (a1)',
    });
  });

  test('may be cancelled, asked for twice and waits but once', async () => {
    const asked = await ask();
    expect((await ask()).id).toBe(asked.id);
    expect((await send('bob-1', `/v1/approvals/${asked.id}:cancel`)).json().cancelled.id).toBe(asked.id);
    expect((await get('/v1/approvals')).approvals).toEqual([]);
    expect((await get(`/v1/approvals/${asked.id}`)).code).toBe('not_found');
  });

  test('that is not valid is refused at once', async () => {
    const refused = await send('alice-1', '/v1/experiments/ranking/weights', {
      weights: { candidate: '99%', other: '50%' },
    });
    expect([refused.statusCode, refused.json().code]).toEqual([422, 'change_invalid']);
  });

  test('is done at once when it is a kill', async () => {
    expect((await send('alice-1', '/v1/experiments/ranking:kill')).statusCode).toBe(200);
    expect(status()).toBe('killed');
    // To start it again is not.
    expect((await send('alice-1', '/v1/experiments/ranking:start')).statusCode).toBe(202);
    expect(status()).toBe('killed');
  });

  test('waits with a hundred others at most', async () => {
    for (let count = 1; count <= 100; count++)
      expect(
        (await send('alice-1', '/v1/experiments/ranking:pause', { reason: `r${count}` })).statusCode,
      ).toBe(202);
    const refused = await send('alice-1', '/v1/experiments/ranking:pause', { reason: 'one more' });
    expect(refused.json().detail).toBe('100 changes wait for approval already.');
  });
});

test('with one shared token nobody can be told apart, and a change on a protected route is done at once', async () => {
  bench.writeConfig(PROTECTED);
  await bench.control.reload('admin');
  expect((await send(TOKEN, '/v1/experiments/ranking/weights', MORE)).statusCode).toBe(200);
});
