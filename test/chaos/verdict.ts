/**
 * What must hold when a chaos run is over, each with its figure. A failure is excused only by what the sidecar could not
 * have mended: the worker that had the connection was killed meanwhile and has left no line, or an answer that had begun
 * was cut by its upstream, by a deed that does that, and the access log says so.
 */
import { readFileSync } from 'node:fs';
import type { Failure, Load } from './load.ts';
import type { Happened, Mischief } from './mischief.ts';
import type { World } from './world.ts';

/** From a deed to when the last connection that it cut has told its client. */
const AFTERMATH_MS = 300;
/** Of the memory in the first half of a run, in the second. */
const GROWTH_MAX_RATIO = 1.15;
/** And for what is random in both. In the first minutes the runtime takes what it is allowed to, as it needs it. */
const GROWTH_MAX_BYTES = 24 * 1_048_576;
const EARLY_GROWTH_MAX_BYTES = 96 * 1_048_576;
const EARLY_SECONDS = 180;
/** Connections that happen to be open beside those that were when nothing had happened. */
export const SOCKETS_SPARE = 4;

/** Deeds that cut answers which have begun. */
const CUTTING = ['reset-body', 'kill', 'freeze'];

/** By the id of the request. */
export type AccessLines = ReadonlyMap<string, AccessLine>;

interface AccessLine {
  readonly request_id: string;
  readonly code?: string;
  readonly fault?: string;
}

export interface Check {
  readonly what: string;
  readonly ok: boolean;
  readonly figure: string;
}

/** What was measured on the way. */
export interface Traces {
  /** Resident bytes of all processes of the sidecar, once a second, from when it was warm. */
  readonly memory: readonly number[];
  readonly calmSockets: number;
  readonly lastSockets: number;
  readonly page: string;
  readonly audit: readonly { readonly action: string; readonly target: string; readonly result: string }[];
  /** Those that are in force at the end. */
  readonly faults: number;
  readonly exitCode: number | null;
}

export function judge(world: World, load: Load, mischief: Mischief, traces: Traces): Check[] {
  const safe = load.failures.filter(({ method }) => method !== 'POST');
  const { lines, torn } = readAccess(world);
  const unexcused = safe.filter((failure) => excuseOf(failure, mischief.happened, lines) === null);
  const done = doneOf(world);
  const twice = [...done.posts].filter(([, count]) => count > 1).map(([id]) => id);
  const missing = load.accepted.filter((id) => !done.posts.has(id));
  return [
    check(
      'idempotent requests that failed and need not have',
      unexcused.map((one) => told(one, mischief.happened)),
    ),
    check(
      'requests without any answer',
      load.failures.filter(({ code }) => code === 'ETIMEDOUT').map((one) => told(one, mischief.happened)),
    ),
    check('POSTs that were carried out twice', twice),
    check('POSTs that were answered with 200 and not carried out', missing),
    check('deeds that could not be done or undone', mischief.troubles),
    ...leaks(traces),
    ...visible(
      mischief,
      traces,
      [...lines.values()].flatMap(({ fault }) => fault ?? []),
    ),
    check('lines of the access log that are not whole', torn),
    check(
      'bugs that the log tells of',
      world
        .log()
        .split('\n')
        .filter((line) => line.includes('this is a bug')),
    ),
    { what: 'exit code after SIGTERM', ok: traces.exitCode === 0, figure: String(traces.exitCode) },
  ];
}

/** Why nobody could have answered; null: somebody could. */
export function excuseOf(
  failure: Failure,
  happened: readonly Happened[],
  lines: AccessLines,
): 'worker' | 'cut' | null {
  if (failure.isComplete) return null;
  const during = duringIt(failure, happened).map(({ name }) => name);
  const line = lines.get(failure.id);
  if (line === undefined) return during.includes('kill worker') ? 'worker' : null;
  const isCut = line.code === 'upstream_aborted' || line.code === 'upstream_body_timeout';
  return isCut && during.some((name) => CUTTING.includes(name)) ? 'cut' : null;
}

/** What happened while the request was under way, or a moment before. */
function duringIt({ startedMs, endedMs }: Failure, happened: readonly Happened[]): Happened[] {
  return happened.filter((one) => {
    // A worker is killed in a moment; everything else lasts.
    const overMs = one.name === 'kill worker' ? one.begunMs : one.endedMs;
    return one.startedMs < endedMs && startedMs < overMs + AFTERMATH_MS;
  });
}

function told(failure: Failure, happened: readonly Happened[]): string {
  const { method, id, status, code, ms } = failure;
  const during = duringIt(failure, happened).map(({ name, target }) => `${name} ${target}`);
  return `${method} ${id} ${status} ${code} after ${Math.round(ms)} ms, with ${during.join(', ')}`;
}

/** Nothing may be on the list; the first few are shown. */
function check(what: string, found: readonly string[]): Check {
  const some = found.slice(0, 5).join('; ');
  return { what, ok: found.length === 0, figure: `${found.length}${found.length === 0 ? '' : `: ${some}`}` };
}

/** By id, how often each POST was carried out, whoever did it. */
function doneOf(world: World): { readonly posts: ReadonlyMap<string, number> } {
  const posts = new Map<string, number>();
  for (const line of readFileSync(world.doneFile, 'utf8').split('\n')) {
    const [method, id = ''] = line.split(' ');
    if (method === 'POST') posts.set(id, (posts.get(id) ?? 0) + 1);
  }
  return { posts };
}

function leaks({ memory, calmSockets, lastSockets }: Traces): Check[] {
  const half = Math.floor(memory.length / 2);
  const [first, second] = [median(memory.slice(0, half)), median(memory.slice(half))];
  const spare = memory.length < EARLY_SECONDS ? EARLY_GROWTH_MAX_BYTES : GROWTH_MAX_BYTES;
  const mebi = (bytes: number) => `${Math.round(bytes / 1_048_576)} MiB`;
  return [
    {
      what: 'memory of the second half, against the first',
      ok: second <= Math.max(first * GROWTH_MAX_RATIO, first + spare),
      figure: `${mebi(first)} -> ${mebi(second)}`,
    },
    {
      what: 'sockets when all is over, against before',
      ok: lastSockets <= calmSockets + SOCKETS_SPARE,
      figure: `${calmSockets} -> ${lastSockets}`,
    },
  ];
}

/** Everything that was done to the sidecar is on the audit, and what it did to requests in the metrics. */
function visible(mischief: Mischief, { page, audit, faults }: Traces, hits: readonly string[]): Check[] {
  const onAudit = (...actions: string[]) =>
    audit.filter(({ action, result }) => actions.includes(action) && result === 'done').length;
  const atLeast = (what: string, seen: number, made: number): Check => ({
    what,
    ok: seen >= made,
    figure: `${seen} of ${made}`,
  });
  // While a breaker is open, a fault of its variant hits nobody.
  const kinds = ['delay', 'abort', 'reset'].filter((kind) => hits.some((hit) => hit.includes(kind)));
  const seen = kinds.filter((kind) => sumOf(page, 'fairlead_faults_total', `kind="${kind}"`) > 0);
  return [
    atLeast('faults on the audit', onAudit('inject'), mischief.count('fault')),
    atLeast('and their ends', onAudit('end-fault'), mischief.count('fault')),
    { what: 'faults in force at the end', ok: faults === 0, figure: String(faults) },
    atLeast('kinds of faults in the metrics, of those in the access log', seen.length, kinds.length),
    atLeast('forced breakers on the audit', onAudit('force', 'trip'), mischief.count('breaker')),
    atLeast(
      'reloads in the metrics',
      sumOf(page, 'fairlead_config_reloads_total', 'success'),
      mischief.reloads.good,
    ),
    atLeast('refused reloads', sumOf(page, 'fairlead_config_reloads_total', 'failure'), mischief.reloads.bad),
    atLeast(
      'workers replaced',
      sumOf(page, 'fairlead_worker_restarts_total', ''),
      mischief.count('kill worker'),
    ),
  ];
}

/** The sum of the series of a family whose labels hold `part`. */
export function sumOf(page: string, family: string, part: string): number {
  return page
    .split('\n')
    .filter((line) => (line.startsWith(`${family}{`) || line.startsWith(`${family} `)) && line.includes(part))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** The access log, and what in it is no line: also a worker that is killed leaves whole ones. */
export function readAccess(world: World): { readonly lines: AccessLines; readonly torn: readonly string[] } {
  const lines = new Map<string, AccessLine>();
  const torn: string[] = [];
  for (const text of readFileSync(world.accessFile, 'utf8').trim().split('\n')) {
    try {
      const line = JSON.parse(text) as AccessLine;
      lines.set(line.request_id, line);
    } catch {
      torn.push(text.slice(0, 60));
    }
  }
  return { lines, torn };
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}
