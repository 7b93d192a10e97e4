/** What is collected of an experiment by the real sidecar, in one process and by workers. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, createServer, request as send } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Results } from '../../src/analysis/results/results.ts';
import { runSidecar } from '../support/process.ts';
import { Sidecar } from '../support/workers.ts';

const TOKEN = 'workers-token';
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Says what a request cost in a header and behind the body; `/fail` fails, and `/nonsense` costs nothing that is a number. */
async function startService(cost: number): Promise<string> {
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/fail' ? 500 : 200;
    response.setHeader('x-cost', request.url === '/nonsense' ? 'a lot' : String(cost));
    response.setHeader('trailer', 'x-tokens');
    response.write('12345');
    response.addTrailers({ 'x-tokens': String(cost * 10) });
    response.end('67890');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}

async function configWith(workers: number): Promise<string> {
  return `
version: 1
service: checkout
workers: ${workers}
upstreams: { v1: "${await startService(1)}", v2: "${await startService(2)}" }
routes: [{ name: api, match: { path: /* }, upstream: v1, experiments: [ranking] }]
experiments:
  ranking:
    owner: search-team
    hypothesis: better
    breaker: false
    variants: { control: {}, candidate: { weight: 50%, upstream: v2 } }
    analysis:
      metrics:
        - errors
        - latency
        - bytes
        - { name: cost, header: x-cost, better: lower }
        - { name: tokens, trailer: x-tokens, better: lower, per: request }
        - { name: conversion, event: true, unit: share, better: higher }
admin: { address: 127.0.0.1:0, probeAddress: 127.0.0.1:0, tokens: [
  { name: me, role: admin, token: ${TOKEN} }, { name: shop, role: reporter, token: shop-secret }] }
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
accessLog: { enabled: false }
exposures: { key: k }
stateFile: state.json
`;
}

async function startIn(cwd: string): Promise<Sidecar> {
  const sidecar = new Sidecar(await runSidecar('fairlead.yaml', cwd), cwd);
  closers.push(() => sidecar.close());
  return sidecar;
}

async function start(workers = 1): Promise<Sidecar> {
  const cwd = await mkdtemp(join(tmpdir(), 'fairlead-collection-'));
  closers.push(() => rm(cwd, { recursive: true, force: true }));
  await writeFile(join(cwd, 'fairlead.yaml'), await configWith(workers));
  return startIn(cwd);
}

/** Requests of the users in turn, over a few connections at once. */
async function ask(sidecar: Sidecar, requests: number, users: number, path = '/'): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const one = (user: number) =>
    new Promise<void>((resolve, reject) => {
      const headers = { 'x-user-id': `user-${user}`, 'user-agent': 'test/1' };
      const options = { port: sidecar.ports.inbound, path, headers, agent };
      send(options, (response) => response.resume().once('end', resolve))
        .once('error', reject)
        .end();
    });
  await Promise.all(Array.from({ length: requests }, (_, index) => one(index % users)));
  agent.destroy();
}

async function resultsOf(sidecar: Sidecar): Promise<Results> {
  return (await sidecar.get('/v1/experiments/ranking/results')) as Results;
}

function post(sidecar: Sidecar, events: readonly object[], token = TOKEN): Promise<Response> {
  return fetch(`http://127.0.0.1:${sidecar.ports.admin}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ events }),
  });
}

const conversion = (user: number, more: object = {}) => ({
  experiment: 'ranking',
  metric: 'conversion',
  unit: `user-${user}`,
  ...more,
});

const total = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0);

describe.each([1, 2])('with %i worker(s)', (workers) => {
  it('every request, unit and event is counted once, with what the service says of it', async () => {
    const sidecar = await start(workers);
    await ask(sidecar, 900, 100);
    await ask(sidecar, 100, 100, '/fail');
    await ask(sidecar, 10, 10, '/nonsense');
    await sidecar.counts('fairlead_analysis_requests_total{', 1010);
    const events = [
      ...Array.from({ length: 20 }, (_, user) => conversion(user)),
      conversion(0),
      conversion(21, { id: 'order-1', at: new Date().toISOString() }),
      conversion(21, { id: 'order-1' }),
      conversion(100),
    ];
    const posted = await post(sidecar, events, 'shop-secret');
    expect(await posted.json()).toEqual({ accepted: 22, duplicate: 1, unknown: 1, notFollowed: 0 });

    const { assigned, served, comparisons } = await resultsOf(sidecar);
    expect(total(assigned.map(({ requests }) => requests))).toBe(1010);
    expect(total(assigned.map(({ units }) => units))).toBe(100);
    expect(total(assigned.map(({ requests, errorShare }) => requests * errorShare!))).toBeCloseTo(100, 6);
    for (const [index, name] of ['control', 'candidate'].entries()) {
      const cost = index + 1;
      expect(assigned[index]).toMatchObject({ name, bytesMean: 10 });
      expect(served[index]!.requests).toBe(assigned[index]!.requests);
      const [costs, tokens] = assigned[index]!.metrics;
      expect(costs).toMatchObject({ name: 'cost', mean: cost });
      expect(tokens).toMatchObject({ name: 'tokens', mean: 10 * cost, count: assigned[index]!.requests });
    }
    expect(total(assigned.map(({ metrics }) => metrics[0]!.count))).toBe(1000);
    const comparedBy = (name: string) => comparisons[0]!.metrics.find((metric) => metric.name === name)!;
    expect(comparedBy('cost')).toMatchObject({ control: 1, candidate: 2 });
    // 21 of the 100 units have converted: a second time counts for nothing.
    const { control, candidate } = comparedBy('conversion');
    expect(control! * assigned[0]!.units + candidate! * assigned[1]!.units).toBeCloseTo(21, 6);

    expect(await sidecar.metric('fairlead_analysis_units_followed{')).toBe(100);
    await sidecar.counts('fairlead_analysis_values_malformed_total', 10);
    expect(await sidecar.metric('fairlead_analysis_dropped_total')).toBe(0);
    const accepted = 'fairlead_analysis_events_total{experiment="ranking",result="accepted"}';
    expect(await sidecar.metric(accepted)).toBe(22);
    if (workers === 1) return;

    // What a worker has told stays when it is gone, and its successor goes on.
    await sidecar.replaceWorker();
    await ask(sidecar, 40, 100);
    await sidecar.counts('fairlead_analysis_requests_total{', 1050);
    expect(await sidecar.metric('fairlead_analysis_units_followed{')).toBe(100);
  });
});

describe('events', () => {
  it('of what is not there are refused with their place; they are all that a reporter may post', async () => {
    const sidecar = await start();
    await ask(sidecar, 10, 10);
    const wrong = await post(sidecar, [conversion(1), conversion(2, { metric: 'convers' })]);
    expect(wrong.status).toBe(422);
    expect(await wrong.json()).toMatchObject({
      code: 'change_invalid',
      path: 'events.1',
      detail: 'events.1: ranking has no metric "convers" of events; it has conversion; nothing was counted.',
    });
    const malformed = await post(sidecar, [conversion(1), conversion(2, { value: 'secret' })]);
    expect(malformed.status).toBe(400);
    expect(await malformed.json()).toMatchObject({ code: 'request_invalid', path: 'events.1.value' });
    expect(await (await post(sidecar, [conversion(1)], 'shop-secret')).json()).toMatchObject({ accepted: 1 });
    const kill = await fetch(`http://127.0.0.1:${sidecar.ports.admin}/v1/experiments/ranking:kill`, {
      method: 'POST',
      headers: { authorization: 'Bearer shop-secret', 'content-type': 'application/json' },
      body: '{"reason": "because"}',
    });
    expect(kill.status).toBe(403);
    expect(sidecar.log()).not.toMatch(/user-1|secret/);
  });
});

describe('the numbers of an experiment', () => {
  it('go on after a restart, and units are known again', async () => {
    const before = await start();
    await ask(before, 60, 20);
    before.child.kill('SIGTERM');
    expect(await before.exited).toBe(0);
    const after = await startIn(before.cwd);
    expect(await (await post(after, [conversion(3), conversion(20)])).json()).toMatchObject({
      accepted: 1,
      unknown: 1,
    });
    await ask(after, 40, 40);
    await after.counts('fairlead_analysis_requests_total{', 100);
    const { assigned } = await resultsOf(after);
    expect(total(assigned.map(({ requests }) => requests))).toBe(100);
    expect(total(assigned.map(({ units }) => units))).toBe(40);
  });

  it('are followed anew under another split; the history has all of them, five seconds a point', async () => {
    const sidecar = await start();
    await ask(sidecar, 60, 60);
    const weights = { control: 80, candidate: 20 };
    await sidecar.post('/v1/experiments/ranking/weights', { weights, reason: 'test' });
    await ask(sidecar, 40, 40);
    await sidecar.counts('fairlead_analysis_requests_total{', 100);
    const { assigned } = await resultsOf(sidecar);
    expect(total(assigned.map(({ requests }) => requests))).toBe(100);
    expect(await sidecar.metric('fairlead_analysis_units_followed{')).toBe(40);

    const history = async () =>
      (await sidecar.get('/v1/experiments/ranking/history')) as {
        points: { at: string; variants: { requests: number; p50: number | null }[] }[];
      };
    const requests = async () =>
      total((await history()).points.flatMap(({ variants }) => variants.map((one) => one.requests)));
    await expect.poll(requests, { timeout: 20_000 }).toBe(100);
    expect(await history()).toMatchObject({ intervalMs: 5000, variants: ['control', 'candidate'] });
    // A point has no quantile of a variant that nobody asked for in its five seconds.
    const medians = (await history()).points.flatMap(({ variants }) =>
      variants[0]!.requests > 0 ? [variants[0]!.p50] : [],
    );
    expect(medians.length).toBeGreaterThan(0);
    for (const median of medians) expect(median).toBeGreaterThan(0);
  });
});
