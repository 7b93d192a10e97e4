/** docs/tls.md and docs/listeners.md as somebody would try them: every configuration and every command, in order. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { withoutMetadata } from '../support/config.ts';
import { blocks, commands } from '../support/docs.ts';
import { freePort } from '../support/free-ports.ts';
import { fixedUpstream, type RawUpstream, rawUpstream, requestCount } from '../support/peers.ts';
import { runSidecar } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

const SHIM = join(import.meta.dirname, '../../bin/fairlead.js');
const V1 = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nv1';
const V2 = V1.replace('v1', 'v2');

let folder: string;
let closers: (() => unknown)[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fl-'));
  closers = [() => rmSync(folder, { recursive: true, force: true })];
});
afterEach(async () => {
  for (const close of closers.reverse()) await close();
});

/** Kills a program with the rest, and waits for its end. */
function alsoKill(child: ChildProcess): void {
  closers.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
}

async function service(response: string): Promise<RawUpstream> {
  const upstream = await fixedUpstream(response);
  closers.push(() => upstream.close());
  return upstream;
}

/** Runs a command line in the folder; what it prints. Rejects when it fails. */
async function shell(line: string): Promise<string> {
  const typed = line.replace(/^npx fairlead/, `'${process.execPath}' '${SHIM}'`);
  const { stdout } = await promisify(execFile)('sh', ['-c', typed], { cwd: folder, timeout: 15_000 });
  return stdout;
}

async function sidecar(file: string) {
  const running = await runSidecar(file, folder);
  alsoKill(running.child);
  return running;
}

/** Writes a configuration of the page, valid as it stands, with other ports in place of its own. */
function write(name: string, text: string, replacements: readonly (readonly [string, string])[]): void {
  expect(withoutMetadata(parseConfig(text, name).issues)).toEqual([]);
  let own = text;
  for (const [from, to] of replacements) {
    expect(own).toContain(from);
    own = own.replace(from, to);
  }
  writeFileSync(join(folder, name), own);
}

function canConnect(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

describe.skipIf(!hasTools('openssl', 'curl'))('docs/tls.md', () => {
  it('shows an example that works from the first line to the last', async () => {
    const [shop, calls, ...otherConfigs] = await blocks('docs/tls.md', 'yaml');
    const steps = (await blocks('docs/tls.md', 'sh')).map(commands);
    expect([otherConfigs, steps.length]).toEqual([[], 8]);
    const [make, runShop, ask, explain, runCalls, call, rotate, look] = steps as string[][];

    for (const command of make!) await shell(command);
    const [v1, v2] = [await service(V1), await service(V2)];
    write('shop.yaml', `${shop}admin: { address: "127.0.0.1:0", probeAddress: off }\n`, [
      ['0.0.0.0:15106', '127.0.0.1:0'],
      ['127.0.0.1:9001', v1.endpoint],
      ['127.0.0.1:9002', v2.endpoint],
    ]);
    expect(runShop).toEqual(['npx fairlead run -c shop.yaml']);
    const inbound = await sidecar('shop.yaml');
    const here = (line: string) => line.replace('15106', String(inbound.ports.inbound));

    const [anybody, web] = ask!;
    expect(await shell(here(anybody!))).toBe('v1');
    expect(await shell(here(web!))).toMatch(/^v[12]$/);
    const explained = await shell(explain![0]!);
    expect(explained).toContain('client identity prefix spiffe://example.com/: yes');
    // The page's user is on the variant that the command says.
    expect(await shell(here(web!))).toBe(explained.includes('-> candidate') ? 'v2' : 'v1');

    const port = await freePort();
    const outward = await freePort();
    const [server, run] = runCalls!;
    const child = spawn('sh', ['-c', `exec ${server!.replace('9443', String(port))}`], {
      cwd: folder,
      stdio: 'ignore',
    });
    alsoKill(child);
    await expect.poll(() => canConnect(port, 'localhost'), { timeout: 20_000 }).toBe(true);
    write('calls.yaml', calls!, [
      ['127.0.0.1:15101', `127.0.0.1:${outward}`],
      ['localhost:9443', `localhost:${port}`],
      ['127.0.0.1:15200', '127.0.0.1:0'],
    ]);
    expect(run).toBe('npx fairlead run -c calls.yaml');
    await sidecar('calls.yaml');
    const page = await shell(call![0]!.replace('15101', String(outward)));
    expect(page).toContain('URI:spiffe://example.com/web');

    const [renew, serial] = rotate!;
    const before = await shell(here(serial!));
    expect(before).toMatch(/^serial=/);
    await shell(renew!);
    await expect.poll(() => shell(here(serial!)), { timeout: 20_000 }).not.toBe(before);
    expect(await shell(here(anybody!))).toBe('v1');
    const now = await shell(here(serial!));
    // The commands of the page write one file after the other, and may have been refused in between as well.
    const mismatches = () =>
      inbound.log().split('the key in shop.key does not belong to the certificate in shop.crt').length;
    const refused = mismatches();
    copyFileSync(join(folder, 'web.key'), join(folder, 'next.key'));
    renameSync(join(folder, 'next.key'), join(folder, 'shop.key'));
    await expect.poll(mismatches, { timeout: 20_000 }).toBeGreaterThan(refused);
    expect(inbound.log()).toContain('refused, nothing was changed');
    expect(inbound.log()).not.toContain('BEGIN');
    expect(await shell(here(serial!))).toBe(now);

    expect(await shell(here(look![0]!))).toContain('Verify return code: 0 (ok)');
  }, 60_000);
});

describe('docs/listeners.md', () => {
  const pages = async () => ({
    configs: await blocks('docs/listeners.md', 'yaml'),
    steps: (await blocks('docs/listeners.md', 'sh')).map(commands),
  });

  it.skipIf(!hasTools('curl', 'haproxy'))(
    'shows the PROXY protocol, with curl and HAProxy',
    async () => {
      const { configs, steps } = await pages();
      expect([configs.length, steps.length]).toEqual([2, 2]);
      const upstream = await rawUpstream((socket, text) => {
        const [address = ''] = /(?<=x-forwarded-for: )\S+/i.exec(text.split('\r\n\r\n').at(-2)!) ?? [];
        if (requestCount(text) > 0)
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${address.length}\r\n\r\n${address}`);
      });
      closers.push(() => upstream.close());
      write('proxied.yaml', `${configs[0]}admin: { address: "127.0.0.1:0", probeAddress: off }\n`, [
        ['0.0.0.0:15106', '127.0.0.1:0'],
        ['127.0.0.1:9001', upstream.endpoint],
      ]);
      const { ports } = await sidecar('proxied.yaml');
      const front = await freePort();
      const [haproxy] = await blocks('docs/listeners.md', 'haproxy');
      const cfg = haproxy!.replace('15106', String(ports.inbound)).replace('8080', String(front));
      writeFileSync(join(folder, 'haproxy.cfg'), cfg);
      alsoKill(spawn('haproxy', ['-db', '-q', '-f', join(folder, 'haproxy.cfg')], { stdio: 'ignore' }));
      await expect.poll(() => canConnect(front), { timeout: 20_000 }).toBe(true);
      const [direct, through] = steps[0]!;
      expect(await shell(direct!.replace('15106', String(ports.inbound)))).toBe('127.0.0.1');
      expect(await shell(through!.replace('8080', String(front)))).toBe('127.0.0.1');
      const other = through!.replace('curl', 'curl --interface 127.0.0.9').replace('8080', String(front));
      expect(await shell(other)).toBe('127.0.0.9');
    },
    30_000,
  );

  it.skipIf(!hasTools('curl'))(
    'shows unix sockets everywhere',
    async () => {
      const { configs, steps } = await pages();
      const shop = join(folder, 'shop');
      mkdirSync(shop);
      const app = createServer((socket) => socket.once('data', () => socket.end(V1)));
      await new Promise<void>((resolve) => app.listen(join(shop, 'app.sock'), resolve));
      closers.push(() => app.close());
      expect(withoutMetadata(parseConfig(configs[1]!, 'docs/listeners.md').issues)).toEqual([]);
      const here = (text: string) => text.replaceAll('/run/shop', shop);
      writeFileSync(
        join(folder, 'unix.yaml'),
        here(configs[1]!).replace('admin.sock" }', 'admin.sock", probeAddress: off }'),
      );
      await sidecar('unix.yaml');
      const [request, upstreams] = steps[1]!;
      expect(await shell(here(request!))).toBe('v1');
      expect(await shell(here(upstreams!))).toContain(join(shop, 'app.sock'));
    },
    30_000,
  );
});
