import { afterEach, beforeEach, expect, test } from 'vitest';
import { type AdminBench, newAdminBench, TOKEN } from '../../support/admin.ts';

let bench: AdminBench;
beforeEach(async () => {
  bench = await newAdminBench();
  bench.plane.upstreams = () => [
    {
      name: 'v1',
      endpoints: ['127.0.0.1:9001', 'unix:/run/app.sock'].map((id) => ({ id, active: 0, idle: 0 })),
    },
  ];
});
afterEach(() => bench.close());

function post(url: string, payload: object = { reason: 'new kernel' }) {
  const headers = { host: '127.0.0.1:15100', authorization: `Bearer ${TOKEN}`, 'x-fairlead-actor': 'alice' };
  return bench.app.inject({ method: 'POST', url, headers, payload });
}

const audit = async () =>
  (await bench.app.inject({ url: '/v1/audit', headers: { host: '127.0.0.1:15100' } })).json().audit[0];

test('an endpoint is taken out and let back in, with who and why on record', async () => {
  const out = await post('/v1/upstreams/v1/endpoints/127.0.0.1:9001:drain');
  expect([out.statusCode, out.json()]).toEqual([
    200,
    { upstream: 'v1', endpoint: '127.0.0.1:9001', isDraining: true, reason: 'new kernel' },
  ]);
  expect(bench.plane.calls).toEqual([['drain-endpoints', [{ upstream: 'v1', endpoint: '127.0.0.1:9001' }]]]);
  expect(await audit()).toMatchObject({
    action: 'drain',
    target: 'v1/127.0.0.1:9001',
    actor: 'token:alice',
    reason: 'new kernel',
    result: 'done',
    before: 'in use',
    after: 'draining',
  });
  expect((await post('/v1/upstreams/v1/endpoints/127.0.0.1:9001:undrain')).statusCode).toBe(200);
  expect(bench.plane.calls.at(-1)).toEqual(['drain-endpoints', []]);
});

test('a unix socket has slashes in its name', async () => {
  expect((await post('/v1/upstreams/v1/endpoints/unix:/run/app.sock:drain')).json()).toMatchObject({
    endpoint: 'unix:/run/app.sock',
  });
});

test('the last one that gets requests stays in, and that is on record', async () => {
  await post('/v1/upstreams/v1/endpoints/127.0.0.1:9001:drain');
  const last = await post('/v1/upstreams/v1/endpoints/unix:/run/app.sock:drain');
  expect([last.statusCode, last.json()]).toEqual([
    422,
    expect.objectContaining({
      code: 'change_invalid',
      detail: 'It is the last endpoint of v1 that gets requests.',
    }),
  ]);
  expect(await audit()).toMatchObject({ action: 'drain', result: 'refused', after: 'in use' });
  expect((await post('/v1/upstreams/v1/endpoints/127.0.0.1:9001:drain')).statusCode).toBe(200);
});

test('one that left while it was out can be let back in', async () => {
  await post('/v1/upstreams/v1/endpoints/127.0.0.1:9001:drain');
  bench.plane.upstreams = () => [{ name: 'v1', endpoints: [] }];
  expect((await post('/v1/upstreams/v1/endpoints/127.0.0.1:9001:undrain')).statusCode).toBe(200);
});

test.each([
  '/v1/upstreams/v1/endpoints/127.0.0.1:9002:drain',
  '/v1/upstreams/v2/endpoints/127.0.0.1:9001:drain',
  '/v1/upstreams/v1/endpoints/127.0.0.1:9001:undrain-all',
  '/v1/upstreams/v1:drain',
])('%s is 404', async (url) => {
  expect((await post(url)).statusCode).toBe(404);
});

test('a GET on a change is 405', async () => {
  const response = await bench.app.inject({
    url: '/v1/upstreams/v1/endpoints/127.0.0.1:9001:drain',
    headers: { host: '127.0.0.1:15100' },
  });
  expect(response.statusCode).toBe(405);
});
