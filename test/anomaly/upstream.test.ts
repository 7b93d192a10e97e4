/**
 * A candidate that goes bad in each way a service can, seen from outside: real processes, real sockets, a load that does
 * not stop. What clients see, what is on record, that nothing is lost, and that memory and sockets come back.
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
/** An answer of the sidecar comes within its own limits, 400 ms and a tick; the rest is for a busy machine. */
const ANSWER_MAX_MS = 5000;
const CANDIDATE = { 'x-experiment-override': 'ranking=candidate' };

let folder: string;
let control: ServiceProcess;
let candidate: ServiceProcess;
let sidecar: RunningProcess & { readonly ports: Readonly<Record<string, number>> };
let asker: Asker;
let calm: { readonly bytes: number; readonly sockets: number };
/** Requests that were answered or broken off, of all tests. */
let asked = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fairlead-anomaly-'));
  [control, candidate] = await Promise.all([
    ServiceProcess.start('control'),
    ServiceProcess.start('candidate'),
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
          minimumRequests: 20,
          errorRate: '50%',
          openFor: '200ms',
          openForMax: '300ms',
          halfOpenRequests: 2,
        },
      },
    },
    timeouts: { connect: '400ms', firstByte: '400ms', stall: '400ms' },
    accessLog: { file: 'access.log' },
  };
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config));
  sidecar = await runSidecar('config.yaml', folder);
  asker = new Asker(sidecar.ports.inbound!, CLIENTS);
  await load((all) => all.length >= 400);
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

const accessLines = (): Record<string, unknown>[] =>
  readFileSync(join(folder, 'access.log'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

/** One of four is a PUT with 20 kB. */
async function one(n: number): Promise<Asked> {
  const put = n % 4 === 0 ? { method: 'PUT', body: 'x'.repeat(20_000) } : {};
  const result = await asker.ask({ headers: CANDIDATE, ...put });
  asked++;
  return result;
}

/** Requests for the candidate from all clients until `isEnough` of what has come so far. */
async function load(isEnough: (results: readonly Asked[]) => boolean): Promise<Asked[]> {
  const results: Asked[] = [];
  const endMs = performance.now() + 15_000;
  const client = async (): Promise<void> => {
    while (!isEnough(results) && performance.now() < endMs) results.push(await one(results.length));
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  if (performance.now() >= endMs) throw new Error(`not enough yet: ${JSON.stringify(tally(results))}`);
  return results;
}

/** How often there was what. */
function tally(results: readonly Asked[]): Record<string, number> {
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
  /** What clients may see of it, beside good answers. */
  readonly seen: readonly string[];
  readonly goBad: () => unknown;
  readonly heal: () => unknown;
}

const behaving = (mode: Mode) => ({
  goBad: () => candidate.behave(mode),
  heal: () => candidate.behave({ kind: 'ok' }),
});

const WAYS: readonly Way[] = [
  {
    what: 'is killed',
    seen: ['502 upstream_connect_failed', '502 upstream_reset', 'broken'],
    goBad: () => candidate.kill(),
    heal: () => candidate.restart(),
  },
  {
    what: 'is there and does nothing',
    seen: ['504 upstream_first_byte_timeout', '504 upstream_body_timeout'],
    goBad: () => candidate.freeze(),
    heal: () => candidate.thaw(),
  },
  { what: 'answers nobody', seen: ['504 upstream_first_byte_timeout'], ...behaving({ kind: 'hang' }) },
  {
    what: 'takes connections and never reads',
    seen: ['504 upstream_first_byte_timeout', '504 upstream_body_timeout', '502 upstream_reset'],
    ...behaving({ kind: 'deaf' }),
  },
  { what: 'answers 500', seen: ['500 '], ...behaving({ kind: 'error', status: 500 }) },
  { what: 'resets within its head', seen: ['502 upstream_reset'], ...behaving({ kind: 'reset-head' }) },
  { what: 'resets within its body', seen: ['broken'], ...behaving({ kind: 'reset-body' }) },
  { what: 'answers garbage', seen: ['502 upstream_malformed'], ...behaving({ kind: 'garbage' }) },
  { what: 'answers a head without end', seen: ['502 upstream_malformed'], ...behaving({ kind: 'flood' }) },
];

describe('a candidate that', () => {
  it.each(WAYS)(
    '$what costs some answers, then control has all, and it comes back by itself',
    async (way) => {
      const before = accessLines().length;
      await way.goBad();
      const isControl = (result: Asked) => result.status === 200 && result.body.startsWith('control');
      const results = await load((all) => all.filter(isControl).length >= 100);
      for (const what of Object.keys(tally(results)))
        expect([...way.seen, '200 control', '200 candidate']).toContain(what);
      const bad = results.filter((result) => !describeOf(result).startsWith('200'));
      expect(bad.length).toBeGreaterThan(0);
      for (const { ms } of results) expect(ms).toBeLessThan(ANSWER_MAX_MS);
      // What the clients saw is on record, with the same code, and the breaker has said why.
      await expect.poll(() => accessLines().length).toBe(asked);
      const lines = accessLines().slice(before);
      const failed = lines.filter(({ outcome }) => outcome === 'failure');
      expect(failed.length).toBeGreaterThanOrEqual(bad.length);
      for (const line of failed) expect(line).toMatchObject({ experiment: 'ranking', assigned: 'candidate' });
      expect(sidecar.log()).toMatch(/breaker api\/ranking\/candidate: closed -> open: /);
      await way.heal();
      await load(
        (all) =>
          all.slice(-3 * CLIENTS).every(({ body }) => body.startsWith('candidate')) &&
          all.length > 3 * CLIENTS,
      );
      const pid = sidecar.child.pid!;
      await expect
        .poll(() => socketCount(pid), { timeout: 10_000 })
        .toBeLessThanOrEqual(calm.sockets + CLIENTS);
      expect(residentBytes(pid) - calm.bytes).toBeLessThan(GROWTH_MAX_BYTES);
    },
  );
});
