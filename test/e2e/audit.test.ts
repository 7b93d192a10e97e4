/** The audit trail of the real binary: killed in the middle of changes, with workers, and on record of its breakers. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fixedUpstream, type RawUpstream } from '../support/peers.ts';
import { fairlead, runSidecar } from '../support/process.ts';

const TOKEN = 'audit-token';

let folder: string;
let upstream: RawUpstream;
const closers: (() => unknown)[] = [];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-audit-'));
  upstream = await fixedUpstream('HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\nno');
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await upstream.close();
  rmSync(folder, { recursive: true });
});

async function start(lines: string) {
  const config = `
version: 1
requireMetadata: false
listeners: [{ name: inbound, address: "127.0.0.1:0" }]
admin: { address: 127.0.0.1:0, probeAddress: 127.0.0.1:0, token: ${TOKEN} }
upstreams: { app: "${upstream.endpoint}" }
experiments:
  ranking:
    breaker: { errorRate: 50%, minimumRequests: 5, openFor: 60s }
    variants: { control: {}, candidate: { weight: 100% } }
audit: { file: audit.ndjson, keyFile: key, maxBytes: 16KiB, keep: 100 }
${lines}`;
  writeFileSync(join(folder, 'config.yaml'), config);
  writeFileSync(join(folder, 'key'), 'a secret key\n');
  const sidecar = await runSidecar('config.yaml', folder);
  closers.push(() => sidecar.child.kill('SIGKILL'));
  return sidecar;
}

async function weigh(admin: number, percent: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${admin}/v1/experiments/ranking/weights`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ weights: { candidate: percent }, reason: `to ${percent}` }),
  });
  await answer.text();
  return answer.ok;
}

interface Shown {
  readonly id: number;
  readonly action: string;
  readonly reason: string;
  readonly actor: string;
  readonly inputs?: { readonly limits?: object };
}

async function run(...args: string[]): Promise<{ code: number | null; out: string }> {
  const files = readdirSync(folder).filter((name) => name.startsWith('audit.ndjson'));
  const running = fairlead(['audit', ...args, ...files], folder);
  let out = '';
  running.child.stdout?.on('data', (chunk) => {
    out += chunk;
  });
  return { code: await running.exited, out };
}

const verify = () => run('verify', '--key-file', 'key');
const show = async () => JSON.parse((await run('show', '-o', 'json', '--limit', '10000')).out) as Shown[];

it('has every change that was answered, in one chain, however often the process is killed', async () => {
  const answered: string[] = [];
  let percent = 0;
  for (let life = 0; life < 2; life++) {
    const sidecar = await start('');
    const admin = sidecar.ports.admin!;
    let isKilled = false;
    const changing = (async () => {
      for (;;) {
        percent = (percent % 90) + 1;
        const reason = `to ${percent}`;
        const isDone = await weigh(admin, percent).catch(() => false);
        if (isDone) answered.push(reason);
        if (answered.length >= 20 * (life + 1) && !isKilled) {
          isKilled = true;
          sidecar.child.kill('SIGKILL');
        }
        if (!isDone) return;
      }
    })();
    await Promise.all([changing, sidecar.exited]);
  }
  const { code, out } = await verify();
  expect(code, out).toBe(0);
  const records = await show();
  expect(records.map(({ id }) => id)).toEqual(records.map((_, index) => index + 1));
  // What was not answered may be on record too: the answer was on its way.
  const reasons = records.filter(({ action }) => action === 'set-weights').map(({ reason }) => reason);
  let place = -1;
  for (const reason of answered) {
    place = reasons.indexOf(reason, place + 1);
    expect(place, reason).toBeGreaterThanOrEqual(0);
  }
  expect(reasons.length - answered.length).toBeLessThanOrEqual(2);
}, 60_000);

it.skipIf(process.platform !== 'linux')(
  'is written by one process where there are workers, and has what their breakers decided, with the limits',
  async () => {
    const sidecar = await start('workers: 2');
    const { admin, inbound } = sidecar.ports;
    for (let percent = 90; percent <= 100; percent++) expect(await weigh(admin!, percent)).toBe(true);
    await expect
      .poll(
        async () => {
          for (let user = 0; user < 20; user++) {
            const headers = { 'x-user-id': `u-${user}`, connection: 'close' };
            await (await fetch(`http://127.0.0.1:${inbound}/`, { headers })).text();
          }
          return (await show()).some(({ action }) => action === 'breaker-opened');
        },
        { timeout: 40_000 },
      )
      .toBe(true);
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(0);
    const { code, out } = await verify();
    expect(code, out).toBe(0);
    const records = await show();
    expect(records.filter(({ action }) => action === 'set-weights')).toHaveLength(11);
    const opened = records.filter(
      ({ action, actor }) => action === 'breaker-opened' && actor.endsWith('/candidate'),
    );
    expect(opened).toHaveLength(1);
    expect(opened[0]).toMatchObject({
      actor: 'breaker all/ranking/candidate',
      inputs: { cause: 'error-rate', limits: { errorRatio: 0.5 } },
    });
  },
  60_000,
);
