/** Layers and the life of experiments as people run them: the sidecar, the command line, and what is left for the next day. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fixedUpstream, RawClient } from '../support/peers.ts';
import { runSidecar } from '../support/process.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');

let folder: string;
const closers: (() => unknown)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-lifecycle-'));
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true });
});

async function start(workers: number) {
  const v1 = await fixedUpstream('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nv1');
  const v2 = await fixedUpstream('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nv2');
  closers.push(
    () => v1.close(),
    () => v2.close(),
  );
  writeFileSync(
    join(folder, 'shop.yaml'),
    `
version: 1
workers: ${workers}
requireMetadata: false
listeners: [{ name: inbound, address: "127.0.0.1:0" }]
admin: { address: 127.0.0.1:0, probeAddress: off, token: secret }
stateFile: ${join(folder, 'state.json')}
upstreams: { v1: "${v1.endpoint}", v2: "${v2.endpoint}" }
routes: [{ name: all, upstream: v1, experiments: [old, flag, plan] }]
layers: { search: {} }
experiments:
  old:
    startsAt: 2020-01-01T00:00:00Z
    staleAfter: 30d
    layer: search
    range: 0%-100%
    variants: { control: {}, candidate: { weight: 0%, upstream: v2 } }
  flag:
    requires: [{ experiment: old, variant: candidate }]
    variants: { control: {}, candidate: { weight: 100% } }
  plan:
    status: draft
    variants: { control: {}, candidate: { weight: 100% } }
`,
  );
  const sidecar = await runSidecar('shop.yaml', folder);
  const stop = async () => {
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(0);
  };
  const admin = `http://127.0.0.1:${sidecar.ports.admin}`;
  /** Code and output of a command against it. */
  const cli = async (...args: string[]) => {
    const command = promisify(execFile)(process.execPath, [MAIN, ...args, '--admin', admin], {
      env: { ...process.env, FAIRLEAD_ADMIN__TOKEN: 'secret' },
    });
    return command.then(
      ({ stdout }) => ({ code: 0, text: stdout }),
      ({ code, stderr }: { code: number; stderr: string }) => ({ code, text: stderr }),
    );
  };
  return { sidecar, admin, cli, stop };
}

/** What a user is served, and why. */
async function ask(port: number, user: string): Promise<string> {
  const client = new RawClient(port);
  closers.push(() => client.close());
  client.send(`GET / HTTP/1.1\r\nHost: a\r\nx-user-id: ${user}\r\nx-experiment-explain: 1\r\n\r\n`);
  const text = await client.response();
  const reason = /x-experiment-reason: (.*)/.exec(text)?.[1] ?? '';
  return `${text.slice(-2)} ${reason.trim().replaceAll(/split:[0-9.]+/g, 'split')}`;
}

describe.each([1, 2])('with workers: %d', (workers) => {
  it('stale experiments are told of, ramps count epochs over a restart, drafts are not started', async () => {
    const first = await start(workers);
    const { sidecar, cli, admin } = first;
    const told = () => sidecar.log().match(/the experiment old is stale/g)?.length ?? 0;
    await expect.poll(told).toBe(1);
    const page = await (await fetch(`${admin}/metrics`)).text();
    expect(page).toContain('fairlead_experiment_stale{experiment="old"} 1\n');
    expect(page).toContain('fairlead_experiment_stale{experiment="flag"} 0\n');
    expect((await cli('get', 'layers')).text).toContain('old 0%-100%');

    expect(await ask(sidecar.ports.inbound!, 'alice')).toBe('v1 old=split, flag=prerequisite, plan=off');
    expect(await cli('set', 'weight', 'old', '100', '--reason', 'ramp')).toMatchObject({ code: 0 });
    expect(await ask(sidecar.ports.inbound!, 'alice')).toBe('v2 old=split, flag=split, plan=off');
    expect(told()).toBe(1);
    const refused = await cli('start', 'plan', '--reason', 'now');
    expect(refused.code).not.toBe(0);
    expect(refused.text).toContain('declared draft');
    await first.stop();

    const second = await start(workers);
    const { text } = await second.cli('get', 'experiments', '-o', 'json');
    const shown = JSON.parse(text) as { name: string; epoch: number; condition: string | null }[];
    expect(shown.map(({ name, epoch, condition }) => [name, epoch, condition])).toEqual([
      ['old', 2, 'stale'],
      ['flag', 1, null],
      ['plan', 1, null],
    ]);
    await second.stop();
  });
});
