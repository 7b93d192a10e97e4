/** The demo as a newcomer meets it: `npm start`, a thousand users, a candidate that goes bad under load and heals. */
import { type ChildProcess, execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePorts } from '../support/free-ports.ts';
import { fairlead } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

/** Where they are: on ports of their own, since somebody may run a demo on this machine. */
let sidecarUrl: string;
let candidateUrl: string;
let adminUrl: string;

let demo: ChildProcess;
let exited: Promise<number | null>;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-demo-'));
  const [inbound, admin, probes, v1, v2] = await freePorts(5);
  sidecarUrl = `http://127.0.0.1:${inbound}/api/search`;
  candidateUrl = `http://127.0.0.1:${v2}`;
  adminUrl = `http://127.0.0.1:${admin}`;
  const running = fairlead(['demo'], folder, {
    FAIRLEAD_LISTENERS__0__ADDRESS: `127.0.0.1:${inbound}`,
    FAIRLEAD_ADMIN__ADDRESS: `127.0.0.1:${admin}`,
    FAIRLEAD_ADMIN__PROBE_ADDRESS: `127.0.0.1:${probes}`,
    FAIRLEAD_UPSTREAMS__DEMO_V1__ENDPOINTS: `["127.0.0.1:${v1}"]`,
    FAIRLEAD_UPSTREAMS__DEMO_V2__ENDPOINTS: `["127.0.0.1:${v2}"]`,
    // Open for as long as it is looked at.
    FAIRLEAD_EXPERIMENTS__RANKING__BREAKER__OPEN_FOR: '6s',
  });
  demo = running.child;
  exited = running.exited;
  await vi.waitFor(
    async () => expect((await fetch(`${adminUrl}/readyz`)).status, running.log()).toBe(200),
    30_000,
  );
});

afterAll(async () => {
  demo.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function variantOf(user: string, headers: Record<string, string> = {}): Promise<string> {
  const response = await fetch(sidecarUrl, { headers: { 'x-user-id': user, ...headers } });
  expect(response.status).toBe(200);
  const { version } = (await response.json()) as { version: string };
  return version;
}

/** A few at a time: a thousand at once would be a load test, and the breaker would have its say. */
async function variantsOf(users: readonly string[]): Promise<string[]> {
  const variants: string[] = [];
  for (let at = 0; at < users.length; at += 20)
    variants.push(...(await Promise.all(users.slice(at, at + 20).map((user) => variantOf(user)))));
  return variants;
}

async function candidateBreaker(): Promise<string> {
  const { breakers } = (await (await fetch(`${adminUrl}/v1/breakers`)).json()) as {
    breakers: { name: string; state: string }[];
  };
  return breakers.find(({ name }) => name === 'api/ranking/candidate')!.state;
}

/** When it opened, as the sidecar has it. */
async function openedMs(): Promise<number> {
  const { transitions } = (await (await fetch(`${adminUrl}/v1/breakers/history`)).json()) as {
    transitions: { name: string; to: string; at: string }[];
  };
  return Date.parse(
    transitions.find(({ name, to }) => name === 'api/ranking/candidate' && to === 'open')!.at,
  );
}

describe('the demo', () => {
  it('lands 1,000 users within four standard errors of 10 %, each always on the same variant', async () => {
    const users = Array.from({ length: 1000 }, (_, index) => `user-${index}`);
    const first = await variantsOf(users);
    const candidates = first.filter((version) => version.includes('candidate')).length;
    // 4 * sqrt(1000 * 0.1 * 0.9) = 37.9
    expect(Math.abs(candidates - 100)).toBeLessThan(38);
    expect(await variantsOf(users)).toEqual(first);
  });

  it('lets an override win, and the header reach the upstream', async () => {
    const response = await fetch(sidecarUrl, { headers: { 'x-experiment-override': 'ranking=candidate' } });
    expect(await response.json()).toMatchObject({
      version: expect.stringContaining('candidate'),
      'x-experiment': 'ranking=candidate',
    });
  });

  it.skipIf(!hasTools('wrk'))(
    'trips when the candidate breaks under load, shows clients no further error, and closes when it heals',
    async () => {
      const load = promisify(execFile)('wrk', [
        '-t1',
        '-c8',
        '-d6s',
        '--timeout',
        '30s',
        '-H',
        'x-experiment-override: ranking=candidate',
        sidecarUrl,
      ]);
      await fetch(`${candidateUrl}/demo/fail`, { method: 'POST' });
      const brokenMs = Date.now();
      await expect.poll(candidateBreaker, { interval: 20, timeout: 20_000 }).toBe('open');
      // The window is 5 s.
      expect((await openedMs()) - brokenMs).toBeLessThan(5000);
      const answers = await Promise.all(
        Array.from({ length: 50 }, () =>
          variantOf('anyone', { 'x-experiment-override': 'ranking=candidate' }),
        ),
      );
      expect(new Set(answers)).toEqual(new Set([expect.stringContaining('control')]));
      await fetch(`${candidateUrl}/demo/heal`, { method: 'POST' });
      // The load may be over when it wants probes.
      const probed = async () => {
        await variantOf('anyone', { 'x-experiment-override': 'ranking=candidate' });
        return candidateBreaker();
      };
      await expect.poll(probed, { interval: 50, timeout: 30_000 }).toBe('closed');
      expect((await load).stdout).not.toMatch(/Socket errors/);
      expect(await variantOf('anyone', { 'x-experiment-override': 'ranking=candidate' })).toContain(
        'candidate',
      );
    },
    60_000,
  );

  it('stops cleanly', async () => {
    demo.kill('SIGTERM');
    expect(await exited).toBe(0);
  });
});
