/**
 * A candidate that goes bad in each way a service can, seen from outside: real processes, real sockets, a load that does
 * not stop. What clients see: of what may be repeated next to nothing, since control answers in its place. What is on
 * record, that nothing is lost or done twice, and that memory and sockets come back.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Asked, Asker } from '../support/ask.ts';
import { residentBytes, socketCount } from '../support/footprint.ts';
import { type RunningProcess, runSidecar } from '../support/process.ts';
import type { Mode } from '../support/service.ts';
import { ServiceProcess } from '../support/service-process.ts';

const MEBI = 1_048_576;
/** Far more than a sidecar takes for the load here, and far less than it would take if it kept what it gets. */
const GROWTH_MAX_BYTES = 48 * MEBI;
/** Requests at one time. */
const CLIENTS = 8;
/** An answer of the sidecar comes within its own limits, 2 s for each variant; the rest is for a busy machine. */
const ANSWER_MAX_MS = 10_000;
const CANDIDATE = { 'x-experiment-override': 'ranking=candidate' };

let folder: string;
let control: ServiceProcess;
let candidate: ServiceProcess;
let sidecar: RunningProcess & { readonly ports: Readonly<Record<string, number>> };
let asker: Asker;
let calm: { readonly bytes: number; readonly sockets: number };
/** Requests that were answered or broken off, of all tests. */
let asked = 0;
let nextId = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-anomaly-'));
  [control, candidate] = await Promise.all([
    ServiceProcess.start('control', join(folder, 'done')),
    ServiceProcess.start('candidate', join(folder, 'done')),
  ]);
  const config = {
    version: 1,
    requireMetadata: false,
    listeners: [{ name: 'inbound', address: '127.0.0.1:0' }],
    admin: { address: '127.0.0.1:0', probeAddress: '127.0.0.1:0' },
    upstreams: { v1: control.endpoint, v2: candidate.endpoint },
    routes: [{ name: 'api', upstream: 'v1', experiments: ['ranking'] }],
    experiments: {
      ranking: {
        variants: { control: {}, candidate: { weight: '50%', upstream: 'v2' } },
        breaker: {
          window: '2s',
          // Fewer than there are clients: of a candidate that does nothing, each has one failure in two seconds.
          minimumRequests: 6,
          errorRate: '50%',
          openFor: '200ms',
          openForMax: '300ms',
          halfOpenRequests: 2,
        },
      },
    },
    timeouts: { connect: '2s', firstByte: '2s', stall: '2s' },
    accessLog: { file: 'access.log' },
  };
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config));
  sidecar = await runSidecar('config.yaml', folder);
  asker = new Asker(sidecar.ports.inbound!, CLIENTS);
  // Until its code is compiled and its heap has the size that this load takes: what comes on top is to be seen.
  await load((all) => all.length >= 5000);
  calm = { bytes: residentBytes(sidecar.child.pid!), sockets: socketCount(sidecar.child.pid!) };
});

afterAll(async () => {
  asker.close();
  candidate.thaw();
  sidecar.child.kill('SIGTERM');
  expect(await sidecar.exited).toBe(0);
  // Not one request is missing on record, and no line is torn.
  const lines = accessLines();
  expect(lines).toHaveLength(asked);
  await Promise.all([control.kill(), candidate.kill()]);
  rmSync(folder, { recursive: true });
});

/** How often the breaker has opened, each with a sentence in the log. */
const openings = () => sidecar.log().split('breaker api/ranking/candidate: closed -> open: ').length - 1;

/** Without what behind the last line end may be the beginning of a line. */
const accessLines = (): Record<string, unknown>[] =>
  readFileSync(join(folder, 'access.log'), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));

interface Result extends Asked {
  readonly method: string;
  readonly id: string;
}

/** Of four, one is a PUT with 20 kB, and one a POST, which nobody may do twice. */
async function one(n: number): Promise<Result> {
  const method = n % 4 === 0 ? 'PUT' : n % 4 === 1 ? 'POST' : 'GET';
  const id = `id-${nextId++}`;
  const body = method === 'GET' ? {} : { body: 'x'.repeat(method === 'PUT' ? 20_000 : 20) };
  const result = await asker.ask({ method, headers: { ...CANDIDATE, 'x-id': id }, ...body });
  asked++;
  return { ...result, method, id };
}

/** Requests for the candidate from all clients until `isEnough` of what has come so far. */
async function load(isEnough: (results: readonly Result[]) => boolean): Promise<Result[]> {
  const results: Result[] = [];
  const endMs = performance.now() + 30_000;
  const client = async (): Promise<void> => {
    while (!isEnough(results) && performance.now() < endMs) results.push(await one(results.length));
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  if (performance.now() >= endMs) throw new Error(`not enough yet: ${JSON.stringify(tally(results))}`);
  return results;
}

/** How often there was what. */
function tally(results: readonly Result[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const result of results) {
    const what = describeOf(result);
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
}

/** `200 control`, `502 upstream_reset`, `broken`: the client knows that it has not got all. */
function describeOf({ status, body, code, isComplete }: Asked): string {
  if (!isComplete) return 'broken';
  return status === 200 ? `200 ${body.split(' ')[0]}` : `${status} ${code}`;
}

interface Way {
  readonly what: string;
  /** What clients may see of it beside good answers: when the request may be repeated, and when not. */
  readonly safe: readonly string[];
  readonly unsafe: readonly string[];
  readonly goBad: () => unknown;
  readonly heal: () => unknown;
}

const behaving = (mode: Mode) => ({
  goBad: () => candidate.behave(mode),
  heal: () => candidate.behave({ kind: 'ok' }),
});

const NO_ANSWER = ['504 upstream_first_byte_timeout', '504 upstream_body_timeout'];

const WAYS: readonly Way[] = [
  {
    what: 'is killed',
    // Cut off in the middle of an answer.
    safe: ['broken'],
    unsafe: ['502 upstream_reset', 'broken'],
    goBad: () => candidate.kill(),
    heal: () => candidate.restart(),
  },
  {
    what: 'is there and does nothing',
    safe: [],
    unsafe: NO_ANSWER,
    goBad: () => candidate.freeze(),
    heal: () => candidate.thaw(),
  },
  { what: 'answers nobody', safe: [], unsafe: NO_ANSWER, ...behaving({ kind: 'hang' }) },
  {
    what: 'takes connections and never reads',
    safe: [],
    unsafe: [...NO_ANSWER, '502 upstream_reset'],
    ...behaving({ kind: 'deaf' }),
  },
  // A 500 is not among what is served by control unless a route says so.
  { what: 'answers 500', safe: ['500 '], unsafe: ['500 '], ...behaving({ kind: 'error', status: 500 }) },
  { what: 'answers 503', safe: [], unsafe: ['503 '], ...behaving({ kind: 'error', status: 503 }) },
  {
    what: 'resets within its head',
    safe: [],
    unsafe: ['502 upstream_reset'],
    ...behaving({ kind: 'reset-head' }),
  },
  // The client has part of it: it must see that the rest is missing.
  {
    what: 'resets within its body',
    safe: ['broken'],
    unsafe: ['broken'],
    ...behaving({ kind: 'reset-body' }),
  },
  {
    what: 'answers garbage',
    safe: [],
    unsafe: ['502 upstream_malformed'],
    ...behaving({ kind: 'garbage' }),
  },
  {
    what: 'answers a head without end',
    safe: [],
    unsafe: ['502 upstream_malformed'],
    ...behaving({ kind: 'flood' }),
  },
];

const GOOD = ['200 control', '200 candidate'];

describe('a candidate that', () => {
  it.each(WAYS)('$what: control answers what it may, and the candidate comes back by itself', async (way) => {
    await expect.poll(() => accessLines().length).toBe(asked);
    const before = asked;
    const opened = openings();
    await way.goBad();
    const results = await load((all) => all.length >= 200 && openings() > opened).finally(way.heal);
    for (const result of results) {
      expect([...GOOD, ...(result.method === 'POST' ? way.unsafe : way.safe)]).toContain(describeOf(result));
      expect(result.ms).toBeLessThan(ANSWER_MAX_MS);
    }
    // What the clients saw is on record, and that it was the candidate.
    await expect.poll(() => accessLines().length).toBe(asked);
    const lines = accessLines().slice(before);
    const bad = results.filter((result) => !GOOD.includes(describeOf(result)));
    const failed = lines.filter(({ outcome }) => outcome === 'failure');
    expect(failed.length).toBeGreaterThanOrEqual(bad.length);
    for (const line of lines) expect(line).toMatchObject({ experiment: 'ranking', assigned: 'candidate' });
    const elsewhere = lines.filter(({ served, reason }) => served === 'control' && reason !== 'breaker');
    for (const line of elsewhere) expect(line).toMatchObject({ reason: 'failover', status: 200 });
    expect(bad.length + elsewhere.length).toBeGreaterThan(0);
    await load(
      (all) => all.length > 50 && all.slice(-3 * CLIENTS).every(({ body }) => body.startsWith('candidate')),
    );
    // Nothing was done twice, and what was answered was done.
    const done = doneIds();
    for (const { method, id, status } of results) {
      if (method === 'POST') expect(done.get(id) ?? 0).toBeLessThanOrEqual(1);
      if (status === 200) expect(done.get(id) ?? 0).toBeGreaterThanOrEqual(1);
    }
    const pid = sidecar.child.pid!;
    await expect
      .poll(() => socketCount(pid), { timeout: 20_000 })
      .toBeLessThanOrEqual(calm.sockets + CLIENTS);
    expect(residentBytes(pid) - calm.bytes).toBeLessThan(GROWTH_MAX_BYTES);
  });
});

/** How often each id was worked on, by whomever. */
function doneIds(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of readFileSync(join(folder, 'done'), 'utf8').trim().split('\n')) {
    const id = line.split(' ')[1]!;
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}
