#!/usr/bin/env node
// The command `fairlead`. Plain JavaScript that an old Node can still read: it finds a Node that can run the
// rest, or says what is needed and exits 78. It never does any of the work itself.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NEEDED_MAJOR = 24;
// Set for the second start only, so that a wrong `node` in node_modules cannot make a loop.
const REEXEC_MARK = '_FAIRLEAD_REEXEC';

// What a sidecar that runs for months is started with: 20 MB less resident memory at the same speed. One malloc arena
// (else one for each of Node's threads), a young generation that stays small because requests leave nothing behind, an
// old one that is collected before it has grown by half (bursts of failed requests would double and double it), no
// middle compiler, whose work areas stay allocated, larger functions made one (10 % less time in our own code), one
// thread for V8's own work, no bytecode of what has not run since the last collection, and a way to ask for one
// (src/cli/heap-tidying.ts). MALLOC_ARENA_MAX in the environment leaves all of it alone.
const LEAN_OPTIONS = [
  '--min-semi-space-size=2',
  '--max-semi-space-size=2',
  '--heap-growing-percent=30',
  '--no-maglev',
  '--max-inlined-bytecode-size-cumulative=3000',
  '--max-inlined-bytecode-size=1000',
  '--v8-pool-size=1',
  '--bytecode-old-age=1',
  '--expose-gc',
];
const LEAN_ENVIRONMENT = { MALLOC_ARENA_MAX: '1' };

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const isReexec = process.env[REEXEC_MARK] === '1';
delete process.env[REEXEC_MARK];

function fail(message) {
  process.stderr.write(`fairlead: ${message}\n`);
  process.exit(78);
}

// The package `node` of this checkout, or of the project that fairlead is installed in.
function findNode() {
  const candidates = [
    join(root, 'node_modules', 'node', 'bin', 'node'),
    join(root, 'node_modules', '.bin', 'node'),
    join(root, '..', 'node', 'bin', 'node'),
    join(root, '..', '.bin', 'node'),
  ];
  return candidates.find((path) => existsSync(path)) || null;
}

async function reexec(node) {
  const { spawn } = await import('node:child_process');
  const child = spawn(node, process.execArgv.concat(process.argv.slice(1)), {
    stdio: 'inherit',
    env: Object.assign({}, process.env, { [REEXEC_MARK]: '1' }),
  });
  const passOn = ['SIGTERM', 'SIGHUP', 'SIGUSR2'];
  for (const signal of passOn) process.on(signal, () => child.kill(signal));
  // A terminal sends SIGINT to both of us; sent by `kill` it reaches only this process.
  process.on('SIGINT', () => {
    if (!process.stdin.isTTY) child.kill('SIGINT');
  });
  child.on('error', (error) => fail(`${node} could not be started: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    for (const name of passOn.concat('SIGINT')) process.removeAllListeners(name);
    process.kill(process.pid, signal);
  });
}

// `run` in place of this process: same pid, so signals and supervisors notice nothing. Returns where it is not possible.
function becomeLean() {
  const isWanted = process.argv[2] === 'run' && process.platform === 'linux';
  if (!isWanted || process.env.MALLOC_ARENA_MAX !== undefined || !process.execve) return;
  const args = [process.execPath, ...LEAN_OPTIONS, ...process.execArgv, ...process.argv.slice(1)];
  process.execve(process.execPath, args, { ...process.env, ...LEAN_ENVIRONMENT });
}

function start() {
  const source = join(root, 'src', 'main.ts');
  const bundle = join(root, 'dist', 'fairlead.js');
  const entry = existsSync(source) ? source : bundle;
  if (!existsSync(entry)) fail(`nothing to run: neither ${source} nor ${bundle} is there`);
  import(pathToFileURL(entry).href)
    .then((main) => main.start())
    .catch((error) => {
      process.stderr.write(`fairlead: ${(error instanceof Error && error.stack) || error}\n`);
      process.exit(70);
    });
}

const major = Number(process.versions.node.split('.')[0]);
if (major >= NEEDED_MAJOR) {
  becomeLean();
  start();
} else {
  const node = isReexec ? null : findNode();
  if (node === null) {
    fail(
      `Node ${NEEDED_MAJOR} or newer is needed and this is Node ${process.versions.node}. ` +
        'Install Node 24, or run `npm ci` in the project, which brings one with it.',
    );
  }
  void reexec(node);
}
