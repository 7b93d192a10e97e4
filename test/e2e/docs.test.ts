/** What README.md and the docs tell people to type, typed: every command line and configuration in them. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { withoutMetadata } from '../support/config.ts';
import { blocks, commands } from '../support/docs.ts';
import { fixedUpstream, type RawUpstream } from '../support/peers.ts';
import { type RunningProcess, runSidecar } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

const ROOT = join(import.meta.dirname, '../..');
const SHIM = join(ROOT, 'bin/fairlead.js');

let folder: string;
let upstreams: RawUpstream[];
let sidecar: RunningProcess & { readonly ports: Readonly<Record<string, number>> };

/** README's configuration, with free ports in place of its own. */
async function exampleConfig(): Promise<string> {
  const [example] = await blocks('README.md', 'yaml');
  return example!
    .replace('127.0.0.1:9001', upstreams[0]!.endpoint)
    .replace('127.0.0.1:9002', upstreams[1]!.endpoint);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairlead-docs-'));
  upstreams = [
    await fixedUpstream('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nv1'),
    await fixedUpstream('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nv2'),
  ];
  const example = await exampleConfig();
  await writeFile(join(folder, 'checkout.yaml'), example);
  const ports = `
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
admin: { address: 127.0.0.1:0, probeAddress: 127.0.0.1:0, token: docs-token }
`;
  await writeFile(join(folder, 'free-ports.yaml'), example + ports);
  sidecar = await runSidecar('free-ports.yaml', folder);
});

afterAll(async () => {
  sidecar.child.kill('SIGTERM');
  expect(await sidecar.exited).toBe(0);
  await Promise.all(upstreams.map((upstream) => upstream.close()));
  await rm(folder, { recursive: true, force: true });
});

function shell(command: string): Promise<{ stdout: string; stderr: string }> {
  const line = command
    .replace(/^npx fairlead/, `'${process.execPath}' '${SHIM}'`)
    .replace('127.0.0.1:15106', `127.0.0.1:${sidecar.ports.inbound}`)
    .replace('127.0.0.1:15100', `127.0.0.1:${sidecar.ports.admin}`);
  return promisify(execFile)('sh', ['-c', line], {
    cwd: folder,
    env: { ...process.env, TOKEN: 'docs-token' },
  });
}

describe('README.md', () => {
  it('shows a configuration that is valid', async () => {
    const [example, ...others] = await blocks('README.md', 'yaml');
    expect(others).toEqual([]);
    expect(parseConfig(example!, 'README.md').issues).toEqual([]);
  });

  it('names the commands that package.json has', async () => {
    const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
    const [setUp] = await blocks('README.md', 'sh');
    expect(commands(setUp!)).toEqual(['npm ci && npm start', 'npm ci && npm test']);
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(['start', 'test']));
  });

  it('shows fairlead commands that do what they say', async () => {
    const lines = (await blocks('README.md', 'sh'))
      .flatMap(commands)
      .filter((line) => line.startsWith('npx fairlead'));
    const [validate, explain, run, ...others] = lines;
    expect((await shell(validate!)).stdout).toContain('checkout.yaml: valid');
    expect((await shell(explain!)).stdout).toMatch(/-> (control|candidate) \(split:/);
    // The sidecar of these tests is that command, with free ports.
    expect(run).toBe('npx fairlead run -c checkout.yaml');
    expect(others).toEqual([]);
  });

  it.skipIf(!hasTools('curl'))('shows curl lines that do what they say', async () => {
    const lines = (await blocks('README.md', 'sh'))
      .flatMap(commands)
      .filter((line) => line.startsWith('curl'));
    const [user, override, ...others] = lines;
    const first = (await shell(user!)).stdout;
    expect(['v1', 'v2']).toContain(first);
    expect((await shell(user!)).stdout).toBe(first);
    expect((await shell(override!)).stdout).toBe('v2');
    expect(others).toEqual([]);
  });
});

describe('docs', () => {
  it.skipIf(!hasTools('curl'))('admin-api.md shows a change that is made', async () => {
    const lines = (await blocks('docs/admin-api.md', 'sh')).flatMap(commands);
    expect(lines).toHaveLength(1);
    expect((await shell(lines[0]!)).stdout).toContain('25%');
  });

  it('breakers.md shows settings that are valid', async () => {
    const fragments = await blocks('docs/breakers.md', 'yaml');
    expect(fragments.length).toBeGreaterThan(0);
    for (const fragment of fragments) {
      const experiment = fragment.replaceAll(/^/gm, '    ');
      const text = `version: 1\nupstreams: { v1: "127.0.0.1:9001" }\nroutes: [{ name: all, upstream: v1, experiments: [e] }]\nexperiments:\n  e:\n    variants: { control: {}, candidate: { weight: 1% } }\n${experiment}`;
      expect(withoutMetadata(parseConfig(text, 'docs/breakers.md').issues)).toEqual([]);
    }
  });
});
