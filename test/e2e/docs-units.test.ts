/** docs/units.md as somebody would try it: every configuration and every command, in order, and what it says of them. */
import { type ChildProcess, execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { blocks, commands } from '../support/docs.ts';
import { fixedUpstream } from '../support/peers.ts';
import { runSidecar } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

const PAGE = 'docs/units.md';
const SHIM = join(import.meta.dirname, '../../bin/fairlead.js');
const V1 = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nv1';

let folder: string;
let closers: (() => unknown)[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-units-'));
  closers = [() => rmSync(folder, { recursive: true, force: true })];
});
afterEach(async () => {
  for (const close of closers.reverse()) await close();
});

function alsoKill(child: ChildProcess): void {
  closers.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
}

/** Types a block of the page into a shell in the folder; what it prints. */
async function type(script: string): Promise<string> {
  const typed = script.replaceAll(/^npx fairlead/gm, `'${process.execPath}' '${SHIM}'`);
  const { stdout } = await promisify(execFile)('sh', ['-ec', typed], { cwd: folder, timeout: 30_000 });
  return stdout;
}

/** The lines of a block, in the order of the page, are lines of what was printed. */
function expectLines(printed: string, block: string): void {
  const lines = printed.split('\n').map((line) => line.trim());
  let at = 0;
  for (const line of block.trimEnd().split('\n')) {
    expect(lines.slice(at)).toContain(line);
    at = lines.indexOf(line, at) + 1;
  }
}

async function upstream(response: string): Promise<string> {
  const started = await fixedUpstream(response);
  closers.push(() => started.close());
  return started.endpoint;
}

describe.skipIf(!hasTools('openssl', 'curl'))(PAGE, () => {
  it('shows an example that works from the first line to the last', async () => {
    const [units, shop, ...otherConfigs] = await blocks(PAGE, 'yaml');
    const [explainUnits, makeToken, explainToken, run, ask, ...otherCommands] = await blocks(PAGE, 'sh');
    const [unitLines, tokenLines, askLines, ...otherLines] = await blocks(PAGE, 'text');
    expect([otherConfigs, otherCommands, otherLines]).toEqual([[], [], []]);
    for (const text of [units!, shop!]) expect(parseConfig(text, PAGE).issues).toEqual([]);

    writeFileSync(join(folder, 'units.yaml'), units!);
    expectLines(await type(explainUnits!), unitLines!);

    const [v1, v2] = [await upstream(V1), await upstream(V1.replace('v1', 'v2'))];
    const own = shop!.replace('127.0.0.1:9001', v1).replace('127.0.0.1:9002', v2);
    const ports =
      'listeners: [{ name: inbound, address: "127.0.0.1:0" }]\nadmin: { address: "127.0.0.1:0", probeAddress: off }\n';
    writeFileSync(join(folder, 'shop.yaml'), own + ports);
    await type(makeToken!);
    expectLines(await type(explainToken!), tokenLines!);

    expect(commands(run!)).toEqual(['npx fairlead run -c shop.yaml']);
    const sidecar = await runSidecar('shop.yaml', folder);
    alsoKill(sidecar.child);
    expectLines(await type(ask!.replaceAll('15106', String(sidecar.ports.inbound))), askLines!);
    const answered = (name: string) => readFileSync(join(folder, name), 'utf8');
    expect(['visitor.txt', 'user.txt', 'other-device.txt'].map(answered)).toEqual(['v1', 'v1', 'v2']);
  }, 60_000);
});
