/** docs/overload.md as somebody would try it: its configuration is valid, and its command lines do what they say. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { SHED } from '../../src/resilience/load-signal.ts';
import { blocks, commands } from '../support/docs.ts';
import { fixedUpstream, type RawUpstream } from '../support/peers.ts';
import { runSidecar } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

const DOC = 'docs/overload.md';

let folder: string;
let upstream: RawUpstream;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-docs-'));
  upstream = await fixedUpstream('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
});

afterAll(async () => {
  await upstream.close();
  await rm(folder, { recursive: true, force: true });
});

it('shows configurations that are valid, and warns of nothing', async () => {
  const examples = await blocks(DOC, 'yaml');
  expect(examples).toHaveLength(1);
  for (const example of examples) expect(parseConfig(example, DOC).issues).toEqual([]);
});

it('names what is shed, in its order', async () => {
  const text = await readFile(join(import.meta.dirname, '../..', DOC), 'utf8');
  const rows = [...text.matchAll(/^\| (\d) \| `(\w+)` \|/gm)].map(([, level, what]) => [Number(level), what]);
  expect(rows).toEqual(SHED.map((what, index) => [index + 1, what]));
});

describe.skipIf(!hasTools('curl'))('its commands', () => {
  it('refuse the fourth request of a key, and show it', async () => {
    const [example] = await blocks(DOC, 'yaml');
    const config = example!
      .replace('127.0.0.1:9001', upstream.endpoint)
      .replace('127.0.0.1:9002', upstream.endpoint);
    const ports = `
listeners: [{ name: inbound, address: "127.0.0.1:0" }]
admin: { address: 127.0.0.1:0, probeAddress: 127.0.0.1:0 }
`;
    await writeFile(join(folder, 'shop.yaml'), config + ports);
    const sidecar = await runSidecar('shop.yaml', folder);
    try {
      const [[run, ...others], lines] = (await blocks(DOC, 'sh')).map(commands) as [string[], string[]];
      expect([run, others]).toEqual(['npx fairlead run -c shop.yaml', []]);
      const outputs: string[] = [];
      for (const line of lines) {
        const typed = line
          .replace('127.0.0.1:15106', `127.0.0.1:${sidecar.ports.inbound}`)
          .replace('127.0.0.1:15100', `127.0.0.1:${sidecar.ports.admin}`);
        outputs.push((await promisify(execFile)('sh', ['-c', typed])).stdout);
      }
      const [shown] = await blocks(DOC, 'text');
      expect(outputs.slice(0, 2).join('').trim()).toBe(shown!.trim());
      const view = JSON.parse(outputs[2]!) as { rateLimits: { name: string; limited: number }[] };
      expect(view.rateLimits.find(({ name }) => name === 'api')).toMatchObject({
        limited: 1,
        isByUnit: true,
      });
    } finally {
      sidecar.child.kill('SIGTERM');
      expect(await sidecar.exited).toBe(0);
    }
  });
});
