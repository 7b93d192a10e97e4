/** The demo as a newcomer meets it: `npm start`, a thousand users, a candidate that goes bad under load and heals. */
import { type ChildProcess, execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { fairlead } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

const SIDECAR = 'http://127.0.0.1:15106/api/search';
const CANDIDATE = 'http://127.0.0.1:9002';
const ADMIN = 'http://127.0.0.1:15100';

let demo: ChildProcess;
let exited: Promise<number | null>;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-demo-'));
  const running = fairlead(['demo'], folder);
  demo = running.child;
  exited = running.exited;
  await vi.waitFor(
    async () => expect((await fetch(`${ADMIN}/readyz`)).status, running.log()).toBe(200),
    15_000,
  );
});

afterAll(async () => {
  demo.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function variantOf(user: string, headers: Record<string, string> = {}): Promise<string> {
  const response = await fetch(SIDECAR, { headers: { 'x-user-id': user, ...headers } });
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
  const { breakers } = (await (await fetch(`${ADMIN}/v1/breakers`)).json()) as {
    breakers: { name: string; state: string }[];
  };
  return breakers.find(({ name }) => name === 'api/ranking/candidate')!.state;
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
    const response = await fetch(SIDECAR, { headers: { 'x-experiment-override': 'ranking=candidate' } });
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
        '-H',
        'x-experiment-override: ranking=candidate',
        SIDECAR,
      ]);
      await fetch(`${CANDIDATE}/demo/fail`, { method: 'POST' });
      const brokenMs = Date.now();
      await expect.poll(candidateBreaker, { interval: 20, timeout: 20_000 }).toBe('open');
      // The window is 5 s.
      expect(Date.now() - brokenMs).toBeLessThan(5000);
      const answers = await Promise.all(
        Array.from({ length: 50 }, () =>
          variantOf('anyone', { 'x-experiment-override': 'ranking=candidate' }),
        ),
      );
      expect(new Set(answers)).toEqual(new Set([expect.stringContaining('control')]));
      await fetch(`${CANDIDATE}/demo/heal`, { method: 'POST' });
      await expect.poll(candidateBreaker, { interval: 50, timeout: 15_000 }).toBe('closed');
      expect((await load).stdout).not.toMatch(/Socket errors/);
      expect(await variantOf('anyone', { 'x-experiment-override': 'ranking=candidate' })).toContain(
        'candidate',
      );
    },
    30_000,
  );

  it('stops cleanly', async () => {
    demo.kill('SIGTERM');
    expect(await exited).toBe(0);
  });
});
