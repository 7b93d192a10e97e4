/** docs/seeing-why.md as somebody would try it: the files, a sidecar, and every command with what it prints. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/parse.ts';
import { blocks } from '../support/docs.ts';
import { runSidecar } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

const DOC = 'docs/seeing-why.md';
const ROOT = join(import.meta.dirname, '../..');
const SHIM = join(ROOT, 'bin/fairlead.js');
const TOKEN = { FAIRLEAD_ADMIN__TOKEN: 'try-me' };

let folder: string;
let sidecar: Awaited<ReturnType<typeof runSidecar>>;
let admin: string;
let inbound: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-seeing-'));
  const [shop, ...others] = await blocks(DOC, 'yaml');
  expect([parseConfig(shop!, DOC).issues.filter(({ severity }) => severity === 'error'), others]).toEqual([
    [],
    [],
  ]);
  const ports = `
listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]
admin: { address: "127.0.0.1:0", probeAddress: "127.0.0.1:0" }
`;
  const next = shop!.replace('weight: 10%', 'weight: 30%').replace('range: 0%-50%', 'range: 0%-40%');
  writeFileSync(join(folder, 'shop.yaml'), shop! + ports);
  writeFileSync(join(folder, 'next.yaml'), next + ports);
  sidecar = await runSidecar('shop.yaml', folder, [], TOKEN);
  admin = `127.0.0.1:${sidecar.ports.admin}`;
  inbound = `127.0.0.1:${sidecar.ports.inbound}`;
});
afterAll(async () => {
  sidecar.child.kill('SIGTERM');
  expect(await sidecar.exited).toBe(0);
  rmSync(folder, { recursive: true });
});

/** Where a command has no `--admin` on the page, it is the default address that is meant. */
function here(command: string): string {
  const isRunningMeant = / set | plan (?!.*--against)/.test(command);
  return command
    .replaceAll('127.0.0.1:15100', admin)
    .replaceAll('127.0.0.1:15106', inbound)
    .replace(/npx fairlead (set weight|plan)/, isRunningMeant ? `$& --admin http://${admin}` : '$&')
    .replace('npx fairlead', `'${process.execPath}' '${SHIM}'`);
}

function shell(command: string): Promise<{ stdout: string; code: number }> {
  return new Promise((resolve) => {
    execFile(
      'sh',
      ['-c', here(command)],
      { cwd: folder, env: { ...process.env, ...TOKEN } },
      (error, stdout) => resolve({ stdout, code: typeof error?.code === 'number' ? error.code : 0 }),
    );
  });
}

/** The hash of a file with other ports is another. */
const withoutHash = (text: string): string => text.replaceAll(/hash [0-9a-f]{12} -> [0-9a-f]{12}/g, 'hash');

it.skipIf(!hasTools('curl', 'grep', 'printf', 'sed'))(
  'prints what the page shows, and its exit code is what the page says',
  async () => {
    const page = readFileSync(join(ROOT, DOC), 'utf8');
    const shown = [...page.matchAll(/```sh\n([^`]*)```\n\n```text\n([^`]*)```/g)];
    const typed = (await blocks(DOC, 'sh')).filter(
      (block) => !shown.some(([, command]) => command === block),
    );
    expect(typed).toEqual(['export FAIRLEAD_ADMIN__TOKEN=try-me\nnpx fairlead run -c shop.yaml &\n']);
    const codes: number[] = [];
    for (const [, command, text] of shown) {
      const { stdout, code } = await shell(command!.trim());
      expect([command, withoutHash(stdout)]).toEqual([command, withoutHash(text!)]);
      codes.push(code);
    }
    // The plan against a file has changes; of the one that is piped, grep says that it found some.
    expect(codes).toEqual([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  },
  60_000,
);

it('has no changes to tell of when the sidecar has the file already, and says so by its exit code', async () => {
  expect(await shell('npx fairlead plan shop.yaml --against shop.yaml')).toMatchObject({ code: 0 });
  writeFileSync(join(folder, 'broken.yaml'), 'version: 2\n');
  expect(await shell('npx fairlead plan broken.yaml')).toEqual({ stdout: '', code: 3 });
});

it('plans on top of what was set in a running sidecar', async () => {
  await shell("npx fairlead set weight banner large=40% --reason 'more'");
  // The file says nothing new of the banner, so what was set at run time stays.
  const { stdout, code } = await shell('npx fairlead plan shop.yaml');
  expect([stdout, code]).toEqual([expect.stringMatching(/^no changes/), 0]);
  const { stdout: next } = await shell('npx fairlead plan next.yaml -o json');
  const { experiments } = JSON.parse(next) as {
    experiments: { name: string; before: string; moves: unknown[] }[];
  };
  const banner = experiments.find(({ name }) => name === 'banner')!;
  expect(banner.before).toBe('running, control 35%, large 40%, small 25%');
  expect(banner.moves).toHaveLength(3);
});

it.skipIf(!hasTools('curl'))('explains an open breaker of a running sidecar', async () => {
  await shell(
    `curl -sf -X POST -H "authorization: Bearer $FAIRLEAD_ADMIN__TOKEN" -H 'content-type: application/json' -d '{}' http://127.0.0.1:15100/v1/breakers/all/ranking/candidate:trip`,
  );
  const ask = `npx fairlead explain --admin http://127.0.0.1:15100 / -H 'x-experiment-override: ranking=candidate'`;
  expect((await shell(ask)).stdout).toContain(
    '-> candidate (override), upstream v2; breaker: open, so control serves\n    served control: the breaker is open',
  );
  const { code, stdout } = await shell(ask.replace('npx', 'FAIRLEAD_ADMIN__TOKEN=wrong npx'));
  expect([code, stdout]).toEqual([7, '']);
});

it('needs a file or a sidecar, and not both', async () => {
  expect(await shell('npx fairlead explain /')).toEqual({ stdout: '', code: 2 });
  expect(await shell('npx fairlead explain -c shop.yaml --admin http://127.0.0.1:15100 /')).toMatchObject({
    code: 2,
  });
});
