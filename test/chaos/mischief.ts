/**
 * What goes wrong in a chaos run: deeds drawn from a seed, several at one time, each undone after a while. To control
 * only one thing happens at one time, and nothing that cuts an answer that has begun: two of its endpoints are well, so
 * nobody whose request may be repeated has to go without an answer. The candidate may be hit everywhere at once.
 */
import type { Random } from '../../src/base/clock.ts';
import type { Mode } from '../support/service.ts';
import type { ServiceProcess } from '../support/service-process.ts';
import { BREAKER, type World } from './world.ts';

const PAUSE_MS = { least: 150, most: 900 };
const LAST_MS = { least: 300, most: 2500 };
/** A worker that ends soon after its start is not replaced at once: a while between two. */
const WORKER_PAUSE_MS = 12_000;

/** A deed as it happened: it was begun between `startedMs` and `begunMs`. Infinity: not yet. */
export interface Happened {
  readonly name: string;
  readonly target: string;
  readonly startedMs: number;
  begunMs: number;
  endedMs: number;
}

interface Deed {
  readonly name: string;
  readonly target: string;
  /** Nothing else happens to these meanwhile. */
  readonly holds: readonly string[];
  begin(lastMs: number): unknown;
  end(): unknown;
}

const WAYS: readonly Mode[] = [
  { kind: 'hang' },
  { kind: 'deaf' },
  { kind: 'garbage' },
  { kind: 'flood' },
  { kind: 'reset-head' },
  { kind: 'error', status: 500 },
  { kind: 'error', status: 503 },
  { kind: 'slow', ms: 400 },
  { kind: 'slow', ms: 2500 },
];

const FAULTS = [
  { delay: { duration: '200ms', jitter: '200ms', rate: '50%' } },
  { delay: { duration: '4s', rate: '30%' } },
  { abort: { status: 503, rate: '60%' } },
  { abort: { status: 500 } },
  { reset: { rate: '70%' } },
];

export class Mischief {
  readonly happened: Happened[] = [];
  /** What could not be done or undone. */
  readonly troubles: string[] = [];
  readonly reloads = { good: 0, bad: 0 };
  readonly #world: World;
  readonly #random: Random;
  readonly #held = new Set<string>();
  readonly #underWay = new Set<Promise<void>>();
  #isOver = false;
  #done: Promise<void> = Promise.resolve();
  #weight = 50;
  #nextWorkerMs = 0;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  begin(): void {
    this.#done = this.#go();
  }

  /** Resolves when everything is undone. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#done;
    await Promise.all(this.#underWay);
  }

  /** How often there was a deed whose name begins like this. */
  count(name: string): number {
    return this.happened.filter((one) => one.name.startsWith(name)).length;
  }

  async #go(): Promise<void> {
    while (!this.#isOver) {
      await pause(this.#between(PAUSE_MS));
      const deed = this.#draw();
      const lastMs = this.#between(LAST_MS);
      if (deed.holds.some((what) => this.#held.has(what))) continue;
      const underWay = this.#carryOut(deed, lastMs).finally(() => this.#underWay.delete(underWay));
      this.#underWay.add(underWay);
    }
  }

  async #carryOut({ name, target, holds, begin, end }: Deed, lastMs: number): Promise<void> {
    for (const what of holds) this.#held.add(what);
    const notYet = Number.POSITIVE_INFINITY;
    const one: Happened = { name, target, startedMs: performance.now(), begunMs: notYet, endedMs: notYet };
    this.happened.push(one);
    try {
      await begin(lastMs);
      one.begunMs = performance.now();
      await pause(lastMs);
      await end();
    } catch (error) {
      this.troubles.push(`${name} ${target}: ${(error as Error).message}`);
    }
    one.endedMs = performance.now();
    for (const what of holds) this.#held.delete(what);
  }

  #draw(): Deed {
    const draw = this.#random.next();
    if (draw < 0.3)
      return this.#service(this.#one(this.#world.candidates), [...WAYS, { kind: 'reset-body' }]);
    if (draw < 0.4) return this.#allCandidates();
    if (draw < 0.6) return this.#service(this.#one(this.#world.controls), WAYS, 'control');
    if (draw < 0.75) return this.#fault();
    if (draw < 0.85) return this.#breaker();
    if (draw < 0.95 || !this.#mayKillWorker()) return this.#reload();
    return this.#worker();
  }

  #service(service: ServiceProcess, ways: readonly Mode[], held = service.name): Deed {
    const common = { target: service.name, holds: [held] };
    const draw = this.#random.next();
    if (draw < 0.2)
      return { ...common, name: 'kill', begin: () => service.kill(), end: () => service.restart() };
    if (draw < 0.35)
      return { ...common, name: 'freeze', begin: () => service.freeze(), end: () => service.thaw() };
    const mode = this.#one(ways);
    const begin = () => service.behave(mode);
    return { ...common, name: nameOf(mode), begin, end: () => service.behave({ kind: 'ok' }) };
  }

  #allCandidates(): Deed {
    const { candidates } = this.#world;
    const mode = this.#one(WAYS);
    return {
      name: nameOf(mode),
      target: 'all candidates',
      holds: candidates.map(({ name }) => name),
      begin: () => Promise.all(candidates.map((service) => service.behave(mode))),
      end: () => Promise.all(candidates.map((service) => service.behave({ kind: 'ok' }))),
    };
  }

  /** Half of them are ended, the others end by themselves. */
  #fault(): Deed {
    const kind = this.#one(FAULTS);
    const isCutShort = this.#random.next() < 0.5;
    const target = 'ranking/candidate';
    let id = '';
    return {
      name: `fault ${Object.keys(kind)[0]}`,
      target,
      holds: [],
      begin: async (lastMs) => {
        const forMs = isCutShort ? 60_000 : Math.ceil(lastMs);
        const body = { target, ...kind, for: `${forMs}ms`, reason: 'chaos' };
        ({ id } = (await this.#world.change('POST', '/v1/faults', body)) as { id: string });
      },
      end: () =>
        isCutShort ? this.#world.change('DELETE', `/v1/faults/${id}`, { reason: 'chaos' }) : undefined,
    };
  }

  #breaker(): Deed {
    const state = this.#one(['open', 'closed', 'observe', 'trip']);
    const path = `/v1/breakers/${BREAKER}`;
    return {
      name: `breaker ${state}`,
      target: BREAKER,
      holds: ['breaker'],
      begin: (lastMs) => {
        const body = { for: `${Math.ceil(lastMs)}ms`, reason: 'chaos' };
        if (state === 'trip') return this.#world.change('POST', `${path}:trip`, body);
        return this.#world.change('POST', `${path}:force`, { state, ...body });
      },
      end: () => this.#world.change('POST', `${path}:reset`, { reason: 'chaos' }),
    };
  }

  #reload(): Deed {
    const common = { target: 'config.yaml', holds: ['config'] };
    if (this.#random.next() < 0.6)
      return { ...common, name: 'reload', begin: () => this.#putGood(), end: () => undefined };
    return {
      ...common,
      name: 'bad reload',
      begin: async () => {
        this.#world.replaceConfig(this.#world.config('50%').slice(0, 300));
        const isRefused = async () =>
          !(await this.#world.read<{ lastReload: { ok: boolean } }>('/v1/config')).lastReload.ok;
        await until(isRefused, 'half a configuration is refused');
        this.reloads.bad++;
      },
      end: () => this.#putGood(),
    };
  }

  /** Another weight, until it is in force. */
  async #putGood(): Promise<void> {
    this.#weight = this.#weight === 50 ? 40 : 50;
    const weight = `${this.#weight}%`;
    this.#world.replaceConfig(this.#world.config(weight));
    const isInForce = async () => {
      const { variants } = await this.#world.read<{ variants: { name: string; weight: string }[] }>(
        '/v1/experiments/ranking',
      );
      return variants.some((variant) => variant.name === 'candidate' && variant.weight === weight);
    };
    await until(isInForce, `the candidate has ${weight}`);
    this.reloads.good++;
  }

  #mayKillWorker(): boolean {
    return this.#world.workerCount > 1 && performance.now() >= this.#nextWorkerMs;
  }

  #worker(): Deed {
    this.#nextWorkerMs = performance.now() + WORKER_PAUSE_MS;
    let before = 0;
    let killed = 0;
    // The primary hears of the end later than the clients do, and says «serving» of it until then.
    const isReplaced = async () => {
      const pids = await this.#world.workers();
      return pids.length === before && !pids.includes(killed);
    };
    return {
      name: 'kill worker',
      target: 'worker',
      holds: ['worker'],
      begin: async () => {
        const pids = await this.#world.workers();
        before = pids.length;
        killed = this.#one(pids);
        process.kill(killed, 'SIGKILL');
      },
      end: () => until(isReplaced, 'the worker is replaced'),
    };
  }

  #one<T>(all: readonly T[]): T {
    return all[Math.floor(this.#random.next() * all.length)]!;
  }

  #between({ least, most }: { readonly least: number; readonly most: number }): number {
    return least + this.#random.next() * (most - least);
  }
}

function nameOf(mode: Mode): string {
  if (mode.kind === 'slow') return `slow ${mode.ms} ms`;
  return mode.kind === 'error' ? `error ${mode.status}` : mode.kind;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Nothing tells when another process has come so far. */
export async function until(condition: () => Promise<boolean>, what: string, forMs = 10_000): Promise<void> {
  const endMs = performance.now() + forMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`not after ${forMs} ms: ${what}`);
    await pause(50);
  }
}
