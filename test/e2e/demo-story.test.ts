/**
 * What a new user does with the demo, by the command line alone: a rollout that goes on by evidence, a candidate that is
 * broken on the way, and the sentence that says why it was taken back. On ports of its own, with shorter steps.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { fairlead, type RunningProcess } from '../support/process.ts';

const SHIM = join(import.meta.dirname, '../../bin/fairlead.js');

let folder: string;
let demo: RunningProcess;
let ports: Readonly<Record<'inbound' | 'admin' | 'probes' | 'v1' | 'v2', number>>;

/** All open at once, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const found = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return found;
}

interface Typed {
  readonly child: ChildProcess;
  /** What it has printed so far, on both. */
  text(): string;
  readonly exited: Promise<number | null>;
}

/** A command line as the demo shows it, beside the address of its admin API. */
function type(...words: string[]): Typed {
  const args = [SHIM, ...words, '--admin', `http://127.0.0.1:${ports.admin}`];
  const env = { ...process.env, FAIRLEAD_ADMIN__TOKEN: 'demo-token' };
  const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      text += chunk;
    });
  }
  const exited = once(child, 'close').then(([code]) => code as number | null);
  return { child, text: () => text, exited };
}

async function typed(...words: string[]): Promise<{ code: number | null; text: string }> {
  const { exited, text } = type(...words);
  return { code: await exited, text: text() };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-story-'));
  const [inbound, admin, probes, v1, v2] = (await freePorts(5)) as [number, number, number, number, number];
  ports = { inbound, admin, probes, v1, v2 };
  demo = fairlead(['demo'], folder, {
    FAIRLEAD_LISTENERS__0__ADDRESS: `127.0.0.1:${inbound}`,
    FAIRLEAD_ADMIN__ADDRESS: `127.0.0.1:${admin}`,
    FAIRLEAD_ADMIN__PROBE_ADDRESS: `127.0.0.1:${probes}`,
    FAIRLEAD_UPSTREAMS__DEMO_V1__ENDPOINTS: `["127.0.0.1:${v1}"]`,
    FAIRLEAD_UPSTREAMS__DEMO_V2__ENDPOINTS: `["127.0.0.1:${v2}"]`,
    FAIRLEAD_EXPERIMENTS__RANKING__ROLLOUT__STEPS: '[40%, 60%, 100%]',
    FAIRLEAD_EXPERIMENTS__RANKING__ROLLOUT__BAKE: '2s',
  });
  const servedByControl = async (): Promise<number> => {
    const page = await fetch(`http://127.0.0.1:${probes}/metrics`).then(
      (response) => response.text(),
      () => '',
    );
    return Number(/requests_total\{code_class="2xx".*variant="control".*\} ([0-9]+)/.exec(page)?.[1] ?? 0);
  };
  // What the pre-flight check wants to see: the made-up users are there.
  await vi.waitFor(async () => expect(await servedByControl(), demo.log()).toBeGreaterThan(10), 30_000);
}, 40_000);

afterAll(async () => {
  demo.child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

it('shows the traffic of both variants at this moment', async () => {
  const stat = await typed('stat');
  expect(stat.text).toMatch(/^ranking +control +[0-9.]+ +0\.0%/m);
  expect(stat.text).toMatch(/^ranking +candidate +[0-9.]+ /m);
  const top = await typed('top', '-n', '1');
  expect(top.text).toMatch(/^ {4}control +[0-9.]+ +90% .*closed$/m);
  const tap = await typed('tap', '-n', '3', '--experiment', 'ranking');
  expect(tap.code).toBe(0);
  expect(
    tap.text.match(/^[0-9:.]+ GET api 200 .* ranking=(control|candidate) \(split:?.*\)$/gm),
  ).toHaveLength(3);
});

it('goes on by evidence, and is taken back within seconds when the candidate breaks, with the reason', async () => {
  const started = await typed('start-rollout', 'ranking', '--reason', 'try it');
  expect(started).toEqual({ code: 0, text: 'ranking: baking, the candidate has 40%\n' });
  const status = type('status', 'ranking', '-w');
  await expect.poll(status.text, { timeout: 40_000 }).toMatch(/rollout-advance: 40% -> 60%: errors: /);
  await fetch(`http://127.0.0.1:${ports.v2}/demo/fail`, { method: 'POST' });
  const brokenMs = performance.now();
  expect(await status.exited).toBe(1);
  // It is looked at once a second; the breaker wants 20 % of the last 5 s.
  expect(performance.now() - brokenMs).toBeLessThan(15_000);
  expect(status.text()).toMatch(
    /\nranking: rolled back at [0-9:]+ UTC: 60% -> 0%: (the breaker api\/ranking\/candidate is open: error rate|errors: (worse|above) )/,
  );
  const after = await typed('status', 'ranking');
  expect(after.text).toContain('control 100%, candidate 0%');
}, 70_000);

it('stops, and leaves nothing for the next demo to stumble over', async () => {
  demo.child.kill('SIGINT');
  expect(await demo.exited).toBe(0);
  expect(demo.log()).toContain('stopping: requests in flight are finished first');
});
