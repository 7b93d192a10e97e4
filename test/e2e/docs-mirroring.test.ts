/** docs/mirroring.md as somebody would try it: what it shows is valid, and its command lines find what it says they find. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { withExperiment, withoutMetadata } from '../support/config.ts';
import { blocks, commands } from '../support/docs.ts';
import { runSidecar } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

const DOC = 'docs/mirroring.md';
const SHIM = join(import.meta.dirname, '../../bin/fairlead.js');

let folder: string;
let servers: Server[];

/** The services of the example. */
async function service(price: unknown): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ at: performance.now(), items: [{ id: 1, price }], meta: { took: 1 } }));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-docs-'));
  servers = [];
});

afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await rm(folder, { recursive: true, force: true });
});

it('shows settings that are valid', async () => {
  const [whole, rollout] = (await blocks(DOC, 'yaml')) as [string, string];
  expect(parseConfig(whole, DOC).issues).toEqual([]);
  const upstreams = 'version: 1\nupstreams: { v1: "127.0.0.1:9001", v2: "127.0.0.1:9002" }\n';
  const routes = 'routes: [{ name: all, upstream: v1, experiments: [ranking] }]\n';
  expect(withoutMetadata(parseConfig(upstreams + routes + rollout, DOC).issues)).toEqual([]);
  const text = await readFile(join(import.meta.dirname, '../..', DOC), 'utf8');
  const [contract] = /contract: \{.*\}/.exec(text)!;
  const mirror = `mirror: { share: 5%, ${contract} }`;
  expect(withoutMetadata(parseConfig(withExperiment(mirror), DOC).issues)).toEqual([]);
});

describe.skipIf(!hasTools('curl', 'seq'))('its commands', () => {
  it('find the price that is a text, and leave the time out', async () => {
    const [example] = await blocks(DOC, 'yaml');
    const config = example!
      .replace('127.0.0.1:9001', await service(10))
      .replace('127.0.0.1:9002', await service('10'));
    const ports = `
listeners: [{ name: inbound, address: "127.0.0.1:0" }]
admin: { address: 127.0.0.1:0, probeAddress: 127.0.0.1:0, token: docs-token }
`;
    await writeFile(join(folder, 'shop.yaml'), config + ports);
    const sidecar = await runSidecar('shop.yaml', folder);
    const type = (line: string): Promise<{ code: number; out: string }> => {
      const admin = `http://127.0.0.1:${sidecar.ports.admin}`;
      const typed = line
        .replace(
          /^npx fairlead (.*)/,
          `'${process.execPath}' '${SHIM}' $1 --token docs-token --admin ${admin}`,
        )
        .replace('127.0.0.1:15106', `127.0.0.1:${sidecar.ports.inbound}`)
        .replace('http://127.0.0.1:15100', admin);
      return new Promise((resolve) => {
        execFile('sh', ['-c', typed], (error, out) => resolve({ code: Number(error?.code ?? 0), out }));
      });
    };
    try {
      const [[run], [send, diffs, get], [forget]] = (await blocks(DOC, 'sh')).map(commands) as [
        string[],
        string[],
        string[],
      ];
      expect(run).toBe('npx fairlead run -c shop.yaml');
      await type(send!);
      const view = async () => JSON.parse((await type(get!)).out) as { compared: number };
      await expect.poll(async () => (await view()).compared, { timeout: 20_000 }).toBe(20);
      const { code, out } = await type(diffs!);
      expect(code).toBe(1);
      const [shown] = await blocks(DOC, 'text');
      expect(plain(out)).toEqual(plain(shown!));
      await type(forget!);
      expect((await view()).compared).toBe(0);
    } finally {
      sidecar.child.kill('SIGTERM');
      expect(await sidecar.exited).toBe(0);
    }
  });
});

/** Without what is another each time: the time, latencies, lengths. */
function plain(text: string): string[] {
  return text
    .trim()
    .split('\n')
    .map((line) =>
      line
        .replace(/since .*/, 'since')
        .replace(/^(control|candidate) .*/, '$1')
        .replace(/ +/g, ' ')
        .trim(),
    );
}
