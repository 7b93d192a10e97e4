/**
 * A chaos run: users, and everything behind and in a sidecar that can go wrong, drawn from a seed, for a while. Then all
 * is undone, and it is looked at what became of the requests. `run.ts` is the command, `chaos.test.ts` a short one.
 */
import { seededRandom } from '../support/seeded-random.ts';
import { Load } from './load.ts';
import { Mischief, pause, until } from './mischief.ts';
import {
  type AccessLines,
  type Check,
  excuseOf,
  judge,
  readAccess,
  SOCKETS_SPARE,
  sumOf,
  type Traces,
} from './verdict.ts';
import { World } from './world.ts';

const CLIENTS = 16;
/** Before anything goes wrong: caches and code are warm. */
const WARM_MS = 3000;
/** What is pooled is given back after two seconds. */
const CALM_MS = 3500;
/** On a machine that has something else to do; what leaks is there after any time. */
const GIVEN_BACK_MS = 10_000;
const AUDIT_MAX = 1000;

export interface ChaosOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly workers: number;
  readonly say: (text: string) => void;
}

export interface ChaosResult {
  readonly checks: readonly Check[];
  /** What happened, for people. */
  readonly figures: readonly (readonly [what: string, figure: string])[];
}

export async function chaos({ seconds, seed, workers, say }: ChaosOptions): Promise<ChaosResult> {
  const world = await World.start(workers);
  try {
    // One stream each: what the load draws must not change what goes wrong.
    const warm = new Load('warm', world.ports.inbound!, seededRandom(seed + 1));
    warm.begin(CLIENTS);
    await pause(WARM_MS);
    await warm.end();
    await pause(CALM_MS);
    const { sockets: calmSockets } = await world.footprint();
    const load = new Load('load', world.ports.inbound!, seededRandom(seed + 2));
    const mischief = new Mischief(world, seededRandom(seed));
    load.begin(CLIENTS);
    mischief.begin();
    const memory = await watch(world, seconds, () =>
      say(`${load.total} requests, ${mischief.happened.length} deeds, ${load.failures.length} failures`),
    );
    await mischief.end();
    await load.end();
    await until(noFaults(world), 'all faults have ended');
    await pause(CALM_MS);
    const lastSockets = await socketsInTheEnd(world, calmSockets);
    const [page, { audit }, { faults }] = await Promise.all([
      world.page(),
      world.read<Pick<Traces, 'audit'>>(`/v1/audit?limit=${AUDIT_MAX}`),
      world.read<{ faults: unknown[] }>('/v1/faults'),
    ]);
    const exitCode = await world.stop();
    const traces = { memory, calmSockets, lastSockets, page, audit, faults: faults.length, exitCode };
    // The audit keeps the last thousand: of a long run, what was before is in the log.
    const whole = { ...traces, audit: audit.length < AUDIT_MAX ? audit : auditIn(world.log()) };
    return {
      checks: judge(world, load, mischief, whole),
      figures: figuresOf(load, mischief, page, readAccess(world).lines),
    };
  } finally {
    await world.stop();
    world.remove();
  }
}

/** Open sockets when they are as few as they may be, or after a while in which they are not. */
async function socketsInTheEnd(world: World, calmSockets: number): Promise<number> {
  const endMs = performance.now() + GIVEN_BACK_MS;
  for (;;) {
    const { sockets } = await world.footprint();
    if (sockets <= calmSockets + SOCKETS_SPARE || performance.now() > endMs) return sockets;
    await pause(200);
  }
}

const noFaults = (world: World) => async (): Promise<boolean> =>
  (await world.read<{ faults: unknown[] }>('/v1/faults')).faults.length === 0;

/** Resident bytes once a second, of the whole sidecar. */
async function watch(world: World, seconds: number, tell: () => void): Promise<number[]> {
  const memory: number[] = [];
  const endMs = performance.now() + seconds * 1000;
  for (let n = 1; performance.now() < endMs; n++) {
    await pause(1000);
    memory.push((await world.footprint()).bytes);
    // As Prometheus does: what a killed worker had counted is kept up to the last look.
    await world.page();
    if (n % 15 === 0) tell();
  }
  return memory;
}

function auditIn(log: string): Traces['audit'] {
  return log
    .split('\n')
    .filter((line) => line.includes('"audit":'))
    .map((line) => (JSON.parse(line) as { audit: Traces['audit'][number] }).audit);
}

function figuresOf(load: Load, mischief: Mischief, page: string, lines: AccessLines): [string, string][] {
  const sorted = [...load.times].sort((a, b) => a - b);
  const quantile = (q: number) => `${(sorted[Math.floor(q * (sorted.length - 1))] ?? 0).toFixed(1)} ms`;
  const excused = load.failures.map((failure) => ({
    ...failure,
    excuse: excuseOf(failure, mischief.happened, lines),
  }));
  const safe = excused.filter(({ method }) => method !== 'POST');
  const posts = excused.filter(({ method }) => method === 'POST');
  const names = [...new Set(mischief.happened.map(({ name }) => name))].sort();
  const sum = (family: string, part = '') => String(sumOf(page, family, part));
  return [
    ['requests (GET, PUT, POST)', `${load.asked.GET}, ${load.asked.PUT}, ${load.asked.POST}`],
    [
      'deeds',
      `${mischief.happened.length}: ${names.map((name) => `${mischief.happened.filter((one) => one.name === name).length} ${name}`).join(', ')}`,
    ],
    [
      'GET and PUT cut off with a killed worker',
      String(safe.filter(({ excuse }) => excuse === 'worker').length),
    ],
    [
      'GET and PUT whose answer was cut by its upstream',
      String(safe.filter(({ excuse }) => excuse === 'cut').length),
    ],
    ['POST that failed, carried out at most once', String(posts.length)],
    ['time to an answer: median, p99, longest', `${quantile(0.5)}, ${quantile(0.99)}, ${quantile(1)}`],
    ['served by control in the candidate’s place', sum('fairlead_fallbacks_total', 'cause="failover"')],
    ['turned away by the breaker', sum('fairlead_fallbacks_total', 'cause="breaker"')],
    ['retries', sum('fairlead_retries_total')],
    ['attempts hit by faults', sum('fairlead_faults_total')],
    ['endpoints put aside', sum('fairlead_endpoint_ejections_total')],
  ];
}
