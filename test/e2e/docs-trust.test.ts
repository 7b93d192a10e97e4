/** docs/trust.md as somebody would try it: every configuration and every command, and a rotation of its keys. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { blocks, commands } from '../support/docs.ts';
import { fixedUpstream } from '../support/peers.ts';
import { runSidecar } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

const DOC = 'docs/trust.md';
const SHIM = join(import.meta.dirname, '../../bin/fairlead.js');
const answering = (body: string) => fixedUpstream(`HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n${body}`);

let folder: string;
let configs: string[];
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-trust-'));
  configs = await blocks(DOC, 'yaml');
});
afterAll(async () => {
  for (const close of closers.reverse()) await close();
  rmSync(folder, { recursive: true });
});

/** Runs a command line in the folder: what it prints, and its exit code. */
async function shell(line: string): Promise<{ code: number; stdout: string }> {
  const typed = line.replace(/^npx fairlead/, `'${process.execPath}' '${SHIM}'`);
  try {
    const { stdout } = await promisify(execFile)('sh', ['-c', typed], { cwd: folder, timeout: 15_000 });
    return { code: 0, stdout };
  } catch (error) {
    const { code, stdout } = error as { code: number; stdout: string };
    return { code, stdout };
  }
}

async function sidecar(name: string, text: string, replacements: readonly (readonly [string, string])[]) {
  let own = text;
  for (const [from, to] of replacements) {
    expect(own).toContain(from);
    own = own.replace(from, to);
  }
  writeFileSync(join(folder, name), own);
  const running = await runSidecar(name, folder);
  closers.push(async () => {
    running.child.kill('SIGTERM');
    expect(await running.exited).toBe(0);
  });
  return running;
}

it('shows configurations that are valid, without a warning', () => {
  expect(configs).toHaveLength(5);
  for (const text of configs) expect(parseConfig(text, DOC).issues.map(({ message }) => message)).toEqual([]);
});

describe.skipIf(!hasTools('openssl', 'curl'))('the example', () => {
  it('works from the first line to the last, and its keys rotate while it runs', async () => {
    const [, shopText, pricesText] = configs as [string, string, string];
    const steps = (await blocks(DOC, 'sh')).map(commands);
    expect(steps).toHaveLength(5);
    const [makeKey, run, strangers, tester, other] = steps as string[][];
    for (const command of makeKey!) await shell(command);
    const [v1, v2] = [await answering('v1'), await answering('v2')];
    closers.push(() => Promise.all([v1.close(), v2.close()]));

    expect(run).toEqual(['npx fairlead run -c shop.yaml', 'npx fairlead run -c prices.yaml']);
    const prices = await sidecar('prices.yaml', pricesText, [
      ['0.0.0.0:15106', '127.0.0.1:0'],
      ['127.0.0.1:15200', '127.0.0.1:0'],
      ['127.0.0.1:9001', v1.endpoint],
      ['127.0.0.1:9002', v2.endpoint],
    ]);
    const admin = 'admin: { address: "127.0.0.1:0", probeAddress: off }\n';
    const shop = await sidecar('shop.yaml', shopText + admin, [
      ['0.0.0.0:8080', '127.0.0.1:0'],
      ['127.0.0.1:15106', `127.0.0.1:${prices.ports.inbound}`],
    ]);
    const here = (line: string) =>
      line.replace(':8080', `:${shop.ports.edge}`).replace(':15106', `:${prices.ports.inbound}`);

    for (const line of strangers!) expect((await shell(here(line))).stdout, line).toBe('v1');
    const [mint, byHeader, byCookie] = tester!;
    expect((await shell(mint!)).code).toBe(0);
    expect((await shell(here(byHeader!))).stdout).toBe('v2');
    expect((await shell(here(byCookie!))).stdout).toBe('v2');
    const [stolen, inspect] = other!;
    expect((await shell(here(stolen!))).stdout).toBe('v1');
    const inspected = await shell(inspect!);
    expect([inspected.code, inspected.stdout]).toEqual([1, expect.stringContaining('refused (unit)')]);

    // Rotation, by writing the files of running sidecars.
    await shell('openssl rand -hex 32 > token-2026-12.key');
    const november = '{ id: "2026-11", secretFile: token-2026-11.key }';
    const december = '{ id: "2026-12", secretFile: token-2026-12.key }';
    const rotate = (name: string, from: string, to: string) => {
      const text = readFileSync(join(folder, name), 'utf8');
      expect(text).toContain(from);
      writeFileSync(join(folder, name), text.replace(from, to));
    };
    const mintWith = async (id: string) =>
      (
        await shell(
          `npx fairlead override mint --key-file token-${id}.key --key-id ${id} --experiment pricing=candidate`,
        )
      ).stdout;
    const [old, fresh] = [await mintWith('2026-11'), await mintWith('2026-12')];
    const ask = async (port: number, token: string) =>
      (
        await shell(
          `curl -s -H 'x-user-id: u-2' -H 'x-experiment-override: ${token.trim()}' http://127.0.0.1:${port}/`,
        )
      ).stdout;
    for (const [name, port] of [
      ['prices.yaml', prices.ports.inbound!],
      ['shop.yaml', shop.ports.edge!],
    ] as const) {
      expect(await ask(port, fresh)).toBe('v1');
      rotate(name, november, `${november}, ${december}`);
      await expect.poll(() => ask(port, fresh), { timeout: 20_000 }).toBe('v2');
      expect(await ask(port, old)).toBe('v2');
    }
    for (const [name, port] of [
      ['shop.yaml', shop.ports.edge!],
      ['prices.yaml', prices.ports.inbound!],
    ] as const) {
      rotate(name, `${november}, ${december}`, december);
      await expect.poll(() => ask(port, old), { timeout: 20_000 }).toBe('v1');
      expect(await ask(port, fresh)).toBe('v2');
    }
    const log = prices.log() + shop.log();
    for (const id of ['2026-11', '2026-12'])
      expect(log).not.toContain(readFileSync(join(folder, `token-${id}.key`), 'utf8').trim());
  }, 60_000);
});
