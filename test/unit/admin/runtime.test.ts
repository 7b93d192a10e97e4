/** `GET /v1/runtime`: what a sidecar has dealt out, for those who plan on top of it. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseState } from '../../../src/control/state-file.ts';
import { type AdminBench, newAdminBench, TOKEN } from '../../support/admin.ts';

let bench: AdminBench;
beforeEach(async () => {
  bench = await newAdminBench();
});
afterEach(() => bench.close());

test('the run-time state is what the state file would hold, slots of a ramp among it', async () => {
  const change = { kind: 'set-weights', experiment: 'ranking', weightsPpm: { candidate: 300_000 } } as const;
  bench.control.change({ ...change, reason: 'ramp' }, 'ann');
  const answer = await bench.app.inject({ url: '/v1/runtime', headers: { host: 'localhost' } });
  expect([answer.statusCode, answer.headers['content-type']]).toEqual([
    200,
    'application/json; charset=utf-8',
  ]);
  const state = parseState(answer.body);
  expect(state).toEqual(bench.control.rules.runtime);
  const slots = state!.experiments.get('ranking')!.slots;
  const candidate = slots.filter(({ variant }) => variant === 'candidate');
  expect(candidate.reduce((sum, { start, end }) => sum + end - start, 0)).toBe(300_000);
});

test('it is only read', async () => {
  const headers = { host: 'localhost', authorization: `Bearer ${TOKEN}` };
  const answer = await bench.app.inject({ method: 'POST', url: '/v1/runtime', headers });
  expect([answer.statusCode, answer.headers.allow]).toEqual([405, 'GET']);
});
