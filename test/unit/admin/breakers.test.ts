/** What people do to breakers by the admin API: for how long, and what is on record of it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AdminBench, newAdminBench, TOKEN } from '../../support/admin.ts';

let bench: AdminBench;
beforeEach(async () => {
  bench = await newAdminBench();
});
afterEach(() => bench.close());

const HOST = { host: '127.0.0.1:15100' };

const get = (url: string) => bench.app.inject({ url, headers: HOST });

const send = (url: string, payload?: object) =>
  bench.app.inject({
    method: 'POST',
    url,
    headers: { ...HOST, authorization: `Bearer ${TOKEN}`, 'x-fairlead-actor': 'alice@laptop' },
    ...(payload === undefined ? {} : { payload }),
  });

describe('breakers', () => {
  test('are tripped for a time and reset, with who and why', async () => {
    const name = 'api/ranking/candidate';
    const tripped = await send(`/v1/breakers/${name}:trip`, { for: '5m', reason: 'game day' });
    expect(tripped.json()).toMatchObject({ name, state: 'open' });
    await send(`/v1/breakers/${encodeURIComponent(name)}:reset`, { reason: 'done' });
    await send(`/v1/breakers/${name}:trip`);
    expect(bench.plane.calls).toEqual([
      ['force', name, 'open', 300_000, 'by token:alice@laptop: game day'],
      ['reset', name, 'by token:alice@laptop: done'],
      ['force', name, 'open', 60_000, 'by token:alice@laptop: no reason given'],
    ]);
    expect((await get('/v1/audit?limit=3')).json().audit[2]).toMatchObject({
      action: 'trip',
      target: name,
      actor: 'token:alice@laptop',
      before: 'closed',
      after: 'open, forced-open for 5m',
    });
  });

  test.each(['open', 'closed', 'observe'])('are forced %s for a time, with who and why', async (state) => {
    const name = 'api/ranking/candidate';
    const forced = await send(`/v1/breakers/${name}:force`, { state, for: '5m', reason: 'game day' });
    expect(forced.json()).toMatchObject({ name, mode: `forced-${state}` });
    expect(bench.plane.calls).toEqual([['force', name, state, 300_000, 'by token:alice@laptop: game day']]);
    expect((await get('/v1/audit?limit=1')).json().audit[0]).toMatchObject({
      action: 'force',
      actor: 'token:alice@laptop',
      reason: 'game day',
      before: 'closed',
      after: `${state === 'open' ? 'open' : 'closed'}, forced-${state} for 5m`,
    });
  });

  test.each([
    [{ state: 'open' }, 'for'],
    [{ state: 'closed', for: '25h' }, 'for'],
    [{ state: 'half-open', for: '5m' }, 'state'],
    [{ for: '5m' }, 'state'],
  ])('are not forced by %j, and the answer says where', async (body, path) => {
    const answer = await send('/v1/breakers/api/ranking/candidate:force', body);
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ path });
    expect(bench.plane.calls).toEqual([]);
  });

  test.each([{ for: '25h' }, { for: '0s' }, { for: 60 }, { for: 'soon' }])(
    'are not tripped by %j',
    async (body) => {
      expect((await send('/v1/breakers/api/ranking/candidate:trip', body)).statusCode).toBe(400);
      expect(bench.plane.calls).toEqual([]);
    },
  );

  test('are not forced without a time, and the answer says how to give one', async () => {
    const answer = await send('/v1/breakers/api/ranking/candidate:force', { state: 'open' });
    expect(answer.json().detail).toBe('for: is missing; say for how long, such as 10m');
  });

  test('that are not there are 404, with the name that was meant', async () => {
    const answer = await send('/v1/breakers/api/ranking/candidat:trip');
    expect(answer.json().detail).toBe(
      'There is no breaker "api/ranking/candidat"; did you mean "api/ranking/candidate"?',
    );

    expect((await send('/v1/breakers/api/ranking/other:trip')).statusCode).toBe(404);
    const force = { state: 'open', for: '1m' };
    expect((await send('/v1/breakers/api/ranking/other:force', force)).statusCode).toBe(404);
    expect((await send('/v1/breakers/api/ranking/candidate:explode')).statusCode).toBe(404);
  });
});
