/** Three services in a row whose code forwards one id and no more: the variant stays, and no two users are mixed. */
import { afterEach, describe, expect, it } from 'vitest';
import { adviceOn, isLeaking, readCoverage } from '../../src/cli/check-report.ts';
import { type Chain, type ChainOptions, startChain } from '../support/chain.ts';

const USERS = 1000;
const NOTHING = { front: [], middle: [] };

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function chain(options: ChainOptions): Promise<Chain> {
  const started = await startChain(options);
  closers.push(() => started.close());
  return started;
}

/** Calls of a service so far by how they came by their experiments. */
async function howOf(of: Chain, service: 'front' | 'middle'): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const page = await of.planes[service].plane.metrics.render();
  for (const [, how, value] of page.matchAll(/^fairlead_context_total\{.*how="(\w+)".*\} (\d+)$/gm))
    counts[how!] = Number(value);
  return counts;
}

describe.each([['traceparent'], ['x-request-id']])('services that forward only %s', (id) => {
  it('keep the variant of each of 1,000 users at once on all their calls', async () => {
    // Users overtake each other at every service.
    const workMs = (userId: string) => (userId === '' ? Math.random() * 40 : Number(userId.slice(5)) % 40);
    const of = await chain({ forwarded: { front: [id], middle: [id] }, workMs });
    const answers = await Promise.all(
      Array.from({ length: USERS }, (_, user) => of.ask({ 'x-user-id': `user-${user}` })),
    );
    const bodies = answers.map(({ body }) => body);
    const whole = ['front=v1,middle=v1,back=v1', 'front=v2,middle=v2,back=v2'];
    expect(bodies.filter((body) => !whole.includes(body))).toEqual([]);
    const candidates = bodies.filter((body) => body === whole[1]).length;
    // sqrt(1000 * 0.5 * 0.5) = 15.8: the users are of both variants.
    expect(Math.abs(candidates - USERS / 2)).toBeLessThan(64);
    const how = id === 'traceparent' ? 'traceparent' : 'request_id';
    expect([await howOf(of, 'front'), await howOf(of, 'middle')]).toEqual([
      { [how]: USERS },
      { [how]: USERS },
    ]);
  });
});

it('services that forward nothing lose it, and are counted', async () => {
  const of = await chain({ forwarded: NOTHING });
  await Promise.all(Array.from({ length: 100 }, (_, user) => of.ask({ 'x-user-id': `user-${user}` })));
  expect(await howOf(of, 'front')).toEqual({ lost: 100 });
});

it('the one service that forwards nothing is the one that check names, with the host that it calls', async () => {
  const of = await chain({ forwarded: { front: ['traceparent'], middle: [] } });
  await Promise.all(Array.from({ length: 50 }, (_, user) => of.ask({ 'x-user-id': `user-${user}` })));
  const leaks: string[] = [];
  for (const [service, { plane }] of Object.entries(of.planes)) {
    const { hops, isCounting } = readCoverage(service, await plane.metrics.render());
    expect(isCounting).toBe(true);
    for (const hop of hops) if (isLeaking(hop, 0)) leaks.push(adviceOn(service, hop));
  }
  expect(leaks).toHaveLength(1);
  expect(leaks[0]).toMatch(/^middle -> back\.internal \(route to-back\): 50 of 50 calls \(100%\) lost/);
});

it('with join: off nothing is remembered, joined or counted', async () => {
  const of = await chain({ forwarded: { front: ['traceparent'], middle: [] }, propagation: { join: 'off' } });
  const { body } = await of.ask({ 'x-user-id': 'user-1' });
  expect(body).toMatch(/,middle=v1,back=v1$/);
  expect(await howOf(of, 'front')).toEqual({});
});

it('two users in one trace get nothing of each other', async () => {
  // Users 1 and 3 are of different variants, and a batch job gave their requests one trace.
  const of = await chain({ forwarded: { front: ['traceparent'], middle: [] } });
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const fronts = new Set<string>();
  for (const user of ['user-1', 'user-2', 'user-3', 'user-4', 'user-5', 'user-6']) {
    const { body } = await of.ask({ 'x-user-id': user, traceparent });
    fronts.add(body.split(',')[0]!);
    // Until another variant comes the trace is one user's; from then on it is nobody's.
    if (fronts.size === 2) expect(body).toMatch(/,middle=v1,/);
  }
  expect(fronts.size).toBe(2);
  expect((await howOf(of, 'front')).ambiguous).toBeGreaterThan(0);
});
