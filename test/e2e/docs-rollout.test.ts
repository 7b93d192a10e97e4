/** docs/rollout.md as somebody would try it: what is typed, what a webhook gets, and a whole rollout of the real binary. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { withoutMetadata } from '../support/config.ts';
import { blocks, commands } from '../support/docs.ts';
import { runSidecar } from '../support/process.ts';

const SHIM = join(import.meta.dirname, '../../bin/fairlead.js');
const UPSTREAMS = 'version: 1\nupstreams: { v1: "127.0.0.1:9001", v2: "127.0.0.1:9002" }\n';
const ROUTES = 'routes: [{ name: all, upstream: v1, experiments: [ranking] }]\n';
const OTHER_ROUTE = 'routes: [{ name: other, match: { path: /other }, upstream: v2 }, ';

/** A service that can be broken, and keeps what was posted to it. */
class Service {
  isBroken = false;
  readonly posted: { headers: Record<string, unknown>; body: Record<string, unknown> }[] = [];
  readonly #server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      if (request.method === 'POST')
        this.posted.push({ headers: request.headers, body: JSON.parse(body) as Record<string, unknown> });
      response.writeHead(this.isBroken ? 500 : 200, { 'content-length': 0 }).end();
    });
  });

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

let folder: string;
let services: Service[];
let sidecar: Awaited<ReturnType<typeof runSidecar>>;
let hasTraffic: boolean;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-rollout-'));
  services = [new Service(), new Service(), new Service()];
});

afterEach(async () => {
  hasTraffic = false;
  sidecar.child.kill('SIGTERM');
  expect(await sidecar.exited).toBe(0);
  for (const service of services) service.close();
  await rm(folder, { recursive: true });
});

async function run(rollout: string, settings = ''): Promise<void> {
  const [v1, v2, hook] = await Promise.all(services.map((service) => service.open()));
  const config = `
version: 1
service: checkout
requireMetadata: false
stateFile: ${join(folder, 'state.json')}
listeners: [{ name: inbound, address: "127.0.0.1:0" }]
admin:
  address: 127.0.0.1:0
  probeAddress: 127.0.0.1:0
  token: docs-token
  tokens:
    - { name: ann, role: operator, token: ann-token-0123456789 }
    - { name: bob, role: operator, token: bob-token-0123456789 }
upstreams: { v1: "${v1}", v2: "${v2}" }
${ROUTES}
webhooks: [{ name: ci, url: "http://${hook}/", secret: change-me, events: [] }]
experiments:
  ranking:
    variants: { control: {}, candidate: { weight: 0%, upstream: v2 } }
    breaker: false
    allowProtected: { approvedBy: ann, reason: a test }
    rollout: ${rollout}
${settings}`;
  await writeFile(join(folder, 'fairlead.yaml'), config);
  sidecar = await runSidecar('fairlead.yaml', folder);
}

async function type(line: string): Promise<string> {
  const typed = line.replace(/^npx fairlead/, `'${process.execPath}' '${SHIM}'`);
  const { stdout, stderr } = await promisify(execFile)(
    'sh',
    ['-c', `${typed} --admin http://127.0.0.1:${sidecar.ports.admin}`],
    { env: { ...process.env, FAIRLEAD_ADMIN__TOKEN: 'docs-token' } },
  );
  return stdout + stderr;
}

async function rollout(): Promise<Record<string, unknown>> {
  const answer = await fetch(`http://127.0.0.1:${sidecar.ports.admin}/v1/rollouts/ranking`);
  return (await answer.json()) as Record<string, unknown>;
}

/** Users, each new, until the test is over. */
async function send(): Promise<void> {
  hasTraffic = true;
  const user = async (lane: number): Promise<void> => {
    for (let i = 0; hasTraffic; i++) {
      const headers = { 'x-user-id': `u-${lane}-${i}` };
      await fetch(`http://127.0.0.1:${sidecar.ports.inbound}/`, { headers }).then(
        (response) => response.arrayBuffer(),
        () => undefined,
      );
    }
  };
  for (let lane = 0; lane < 8; lane++) void user(lane);
  await expect.poll(() => counted(), { timeout: 20_000 }).toBeGreaterThan(0);
}

async function counted(): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${sidecar.ports.probes}/metrics`)).text();
  return Number(/requests_total\{.*variant="control".*\} ([0-9]+)/.exec(page)?.[1] ?? 0);
}

describe('rollout.md', () => {
  it('shows settings that are valid', async () => {
    await run('{}');
    const fragments = await blocks('docs/rollout.md', 'yaml');
    expect(fragments).toHaveLength(4);
    for (const fragment of fragments)
      expect(
        withoutMetadata(
          parseConfig(UPSTREAMS + ROUTES.replace('routes: [', OTHER_ROUTE) + fragment, 'docs/rollout.md')
            .issues,
        ),
      ).toEqual([]);
  });

  it('shows commands that do what they say', { timeout: 60_000 }, async () => {
    await run('{ hooks: [{ type: event, webhook: ci }] }');
    await expect(type('npx fairlead start-rollout ranking')).rejects.toThrow(
      /The pre-flight check failed: no request that control served has been counted yet/,
    );
    await send();
    const said = [];
    for (const line of (await blocks('docs/rollout.md', 'sh')).flatMap(commands)) said.push(await type(line));
    expect(said).toEqual([
      'ranking: baking, the candidate has 1%\n',
      expect.stringMatching(/^EXPERIMENT +PHASE +STEP +SHARE.*\nranking +baking +1\/5 +1% /),
      'ranking: paused, the candidate has 1%\n',
      'ranking: baking, the candidate has 1%\n',
      'ranking: baking, the candidate has 5%\n',
      'ranking: rolled-back, the candidate has 0%\n',
      'ranking: paused, the candidate has 5%\n',
    ]);
    const { posted } = services[2]!;
    await expect.poll(() => posted.length, { timeout: 20_000 }).toBe(6);
    const [example] = (await blocks('docs/rollout.md', 'json')).map((text) => JSON.parse(text) as object);
    const [{ headers, body }] = posted as [(typeof posted)[0]];
    expect(Object.keys(body)).toEqual(Object.keys(example!));
    expect(body).toMatchObject({
      name: 'ranking',
      namespace: 'checkout',
      phase: 'Progressing',
      canaryWeight: 1,
    });
    expect(headers['idempotency-key']).toBe(headers['webhook-id']);
  });
});

describe('a rollout of the real binary', () => {
  const QUICK =
    '{ steps: [30%, 60%, 100%], bake: 2s, requests: 50, guardrails: [{ metric: errors, margin: 10%, limit: 20% }] }';

  it('advances by evidence to everybody', { timeout: 60_000 }, async () => {
    await run(QUICK);
    await send();
    await type('npx fairlead start-rollout ranking --reason "release 42"');
    await expect.poll(async () => (await rollout()).phase, { timeout: 40_000 }).toBe('promoted');
    const answer = await fetch(`http://127.0.0.1:${sidecar.ports.admin}/v1/audit`);
    const { audit } = (await answer.json()) as { audit: { action: string; reason: string }[] };
    const moves = audit.filter(({ action }) => action.startsWith('rollout-')).toReversed();
    expect(moves.map(({ action }) => action)).toEqual([
      'rollout-start',
      'rollout-advance',
      'rollout-advance',
      'rollout-promote',
    ]);
    const page = await (await fetch(`http://127.0.0.1:${sidecar.ports.probes}/metrics`)).text();
    expect(page).toContain('fairlead_rollout_phase{experiment="ranking",phase="promoted"} 1');
    expect(page).toContain('fairlead_rollout_step{experiment="ranking"} 3');
    expect(moves[1]!.reason).toMatch(/^30% -> 60%: errors: not worse by more than 10 pp: 0% instead of 0%/);
  });

  it.each(['', 'workers: 2'])(
    'takes a broken candidate back within seconds %s',
    { timeout: 60_000 },
    async (settings) => {
      await run(QUICK.replace('bake: 2s', 'bake: 1h'), settings);
      await send();
      await type('npx fairlead start-rollout ranking');
      await expect.poll(async () => (await rollout()).watched, { timeout: 20_000 }).toMatch(/^[1-9]/);
      services[1]!.isBroken = true;
      await expect.poll(async () => (await rollout()).phase, { timeout: 20_000 }).toBe('rolled-back');
      expect(await rollout()).toMatchObject({ share: '0%', canUndo: true });
      expect((await rollout()).reason).toMatch(
        /^30% -> 0%: errors: (worse by more than 10 pp|above the limit): /,
      );
    },
  );

  it('goes on after a crash where it stood', { timeout: 60_000 }, async () => {
    await run(QUICK.replace('bake: 2s', 'bake: 1h'));
    await send();
    await type('npx fairlead start-rollout ranking');
    await type('npx fairlead promote ranking');
    const { id } = await rollout();
    const file = join(folder, 'state.json');
    await expect.poll(async () => (await readFile(file, 'utf8')).includes('"sharePpm": 600000')).toBe(true);
    hasTraffic = false;
    sidecar.child.kill('SIGKILL');
    await sidecar.exited;
    sidecar = await runSidecar('fairlead.yaml', folder);
    expect(await rollout()).toMatchObject({ id, phase: 'baking', step: 2, share: '60%' });
    const answer = await fetch(`http://127.0.0.1:${sidecar.ports.admin}/v1/experiments/ranking`);
    expect(JSON.stringify(await answer.json())).toContain('60%');
  });

  it('takes two people on a protected route, and one to take it back', { timeout: 60_000 }, async () => {
    await run(QUICK, 'protect: [all]');
    await send();
    const tell = async (path: string, token: string, body: object) => {
      const answer = await fetch(`http://127.0.0.1:${sidecar.ports.admin}/v1/${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
    };
    const asked = await tell('experiments/ranking:start-rollout', 'ann-token-0123456789', {
      reason: 'release 42',
    });
    expect(asked).toMatchObject({ status: 202, body: { approval: { action: 'rollout-start' } } });
    expect((await fetch(`http://127.0.0.1:${sidecar.ports.admin}/v1/rollouts/ranking`)).status).toBe(404);
    const { id, digest } = asked.body.approval as { id: string; digest: string };
    const yes = { digest, reason: 'seen' };
    expect((await tell(`approvals/${id}:approve`, 'ann-token-0123456789', yes)).status).toBe(403);
    expect(await tell(`approvals/${id}:approve`, 'bob-token-0123456789', yes)).toMatchObject({
      status: 200,
      body: { phase: 'baking', share: '30%' },
    });
    expect(await tell('experiments/ranking:abort', 'ann-token-0123456789', { reason: 'no' })).toMatchObject({
      status: 200,
      body: { phase: 'rolled-back', share: '0%' },
    });
  });
});
