/** docs/propagation.md as somebody would try it: both services, the sidecar, and what `check` says before and after. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { withoutMetadata } from '../support/config.ts';
import { blocks, commands } from '../support/docs.ts';
import { freePort } from '../support/free-ports.ts';
import { runSidecar } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

const DOC = 'docs/propagation.md';
const SHIM = join(import.meta.dirname, '../../bin/fairlead.js');

let folder: string;
const closers: (() => unknown)[] = [];
/** The ports that the page names, and the free ones that stand for them. */
const ports = new Map<string, string>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-propagation-'));
  for (const named of ['15106', '15101', '15100', '8080', '8081']) ports.set(named, String(await freePort()));
});
afterAll(async () => {
  for (const close of closers.reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});

function withFreePorts(text: string): string {
  // All at one time: one of the free ones may have the digits of a named one.
  return text.replaceAll(new RegExp([...ports.keys()].join('|'), 'g'), (named) => ports.get(named)!);
}

/** Starts one of the page's services, and waits until it listens. */
async function startService(file: string, port: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [file], { cwd: folder, stdio: 'inherit' });
  closers.push(() => stop(child));
  const endMs = Date.now() + 10_000;
  while (!(await isListening(port))) {
    if (Date.now() > endMs) throw new Error(`${file} does not listen`);
  }
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

function isListening(port: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => setTimeout(() => resolve(false), 10));
  });
}

/** Runs a command line in the folder; what it prints and its exit code. */
function shell(line: string): Promise<{ stdout: string; code: number }> {
  const typed = withFreePorts(line.replace(/^npx fairlead/, `'${process.execPath}' '${SHIM}'`));
  return new Promise((resolve) => {
    execFile('sh', ['-c', typed], { cwd: folder, timeout: 20_000 }, (error, stdout) => {
      resolve({ stdout, code: error === null ? 0 : Number(error.code ?? -1) });
    });
  });
}

it('shows a configuration that is valid, and no other', async () => {
  const [yaml, ...others] = await blocks(DOC, 'yaml');
  expect(others).toEqual([]);
  expect(withoutMetadata(parseConfig(yaml!, DOC).issues)).toEqual([]);
});

it.skipIf(!hasTools('curl'))(
  'a call is joined by what the service copies, and check names one that is not',
  async () => {
    const [yaml] = await blocks(DOC, 'yaml');
    const [shop, stock, ...otherFiles] = await blocks(DOC, 'js');
    expect([shop!.split('\n')[0], stock!.split('\n')[0], otherFiles]).toEqual([
      '// shop.mjs',
      '// stock.mjs',
      [],
    ]);
    const admin = 'admin: { address: "127.0.0.1:15100", probeAddress: off }\nexposures: { enabled: false }\n';
    writeFileSync(join(folder, 'shop.yaml'), withFreePorts(yaml! + admin));
    writeFileSync(join(folder, 'shop.mjs'), withFreePorts(shop!));
    writeFileSync(join(folder, 'stock.mjs'), withFreePorts(stock!));
    const [typed, ...otherLines] = (await blocks(DOC, 'sh')).map(commands);
    expect(otherLines).toEqual([]);
    const [runStock, runShop, runSidecarLine, curl, check, ...more] = typed!;
    expect([runStock, runShop, runSidecarLine, more]).toEqual([
      'node stock.mjs &',
      'node shop.mjs &',
      'npx fairlead run -c shop.yaml &',
      [],
    ]);
    await startService('stock.mjs', ports.get('8081')!);
    const copying = await startService('shop.mjs', ports.get('8080')!);
    const sidecar = await runSidecar('shop.yaml', folder);
    closers.push(() => stop(sidecar.child));
    // On the page it is the default.
    const checkHere = `${check} --admin http://127.0.0.1:15100`;

    expect((await shell(curl!)).stdout).toMatch(/^stock is asked by checkout=(control|candidate)\n$/);
    const [table, advice, ...otherTexts] = await blocks(DOC, 'text');
    expect(otherTexts).toEqual([]);
    expect(await shell(checkHere)).toEqual({ stdout: table, code: 0 });

    await stop(copying);
    writeFileSync(join(folder, 'shop.mjs'), withFreePorts(shop!.replace("['traceparent']", '[]')));
    await startService('shop.mjs', ports.get('8080')!);
    expect((await shell(curl!)).stdout).toBe('stock is asked by somebody\n');
    const { stdout, code } = await shell(checkHere);
    expect([stdout.endsWith(advice!), code]).toEqual([true, 1]);
  },
);
