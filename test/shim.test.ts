/** bin/fairlead.js on a Node that is too old: pretended by a preload, since the tests themselves run on a new one. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const SHIM = join(import.meta.dirname, '../bin/fairlead.js');
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-shim-'));
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } });`;
  writeFileSync(join(folder, 'always-old.cjs'), pretend);
  // Only the first start is old; the one that the shim makes is what it is.
  writeFileSync(join(folder, 'first-old.cjs'), `if (!process.env._FAIRLEAD_REEXEC) { ${pretend} }`);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(shim: string, preload: string, ...argv: string[]) {
  return spawnSync(process.execPath, ['-r', join(folder, preload), shim, ...argv], { encoding: 'utf8' });
}

/** An installation of the package alone: the shim, a bundle, no Node beside it. */
function install(name: string, bundle: string): string {
  const root = join(folder, name, 'fairlead');
  mkdirSync(join(root, 'bin'), { recursive: true });
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(join(root, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(root, 'dist/fairlead.js'), bundle);
  cpSync(SHIM, join(root, 'bin/fairlead.js'));
  return join(root, 'bin/fairlead.js');
}

test('an old Node starts the Node of node_modules, with the same arguments and exit code', () => {
  const version = run(SHIM, 'first-old.cjs', 'version', '-o', 'json');
  expect(version.stderr).toBe('');
  expect(JSON.parse(version.stdout).node).toMatch(/^24\./);
  expect(version.status).toBe(0);
  expect(run(SHIM, 'first-old.cjs', 'frobnicate').status).toBe(2);
});

test('where there is none it says what is needed and exits 78', () => {
  const result = run(install('alone', ''), 'always-old.cjs', 'version');
  expect(result.status).toBe(78);
  expect(result.stdout).toBe('');
  expect(result.stderr).toContain('Node 24 or newer is needed and this is Node 20.20.2');
});

test('a Node in node_modules that is itself too old is not started again and again', () => {
  const result = run(SHIM, 'always-old.cjs', 'version');
  expect(result.status).toBe(78);
  expect(result.stderr).toContain('Node 24 or newer is needed');
});

test('without src it runs the bundle, and uses a Node installed beside the package', () => {
  const shim = install(
    'beside',
    'export const start = () => console.log(process.argv[2], process.versions.node);',
  );
  const direct = spawnSync(process.execPath, [shim, 'hello'], { encoding: 'utf8' });
  expect(direct.stdout).toBe(`hello ${process.versions.node}\n`);
  mkdirSync(join(folder, 'beside/.bin'));
  symlinkSync(process.execPath, join(folder, 'beside/.bin/node'));
  expect(run(shim, 'first-old.cjs', 'hello').stdout).toBe(`hello ${process.versions.node}\n`);
});

test('a package without src and without a bundle says so', () => {
  const shim = install('empty', '');
  rmSync(join(folder, 'empty/fairlead/dist'), { recursive: true });
  const result = spawnSync(process.execPath, [shim, 'version'], { encoding: 'utf8' });
  expect(result.status).toBe(78);
  expect(result.stderr).toContain('nothing to run');
});

test('a sidecar starts with little memory, as the same process, and passes options on', () => {
  const report =
    'export const start = () => console.log(JSON.stringify([process.pid, process.execArgv, process.argv.slice(2), process.env.MALLOC_ARENA_MAX ?? null]));';
  const shim = install('lean', report);
  const env = { ...process.env };
  delete env.MALLOC_ARENA_MAX;
  const started = (environment: NodeJS.ProcessEnv, ...argv: string[]) => {
    const result = spawnSync(process.execPath, ['--no-warnings', shim, ...argv], {
      encoding: 'utf8',
      env: environment,
    });
    expect(result.stderr).toBe('');
    return { pid: result.pid, said: JSON.parse(result.stdout) };
  };
  const lean = started(env, 'run', '-c', 'x.yaml');
  expect(lean.said[0]).toBe(lean.pid);
  expect(lean.said.slice(1)).toEqual([
    [
      '--min-semi-space-size=2',
      '--max-semi-space-size=2',
      '--heap-growing-percent=30',
      '--no-maglev',
      '--max-inlined-bytecode-size-cumulative=3000',
      '--max-inlined-bytecode-size=1000',
      '--v8-pool-size=1',
      '--bytecode-old-age=1',
      '--expose-gc',
      '--no-warnings',
    ],
    ['run', '-c', 'x.yaml'],
    '1',
  ]);
  expect(started(env, 'version').said[1]).toEqual(['--no-warnings']);
  const own = started({ ...env, MALLOC_ARENA_MAX: '4' }, 'run');
  expect(own.said.slice(1)).toEqual([['--no-warnings'], ['run'], '4']);
});
