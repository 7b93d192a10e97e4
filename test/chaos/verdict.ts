/**
 * What must hold when a chaos run is over, each with its figure. A failure is excused only by what nobody behind the
 * sidecar could have mended: the worker that had the connection was killed meanwhile, or an answer that had begun was
 * cut by its upstream.
 */
import { readFileSync } from 'node:fs';
import type { Failure, Load } from './load.ts';
import type { Happened, Mischief } from './mischief.ts';
import type { World } from './world.ts';

/** From a kill to when the last connection of the killed has told its client. */
const AFTERMATH_MS = 300;
/** Of the memory in the first half of a run, in the second. */
const GROWTH_MAX_RATIO = 1.15;
/** And for what is random in both. In the first minutes the runtime takes what it is allowed to, as it needs it. */
const GROWTH_MAX_BYTES = 24 * 1_048_576;
const EARLY_GROWTH_MAX_BYTES = 96 * 1_048_576;
const EARLY_SECONDS = 180;
/** Connections that happen to be open beside those that were when nothing had happened. */
const SOCKETS_SPARE = 4;

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
  const unexcused = safe.filter((failure) => excuseOf(failure, mischief.happened) === null);
  const done = doneOf(world);
  const twice = [...done.posts].filter(([, count]) => count > 1).map(([id]) => id);
  const missing = load.accepted.filter((id) => !done.posts.has(id));
  return [
    check('idempotent requests that failed and need not have', unexcused.map(told)),
    check('requests without any answer', load.failures.filter(({ code }) => code === 'ETIMEDOUT').map(told)),
    check('POSTs that were carried out twice', twice),
    check('POSTs that were answered with 200 and not carried out', missing),
    check('deeds that could not be done or undone', mischief.troubles),
    ...leaks(traces),
    ...visible(mischief, traces),
    check('lines of the access log that are not whole', tornLines(world)),
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
  { startedMs, endedMs, status, isComplete }: Failure,
  happened: readonly Happened[],
): 'worker' | 'cut' | null {
  const during = (names: readonly string[]) =>
    happened.some(
      (one) =>
        names.includes(one.name) &&
        one.startedMs < endedMs &&
        startedMs < Math.min(one.endedMs, one.startedMs + endOf(one)),
    );
  if (isComplete) return null;
  if (during(['kill worker'])) return 'worker';
  return status > 0 && during(['reset-body', 'kill', 'freeze']) ? 'cut' : null;
}

/** A kill is over at once, but for what is on its way. */
function endOf({ name, startedMs, endedMs }: Happened): number {
  return name === 'kill worker' ? AFTERMATH_MS : endedMs - startedMs + AFTERMATH_MS;
}

function told({ method, id, status, code, startedMs, endedMs }: Failure): string {
  return `${method} ${id} ${status} ${code} after ${Math.round(endedMs - startedMs)} ms`;
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
function visible(mischief: Mischief, { page, audit, faults }: Traces): Check[] {
  const onAudit = (...actions: string[]) =>
    audit.filter(({ action, result }) => actions.includes(action) && result === 'done').length;
  const atLeast = (what: string, seen: number, made: number): Check => ({
    what,
    ok: seen >= made,
    figure: `${seen} of ${made}`,
  });
  const kinds = ['delay', 'abort', 'reset'].filter((kind) => mischief.count(`fault ${kind}`) > 0);
  const hit = kinds.filter((kind) => sumOf(page, 'fairlead_faults_total', `kind="${kind}"`) > 0);
  return [
    atLeast('faults on the audit', onAudit('inject'), mischief.count('fault')),
    atLeast('and their ends', onAudit('end-fault'), mischief.count('fault')),
    { what: 'faults in force at the end', ok: faults === 0, figure: String(faults) },
    atLeast('kinds of faults in the metrics', hit.length, kinds.length),
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

/** A worker that is killed may leave its last line unfinished: one for each. */
function tornLines(world: World): string[] {
  return readFileSync(world.accessFile, 'utf8')
    .trim()
    .split('\n')
    .filter((line) => {
      try {
        return JSON.parse(line).msg !== 'request';
      } catch {
        return true;
      }
    })
    .map((line) => line.slice(0, 60));
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}
