/** `POST /v1/explain`: the decision of now for a described request, for whoever has the token. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Explanation } from '../../../src/cli/explain-request.ts';
import { type AdminBench, newAdminBench, TOKEN } from '../../support/admin.ts';

let bench: AdminBench;
beforeEach(async () => {
  bench = await newAdminBench();
});
afterEach(() => bench.close());

const BODY = { headers: { 'x-experiment-override': 'ranking=candidate', 'x-user-id': 'ann' } };

function ask(payload: object, headers: object = { authorization: `Bearer ${TOKEN}` }) {
  return bench.app.inject({
    method: 'POST',
    url: '/v1/explain',
    payload,
    headers: { host: 'localhost', ...headers },
  });
}

test('it is decided with the rules and the breakers of now', async () => {
  const before = (await ask(BODY)).json<Explanation>();
  expect(before.experiments[0]).toMatchObject({
    assigned: 'candidate',
    served: 'candidate',
    breaker: 'not open',
  });
  expect(before.upstream?.name).toBe('v2');
  bench.plane.breaker = { name: 'api/ranking/candidate', state: 'open', mode: 'enforce', reason: 'by hand' };
  const open = (await ask(BODY)).json<Explanation>();
  expect(open.experiments[0]).toMatchObject({ served: 'control', breaker: 'open, so control serves' });
  expect(open.upstream?.name).toBe('v1');
  bench.control.change({ kind: 'set-status', experiment: 'ranking', status: 'killed', reason: 'r' }, 'ann');
  expect((await ask(BODY)).json<Explanation>().experiments[0]).toMatchObject({ reason: 'killed' });
});

test('the unit is hashed unless it is asked for', async () => {
  expect((await ask(BODY)).body).not.toContain('ann');
  const shown = (await ask({ ...BODY, showUnit: true })).json<Explanation>();
  expect(shown.experiments[0]?.unit).toMatchObject({ source: 'header x-user-id', value: 'ann' });
});

test('without the token nothing is said, and a mistake has a place', async () => {
  expect((await ask(BODY, {})).statusCode).toBe(401);
  const answer = await ask({ headers: { 'X-A': 'b' } });
  expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([400, 'request_invalid']);
  for (const [path, value] of [
    ['method', 'G ET'],
    ['clientAddress', '300.1.1.1'],
  ] as const)
    expect((await ask({ [path]: value })).json()).toMatchObject({ code: 'request_invalid', path });
  expect((await ask({ listener: 'nowhere' })).json()).toMatchObject({
    code: 'request_invalid',
    path: 'listener',
  });
});
