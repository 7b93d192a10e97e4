/** docs/caching.md, docs/excluded-traffic.md and docs/bridges.md as somebody would try them: real process, curl. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { KNOWN_HEALTH_CHECKS } from '../../src/experiment/traffic-class.ts';
import { snapshotOf } from '../support/config.ts';
import { blocks, commands } from '../support/docs.ts';
import { fixedUpstream } from '../support/peers.ts';
import { runSidecar } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

const PORTS = `
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
admin: { address: off, probeAddress: off }
`;

let folder: string;
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-traffic-'));
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function answering(body: string) {
  const upstream = await fixedUpstream(
    `HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  closers.push(() => upstream.close());
  return upstream;
}

/** The page's first configuration with `ports` for those in it, run; answers what its command lines print. */
async function outputsOf(file: string, config: string, endpoints: Record<string, string>): Promise<string[]> {
  let text = config + PORTS;
  for (const [shown, real] of Object.entries(endpoints)) text = text.replace(shown, real);
  await writeFile(join(folder, 'fairlead.yaml'), text);
  const sidecar = await runSidecar('fairlead.yaml', folder);
  closers.push(async () => {
    sidecar.child.kill('SIGTERM');
    await sidecar.exited;
  });
  const outputs: string[] = [];
  for (const line of (await blocks(file, 'sh')).flatMap(commands)) {
    const child = spawn('sh', ['-c', line.replace('127.0.0.1:15106', `127.0.0.1:${sidecar.ports.inbound}`)]);
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    await once(child, 'close');
    outputs.push(output.toLowerCase());
  }
  return outputs;
}

describe('docs/caching.md', () => {
  it.skipIf(!hasTools('curl'))('shows routes that tell caches what it says', async () => {
    const [config, ...others] = await blocks('docs/caching.md', 'yaml');
    const { endpoint } = await answering('page');
    const [pages, account, rest, ...more] = await outputsOf('docs/caching.md', config!, {
      '127.0.0.1:9001': endpoint,
    });
    expect([...others, ...more]).toEqual([]);
    expect(pages).toContain('\r\nvary: x-cache-key-variant\r\n');
    expect(pages).toContain('\r\nx-cache-key-variant: ranking=candidate\r\n');
    expect(account).toContain('\r\ncache-control: private\r\n');
    expect(rest).toMatch(/\r\nvary: x-experiment, x-experiment-override, baggage, cookie, x-user-id\r\n/);
    expect(rest).not.toContain('private');
  });
});

describe('docs/excluded-traffic.md', () => {
  it('names every health checker that is known', async () => {
    const page = (
      await readFile(join(import.meta.dirname, '../../docs/excluded-traffic.md'), 'utf8')
    ).replaceAll('\n', ' ');
    expect(KNOWN_HEALTH_CHECKS.filter((agent) => !page.includes(`\`${agent}\``))).toEqual([]);
  });

  it.skipIf(!hasTools('curl'))(
    'shows requests that are excluded, and one that a tester has forced',
    async () => {
      const [config, ...others] = await blocks('docs/excluded-traffic.md', 'yaml');
      const { endpoint } = await answering('shop');
      const outputs = await outputsOf('docs/excluded-traffic.md', config!, { '127.0.0.1:9001': endpoint });
      const reasons = outputs.map((output) => /x-experiment-reason: ranking=(.*)\r/.exec(output)?.[1]);
      expect(others).toEqual([]);
      expect(reasons).toEqual([
        'excluded:health-check',
        'excluded:health-check',
        'excluded:bot',
        'excluded:synthetic',
        'override',
      ]);
      const variants = outputs.map((output) => /x-fairlead-variant: ranking=(.*)\r/.exec(output)?.[1]);
      expect(variants).toEqual(['control', 'control', 'control', 'control', 'candidate']);
    },
  );
});

describe('docs/bridges.md', () => {
  it.skipIf(!hasTools('curl'))('shows routing keys that reach the copy of the service', async () => {
    const [, , config, ...others] = await blocks('docs/bridges.md', 'yaml');
    const shop = await answering('shop');
    const next = await answering('next');
    const outputs = await outputsOf('docs/bridges.md', config!, {
      '127.0.0.1:9001': shop.endpoint,
      '127.0.0.1:9002': next.endpoint,
    });
    expect(others).toEqual([]);
    expect(outputs).toEqual(['next', 'next', 'next', 'next', 'next']);
  });

  it('shows weights for Envoy that are those of the variants, in their order', async () => {
    const [config, envoy] = await blocks('docs/bridges.md', 'yaml');
    const experiment = snapshotOf(config!).experiments.get('ranking')!;
    const clusters = [...envoy!.matchAll(/\{ name: (\w+), weight: (\d+) \}/g)];
    expect(clusters.map(([, name, weight]) => [name, Number(weight)])).toEqual(
      experiment.variants.map(({ name, weightPpm }) => [name, weightPpm]),
    );
    expect(envoy).toContain(`header_name: ${experiment.bucketHeader}\n`);
  });
});
