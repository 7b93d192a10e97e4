/** What docs/endpoints.md says of balancing, outliers and connections is so; its commands, with one process and with two workers. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blocks, commands } from '../support/docs.ts';
import { fixedUpstream, type RawUpstream } from '../support/peers.ts';
import { snapshotOf } from '../support/plane.ts';
import { runSidecar } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

const DOC = 'docs/endpoints.md';
const SHIM = join(import.meta.dirname, '../../bin/fairlead.js');
const TOKEN = 'docs-token';

let folder: string;
let upstreams: RawUpstream[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-docs-'));
  upstreams = await Promise.all(
    ['7', '8', '9'].map((name) => fixedUpstream(`HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n${name}`)),
  );
});

afterAll(async () => {
  await Promise.all(upstreams.map((upstream) => upstream.close()));
  await rm(folder, { recursive: true, force: true });
});

/** The one configuration that has these words. */
async function withWords(...words: readonly string[]): Promise<string> {
  const found = (await blocks(DOC, 'yaml')).filter((block) => words.every((word) => block.includes(word)));
  expect(found).toHaveLength(1);
  return found[0]!;
}

const byDefault = () =>
  snapshotOf('version: 1\nupstreams: { app: ["a.test:1", "b.test:1"] }\n').upstreams.get('app')!;

describe('the configurations', () => {
  it('show all settings of outliers, with their defaults but for slowerThan', async () => {
    const { outlier, panicRatio } = snapshotOf(await withWords('slowerThan')).upstreams.get('app')!;
    expect(outlier).toEqual({ ...byDefault().outlier, slowerThan: 3 });
    expect(panicRatio).toBe(byDefault().panicRatio);
  });

  it('say what the defaults of connections are', () => {
    expect(byDefault()).toMatchObject({
      balance: 'leastRequest',
      connectionsMax: 1024,
      pendingMax: 0,
      pendingTimeoutMs: 1000,
      connectionRequestsMax: Number.POSITIVE_INFINITY,
      connectionMaxAgeMs: Number.POSITIVE_INFINITY,
      slowStartMs: 0,
      drainTimeoutMs: 600_000,
    });
  });
});

describe.skipIf(!hasTools('curl'))('the commands', () => {
  it.each([['one process', ''], ...(process.platform === 'linux' ? [['two workers', 'workers: 2\n']] : [])])(
    'take an endpoint out and let it back in (%s)',
    async (_, workers) => {
      let config = `${await withWords('slowStart')}${workers}
listeners: [{ name: inbound, address: "127.0.0.1:0" }]
admin: { address: 127.0.0.1:0, probeAddress: 127.0.0.1:0, token: ${TOKEN} }
`;
      for (const [index, { endpoint }] of upstreams.entries())
        config = config.replace(`10.0.3.${7 + index}:8080`, endpoint);
      await writeFile(join(folder, 'app.yaml'), config);
      const sidecar = await runSidecar('app.yaml', folder);
      const run = async (file: string, args: readonly string[]): Promise<string> => {
        const env = { ...process.env, TOKEN, FAIRLEAD_ADMIN__TOKEN: TOKEN };
        return (await promisify(execFile)(file, args, { cwd: folder, env })).stdout;
      };
      const shell = (line: string): Promise<string> =>
        run('sh', [
          '-c',
          line
            .replace(
              /^npx fairlead (.*)/,
              `'${process.execPath}' '${SHIM}' $1 --admin http://127.0.0.1:15100`,
            )
            .replace('127.0.0.1:15100', `127.0.0.1:${sidecar.ports.admin}`)
            .replace('10.0.3.8:8080', upstreams[1]!.endpoint),
        ]);
      const shown = () =>
        run(process.execPath, [
          SHIM,
          'get',
          'upstreams',
          '--admin',
          `http://127.0.0.1:${sidecar.ports.admin}`,
        ]);
      const answers = async (count: number): Promise<Set<string>> => {
        const found = new Set<string>();
        for (let i = 0; i < count; i++)
          found.add(await (await fetch(`http://127.0.0.1:${sidecar.ports.inbound}/`)).text());
        return found;
      };
      try {
        const lines = (await blocks(DOC, 'sh')).flatMap(commands);
        expect(lines).toHaveLength(4);
        for (const [out, back] of [lines.slice(0, 2), lines.slice(2)] as [string, string][]) {
          await shell(out);
          // Of a worker that is busy the last known state is shown.
          await expect.poll(shown).toContain(`app        ${upstreams[1]!.endpoint}   draining`);
          expect(await answers(12)).toEqual(new Set(['7', '9']));
          await shell(back);
          await expect.poll(shown).not.toContain('draining');
        }
      } finally {
        sidecar.child.kill('SIGTERM');
        await sidecar.exited;
      }
    },
    30_000,
  );
});
