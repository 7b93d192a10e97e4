/** docs/collection.md as somebody would try it: the configuration, the commands, and what comes out. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { metricsOf } from '../../src/config/compile-analysis.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { BUILT_IN } from '../../src/config/schema-analysis.ts';
import { FOLLOWED_MAX } from '../../src/control/analysis.ts';
import { blocks, commands } from '../support/docs.ts';
import { fixedUpstream, type RawUpstream } from '../support/peers.ts';
import { runSidecar } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

const DOC = 'docs/collection.md';
let folder: string;
let upstream: RawUpstream;
const closers: (() => unknown)[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-docs-'));
  upstream = await fixedUpstream('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nv1');
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await upstream.close();
  rmSync(folder, { recursive: true });
});

describe(DOC, () => {
  it('shows a configuration that is valid, and names every metric that is built in', async () => {
    const [example] = await blocks(DOC, 'yaml');
    const { config, issues } = parseConfig(example!, DOC);
    expect(issues.map(({ message }) => message)).toEqual([]);
    const shown = metricsOf(config!.experiments.ranking!.analysis!).map(({ name }) => name);
    expect(shown).toEqual(['errors', 'latency', 'p99', 'cost', 'bought']);
    const text = readFileSync(join(import.meta.dirname, '../..', DOC), 'utf8');
    for (const name of BUILT_IN) expect(text).toContain(`\`${name}\``);
    expect(text).toContain(FOLLOWED_MAX.toLocaleString('en'));
  });

  it.skipIf(!hasTools('curl'))('has an example that does what it says', async () => {
    const [example] = await blocks(DOC, 'yaml');
    const [lines] = await blocks(DOC, 'sh');
    const [start, request, post, history, ...others] = commands(lines!);
    expect([start, others]).toEqual(['npx fairlead run -c shop.yaml', []]);
    const text = example!
      .replace('127.0.0.1:9001', upstream.endpoint)
      .replace('admin:\n', 'admin:\n  address: "127.0.0.1:0"\n  probeAddress: "off"\n');
    const listeners = 'listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]\n';
    writeFileSync(
      join(folder, 'shop.yaml'),
      `${text}${listeners}accessLog: { enabled: false }\nexposures: { enabled: false }\n`,
    );
    const sidecar = await runSidecar('shop.yaml', folder);
    closers.push(async () => {
      sidecar.child.kill('SIGTERM');
      await sidecar.exited;
    });
    const shell = async (line: string): Promise<string> => {
      const own = line
        .replace('127.0.0.1:15106', `127.0.0.1:${sidecar.ports.inbound}`)
        .replace('127.0.0.1:15100', `127.0.0.1:${sidecar.ports.admin}`);
      return (await promisify(execFile)('sh', ['-c', own], { cwd: folder })).stdout;
    };
    await shell(request!);
    const [answer] = await blocks(DOC, 'json');
    expect(JSON.parse(await shell(post!))).toEqual(JSON.parse(answer!));
    expect(JSON.parse(await shell(history!))).toMatchObject({
      intervalMs: 5000,
      variants: ['control', 'candidate'],
    });
  });
});
