/** Where other processes carry the traffic: what is shown is of now, and an answer to a change says that it holds. */
import { afterEach, expect, test } from 'vitest';
import { type AdminBench, newAdminBench, TOKEN } from '../../support/admin.ts';

let bench: AdminBench;
afterEach(() => bench.close());

/** What happened in which order. */
async function withHistory(): Promise<string[]> {
  bench = await newAdminBench();
  const history: string[] = [];
  const note = (what: string) => async (): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    history.push(what);
  };
  const { plane } = bench;
  const breakers = plane.breakers.bind(plane);
  Object.assign(plane, {
    refresh: note('refresh'),
    settled: note('settled'),
    breakers: () => {
      history.push('read');
      return breakers();
    },
  });
  return history;
}

test('the other processes are looked at before their numbers are shown', async () => {
  const history = await withHistory();
  await bench.app.inject('/v1/breakers');
  await bench.app.inject('/v1/upstreams');
  await bench.app.inject('/clusters');
  await bench.probes.inject('/readyz?verbose');
  expect(history).toEqual(['refresh', 'read', 'refresh', 'refresh', 'refresh']);
});

test('probes and what the rules say wait for nobody', async () => {
  const history = await withHistory();
  for (const url of ['/livez', '/readyz', '/startupz', '/v1/config', '/v1/audit'])
    await bench.app.inject(url);
  expect(history).toEqual([]);
});

test('a change is answered when it holds everywhere', async () => {
  const history = await withHistory();
  const answer = await bench.app.inject({
    method: 'POST',
    url: '/v1/experiments/ranking:kill',
    headers: { authorization: `Bearer ${TOKEN}` },
    payload: { reason: 'test' },
  });
  expect(answer.statusCode).toBe(200);
  expect(history.at(-1)).toBe('settled');
});
