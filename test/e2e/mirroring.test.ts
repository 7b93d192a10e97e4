/** Mirroring of the whole sidecar: a rollout that it takes back, and two workers that find the same together. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RawClient } from '../support/peers.ts';
import { runSidecar } from '../support/process.ts';
import { ask } from '../support/workers.ts';

const TOKEN = 'mirror-token';

let folder: string;
let closers: (() => unknown)[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-mirror-'));
  closers = [() => rm(folder, { recursive: true, force: true })];
});

afterEach(async () => {
  for (const close of closers.reverse()) await close();
});

/** Says a price, and the time, which is another each time. */
async function service(price: unknown): Promise<string> {
  const server: Server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ at: performance.now(), items: [{ price }] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function run(candidate: unknown, settings: { mirror: string; rollout?: string; workers?: number }) {
  const [v1, v2] = [await service(1), await service(candidate)];
  const { mirror, rollout = '{}', workers = 1 } = settings;
  await writeFile(
    join(folder, 'fairlead.yaml'),
    `
version: 1
requireMetadata: false
workers: ${workers}
listeners: [{ name: inbound, address: "127.0.0.1:0" }]
admin: { address: 127.0.0.1:0, probeAddress: 127.0.0.1:0, token: ${TOKEN} }
accessLog: { enabled: false }
upstreams: { v1: "${v1}", v2: "${v2}" }
routes: [{ name: all, upstream: v1, experiments: [ranking] }]
experiments:
  ranking:
    variants: { control: {}, candidate: { weight: 0%, upstream: v2 } }
    mirror: ${mirror}
    rollout: ${rollout}
`,
  );
  const sidecar = await runSidecar('fairlead.yaml', folder);
  closers.push(async () => {
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(0);
  });
  const get = async (path: string) =>
    (await (await fetch(`http://127.0.0.1:${sidecar.ports.admin}${path}`)).json()) as Record<string, unknown>;
  const post = (path: string, body: object) =>
    fetch(`http://127.0.0.1:${sidecar.ports.admin}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  return { sidecar, get, post };
}

/** Users, each new, until the test is over. */
function traffic(port: number): void {
  let isOn = true;
  closers.push(() => {
    isOn = false;
  });
  const user = async (lane: number): Promise<void> => {
    for (let i = 0; isOn; i++)
      await fetch(`http://127.0.0.1:${port}/`, { headers: { 'x-user-id': `u-${lane}-${i}` } }).then(
        (response) => response.arrayBuffer(),
        () => undefined,
      );
  };
  for (let lane = 0; lane < 4; lane++) void user(lane);
}

describe('a rollout with a guardrail of regressions', () => {
  const rollout =
    '{ steps: [1%, 100%], bake: 1h, requests: 0, guardrails: [{ metric: regressions, margin: 5% }] }';
  const mirror = '{ share: 100%, rate: 200/s, concurrency: 20 }';

  it('goes back when answers differ, though the candidate fails nothing', async () => {
    const { sidecar, get, post } = await run('1', { mirror, rollout });
    traffic(sidecar.ports.inbound!);
    const started = await post('/v1/experiments/ranking:start-rollout', {
      reason: 'test',
      skipPreflight: true,
    });
    expect(started.status).toBe(200);
    await expect
      .poll(async () => (await get('/v1/rollouts/ranking')).phase, { timeout: 30_000 })
      .toBe('rolled-back');
    expect(await get('/v1/rollouts/ranking')).toMatchObject({
      reason: expect.stringMatching(/regressions: worse by more than 5 pp: 100% instead of .*\(n=\d+\)/),
    });
  });
});

describe.skipIf(process.platform !== 'linux')('two workers', () => {
  it('mirror their parts, and what they find is added up', async () => {
    const mirror = '{ share: 100%, rate: 1000/s, concurrency: 100 }';
    const { sidecar, get } = await run(2, { mirror, workers: 2 });
    const clients = Array.from({ length: 12 }, () => new RawClient(sidecar.ports.inbound!));
    closers.push(() => {
      for (const client of clients) client.close();
    });
    for (let round = 0; round < 5; round++)
      for (const client of clients) await ask(client, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const diffs = () => get('/v1/experiments/ranking/diffs');
    // A worker that has not answered at once is missing in one answer.
    await expect.poll(diffs).toMatchObject({
      compared: 60,
      inFlight: 0,
      verdict: { kind: 'regression' },
      paths: [
        { path: 'body /items/*/price', kind: 'regression', noise: 0, differences: 60 },
        { path: 'body /at', kind: 'noise', noise: 60 },
      ],
    });
    const forgotten = await fetch(`http://127.0.0.1:${sidecar.ports.admin}/v1/experiments/ranking/diffs`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: '{"reason":"test"}',
    });
    expect(forgotten.status).toBe(200);
    // In both of them by then.
    expect(await diffs()).toMatchObject({ compared: 0, paths: [] });
    const page = async () => (await fetch(`http://127.0.0.1:${sidecar.ports.probes}/metrics`)).text();
    await expect
      .poll(page)
      .toContain('fairlead_mirror_compared_total{experiment="ranking",variant="candidate"} 60');
    await expect
      .poll(page)
      .toContain('fairlead_mirror_differences_total{experiment="ranking",variant="candidate"} 60');
  });
});
