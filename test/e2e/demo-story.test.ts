/**
 * What a new user does with the demo, by the command line alone: a rollout that goes on by evidence, a candidate that is
 * broken on the way, and the sentence that says why it was taken back; each line as docs/terminal.md has it. On ports of
 * its own, with shorter steps.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { blocks, commands } from '../support/docs.ts';
import { freePorts } from '../support/free-ports.ts';
import { fairlead, type RunningProcess } from '../support/process.ts';
import { hasTools } from '../support/tools.ts';

const SHIM = join(import.meta.dirname, '../../bin/fairlead.js');

let folder: string;
let demo: RunningProcess;
/** The commands of docs/terminal.md, by block. */
let docs: string[][];
let ports: Readonly<Record<'inbound' | 'admin' | 'probes' | 'v1' | 'v2', number>>;

interface Typed {
  readonly child: ChildProcess;
  /** What it has printed so far, on both. */
  text(): string;
  readonly exited: Promise<number | null>;
}

/** A command line of the docs, with the address of this demo. */
function type(line: string): Typed {
  const typed = line.replace(/^npx fairlead/, `exec '${process.execPath}' '${SHIM}'`);
  const env = { ...process.env, FAIRLEAD_ADMIN__TOKEN: 'demo-token' };
  const child = spawn('sh', ['-c', `${typed} --admin http://127.0.0.1:${ports.admin}`], {
    ...{ cwd: folder, env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      text += chunk;
    });
  }
  const exited = once(child, 'close').then(([code]) => code as number | null);
  return { child, text: () => text, exited };
}

/** What a line of the docs prints in the end; one that has none is ended by Ctrl-C when it has printed something. */
async function typed(line: string): Promise<{ code: number | null; text: string }> {
  const { child, exited, text } = type(line);
  if (isEndless(line)) {
    await expect.poll(text, { timeout: 20_000 }).not.toBe('');
    child.kill('SIGINT');
  }
  return { code: await exited, text: text() };
}

function isEndless(line: string): boolean {
  return /^npx fairlead (top|tap)/.test(line) && !/ -n /.test(line);
}

/** `curl -X POST URL` of the docs, to the candidate of this demo. */
async function post(line: string): Promise<void> {
  const [, path] = /^curl -X POST http:\/\/127\.0\.0\.1:9002(\S+)$/.exec(line)!;
  expect((await fetch(`http://127.0.0.1:${ports.v2}${path}`, { method: 'POST' })).status).toBe(200);
}

beforeAll(async () => {
  docs = (await blocks('docs/terminal.md', 'sh')).map(commands);
  expect(docs[0]).toEqual(['npm start']);
  folder = await mkdtemp(join(tmpdir(), 'fairlead-story-'));
  const [inbound, admin, probes, v1, v2] = (await freePorts(5)) as [number, number, number, number, number];
  ports = { inbound, admin, probes, v1, v2 };
  demo = fairlead(['demo'], folder, {
    FAIRLEAD_LISTENERS__0__ADDRESS: `127.0.0.1:${inbound}`,
    FAIRLEAD_ADMIN__ADDRESS: `127.0.0.1:${admin}`,
    FAIRLEAD_ADMIN__PROBE_ADDRESS: `127.0.0.1:${probes}`,
    FAIRLEAD_UPSTREAMS__DEMO_V1__ENDPOINTS: `["127.0.0.1:${v1}"]`,
    FAIRLEAD_UPSTREAMS__DEMO_V2__ENDPOINTS: `["127.0.0.1:${v2}"]`,
    // It is at 60% until it is taken back: a candidate that is broken later has been promoted.
    FAIRLEAD_EXPERIMENTS__RANKING__ROLLOUT__STEPS: '[40%, { share: 60%, bake: 1h }, 100%]',
    FAIRLEAD_EXPERIMENTS__RANKING__ROLLOUT__BAKE: '2s',
  });
  const servedByControl = async (): Promise<number> => {
    const page = await fetch(`http://127.0.0.1:${probes}/metrics`).then(
      (response) => response.text(),
      () => '',
    );
    return Number(/requests_total\{code_class="2xx".*variant="control".*\} ([0-9]+)/.exec(page)?.[1] ?? 0);
  };
  // What the pre-flight check wants to see: the made-up users are there.
  await vi.waitFor(async () => expect(await servedByControl(), demo.log()).toBeGreaterThan(10), 30_000);
}, 40_000);

afterAll(async () => {
  demo.child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

it('does what docs/terminal.md says of each command', async () => {
  const lines = docs.slice(4).flat();
  expect(lines.length).toBeGreaterThan(5);
  const check = async (line: string): Promise<void> => {
    const { code, text } = await typed(line);
    expect(code, `${line}\n${text}`).toBe(isEndless(line) ? 130 : 0);
  };
  await Promise.all(lines.map(check));
  const stat = await typed('npx fairlead stat');
  expect(stat.text).toMatch(/^ranking +control +[0-9.]+ +0\.0%/m);
  expect(stat.text).toMatch(/^ranking +candidate +[0-9.]+ /m);
  expect(await readFile(join(folder, 'top.txt'), 'utf8')).toMatch(/^ {4}control +[0-9.]+ +90% .* closed /m);
  const tap = await typed('npx fairlead tap -n 3 --experiment ranking');
  const line = /^[0-9:.]+ GET api 200 .* ranking=(control|candidate) \(split:?.*\)$/gm;
  expect(tap.text.match(line)).toHaveLength(3);
}, 60_000);

it.skipIf(!hasTools('script'))('draws on a terminal, and puts it back as it was', async () => {
  const command = `'${process.execPath}' '${SHIM}' top --admin http://127.0.0.1:${ports.admin}`;
  const env = { ...process.env, TERM: 'xterm' };
  const child = spawn('script', ['-qefc', command, '/dev/null'], { cwd: folder, env });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  const exited = once(child, 'close');
  await expect.poll(() => text, { timeout: 15_000 }).toMatch(/control +[0-9.]+ +90%/);
  expect(text).toContain('\u001b[?1049h');
  expect(text).not.toContain('\u001b[?1049l');
  child.stdin.write('q');
  expect((await exited)[0]).toBe(0);
  // The cursor is shown, long lines wrap, and the screen is the one from before.
  expect(text.trimEnd().endsWith('\u001b[?7h\u001b[?25h\u001b[?1049l')).toBe(true);
});

it('goes on by evidence, and is taken back within seconds when the candidate breaks, with the reason', async () => {
  const [, [token, stat, start, follow], [fail], [results, breakers, heal]] = docs as [
    string[],
    [string, string, string, string],
    [string],
    [string, string, string],
  ];
  expect(token).toBe('export FAIRLEAD_ADMIN__TOKEN=demo-token');
  expect((await typed(stat)).code).toBe(0);
  expect(await typed(start)).toEqual({ code: 0, text: 'ranking: baking, the candidate has 40%\n' });
  const status = type(follow);
  await expect.poll(status.text, { timeout: 40_000 }).toMatch(/rollout-advance: 40% -> 60%: errors: /);
  await post(fail);
  const brokenMs = performance.now();
  expect(await status.exited).toBe(1);
  // It is looked at once a second; the breaker wants 20 % of the last 5 s.
  expect(performance.now() - brokenMs).toBeLessThan(15_000);
  expect(status.text()).toMatch(
    /\nranking: rolled back at [0-9:]+ UTC: 60% -> 0%: (the breaker api\/ranking\/candidate is open: error rate|errors: (worse|above) )/,
  );
  expect((await typed(results)).text).toMatch(/conversion +goal/);
  expect((await typed(breakers)).text).toContain('api/ranking/candidate');
  await post(heal);
  expect((await typed('npx fairlead status ranking')).text).toContain('control 100%, candidate 0%');
}, 70_000);

it('stops, and leaves nothing for the next demo to stumble over', async () => {
  demo.child.kill('SIGINT');
  expect(await demo.exited).toBe(0);
  expect(demo.log()).toContain('stopping: requests in flight are finished first');
});
