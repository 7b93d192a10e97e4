/** docs/audit.md and docs/roles.md as somebody would try them: configurations, command lines, and what they print. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { blocks, commands } from '../support/docs.ts';
import { runSidecar } from '../support/process.ts';

const SHIM = join(import.meta.dirname, '../../bin/fairlead.js');
const TOKEN = 'docs-token';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-docs-'));
  for (const name of ['alice', 'bob', 'carol', 'grafana'])
    writeFileSync(join(folder, `${name}.token`), `${name}-1\n`);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A sidecar of the configuration that the page shows, and a shell beside it. */
async function start(doc: string, admin: string) {
  const [example, ...others] = await blocks(doc, 'yaml');
  expect(others).toEqual([]);
  expect(parseConfig(example!, doc).issues).toEqual([]);
  const addresses = `address: 127.0.0.1:0, probeAddress: 127.0.0.1:0${admin}`;
  const config = example!.includes('\nadmin:\n')
    ? example!.replace('\nadmin:\n', '\nadmin:\n  address: 127.0.0.1:0\n  probeAddress: 127.0.0.1:0\n')
    : `${example}admin: { ${addresses} }\n`;
  writeFileSync(
    join(folder, 'config.yaml'),
    `${config}listeners: [{ name: inbound, address: "127.0.0.1:0" }]\n`,
  );
  const sidecar = await runSidecar('config.yaml', folder);
  const url = `http://127.0.0.1:${sidecar.ports.admin}`;
  const shell = async (line: string) => {
    const typed = line.replace('npx fairlead', `'${process.execPath}' '${SHIM}'`);
    const isAsked = / (?:set|approve) /.test(line) || /audit show --/.test(line);
    const env = { ...process.env, FAIRLEAD_ADMIN__TOKEN: '' };
    const run = promisify(execFile)('sh', ['-c', isAsked ? `${typed} --admin ${url}` : typed], {
      cwd: folder,
      env,
    });
    return await run.catch((error: { stdout: string; stderr: string; code: number }) => error);
  };
  const stop = async () => {
    sidecar.child.kill('SIGTERM');
    expect(await sidecar.exited).toBe(0);
  };
  return { url, shell, stop };
}

it('audit.md: a record, whether it is what was written, and looking at it', async () => {
  const { url, shell, stop } = await start('docs/audit.md', `, token: ${TOKEN}`);
  try {
    for (const verb of ['kill', 'clear', 'kill'])
      await fetch(`${url}/v1/experiments/ranking:${verb}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}`, 'x-fairlead-actor': 'alice@laptop' },
      });
    const [verify, ...shows] = (await blocks('docs/audit.md', 'sh')).flatMap(commands);
    const [expected] = await blocks('docs/audit.md', 'text');
    const { stdout } = await shell(verify!);
    expect(stdout.replace(/3:[0-9a-f]{64}/, '3:…')).toBe(expected);
    expect(shows).toHaveLength(3);
    const [weights, target, actor] = await Promise.all(shows.map(async (line) => (await shell(line)).stdout));
    expect(weights).toBe('');
    const [first] = JSON.parse(target!) as Record<string, unknown>[];
    const [shown] = await blocks('docs/audit.md', 'json');
    expect(Object.keys(first!)).toEqual(Object.keys(JSON.parse(shown!)));
    expect(actor!.trimEnd().split('\n')).toHaveLength(3);
  } finally {
    await stop();
  }
}, 60_000);

it('roles.md: a change that takes two people', async () => {
  const { shell, stop } = await start('docs/roles.md', '');
  try {
    const [ask, list, approve, show, ...others] = (await blocks('docs/roles.md', 'sh')).flatMap(commands);
    expect(others).toEqual([]);
    const [expected] = await blocks('docs/roles.md', 'text');
    const general = (text: string) =>
      text
        .replace(/^fairlead: |until \S+/g, '')
        .replace(/until \S+/, '')
        .trim();
    const asked = await shell(ask!);
    expect(asked).toMatchObject({ code: 1 });
    expect(general(asked.stderr)).toContain(general(expected!));
    expect((await shell(list!)).stdout).toMatch(
      /^a1 {2}set-weights fees: .*candidate 10% -> .*candidate 25% {2}by operator:alice/,
    );
    expect((await shell(approve!)).stderr).toContain('approved a1: it is done');
    expect((await shell(show!)).stdout).toMatch(
      /set-weights fees by operator:alice .*, approved by operator:bob/,
    );
  } finally {
    await stop();
  }
}, 60_000);
