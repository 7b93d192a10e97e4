/** What happens during a soak, and what came of it. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { parse } from 'yaml';
import { type Candidate, startCandidate } from '../peers/candidate.ts';
import { configFile, type FairleadConfig, fairlead } from '../peers/fairlead.ts';
import { OpenLoop, type OpenLoopResult } from './open-loop.ts';
import { family, type Started, sleep } from './processes.ts';
import { FILES, LOAD_CORES, PROXY_CORES, TWO_LOAD_CORES, TWO_PROXY_CORES } from './rig.ts';
import { MemoryLog, type MemoryRow } from './soak-memory.ts';
import { endpointsOf, SoakUpstreams } from './soak-upstreams.ts';
import { judge, type SoakVerdict } from './soak-verdict.ts';
import { runWrk } from './wrk.ts';

export interface SoakOptions {
  readonly minutes: number;
  readonly workers: number;
  readonly connections: number;
  /** Requests a second; null: 80 % of what wrk gets. */
  readonly rate: number | null;
}

export interface SoakResult {
  readonly rate: number;
  readonly load: OpenLoopResult;
  readonly verdict: SoakVerdict;
  readonly reloads: { readonly written: number; readonly taken: number; readonly refused: number };
  readonly restarts: { readonly graceful: number; readonly abrupt: number };
  /** Until the killed worker had a successor, in ms; null: none was killed, or it has none. */
  readonly replacedMs: number | null;
  readonly slowAnswers: { readonly asked: number; readonly complete: number };
  readonly exitCode: number | null;
  readonly memory: readonly MemoryRow[];
}

const LOAD_RATIO = 0.8;
const POST_PERCENT = 5;
const BODY_BYTES = 4096;
const RELOAD_EVERY_MS = 1000;
const RESTART_EVERY_MS = 10_000;
const SAMPLE_EVERY_MS = 5000;
/** Answers of 1 MB, some seconds long, that are under way when the proxy is asked to end. */
const SLOW_ANSWERS = 20;
const SLOW_HEAD_START_MS = 500;
/** New requests go on for this long after the proxy was asked to end. */
const LOAD_AFTER_END_MS = 200;
const SUCCESSOR_WITHIN_MS = 10_000;

/** Runs a soak. The proxy's name is `soak`. */
export async function soak(options: SoakOptions, say: (text: string) => void): Promise<SoakResult> {
  const isAlone = options.workers === 1;
  const loadCores = isAlone ? LOAD_CORES : TWO_LOAD_CORES;
  const upstreams = new SoakUpstreams(loadCores);
  const candidate = fairlead({
    name: 'soak',
    workers: options.workers,
    change: (config) => {
      for (const variant of ['v1', 'v2'] as const)
        config.upstreams[variant]!.endpoints = endpointsOf(variant);
    },
  });
  try {
    await upstreams.start();
    const proxy = await startCandidate(candidate, isAlone ? PROXY_CORES : TWO_PROXY_CORES);
    const rate = options.rate ?? (await mostOf(candidate, options, loadCores));
    say(`${rate} requests/s for ${options.minutes} minutes`);
    return await new Soak({ ...options, rate }, { candidate, proxy, upstreams, loadCores, say }).run();
  } finally {
    await upstreams.stop();
  }
}

async function mostOf({ port }: Candidate, { connections }: SoakOptions, cores: string): Promise<number> {
  const load = { connections, cores, seconds: 3 };
  await runWrk(port, load);
  const { requests } = await runWrk(port, load);
  return Math.round((requests / load.seconds) * LOAD_RATIO);
}

interface Stage {
  readonly candidate: Candidate;
  readonly proxy: Started;
  readonly upstreams: SoakUpstreams;
  readonly loadCores: string;
  readonly say: (text: string) => void;
}

class Soak {
  readonly #options: SoakOptions & { readonly rate: number };
  readonly #stage: Stage;
  readonly #memory: MemoryLog;
  #written = 0;
  #crashMs: number | null = null;
  #replacedMs: number | null = null;

  constructor(options: SoakOptions & { readonly rate: number }, stage: Stage) {
    this.#options = options;
    this.#stage = stage;
    this.#memory = new MemoryLog(stage.proxy.pid);
  }

  async run(): Promise<SoakResult> {
    const { rate, connections, workers } = this.#options;
    const { candidate, proxy, upstreams, loadCores } = this.#stage;
    const { port } = candidate;
    const lastsMs = this.#options.minutes * 60_000;
    const loop = await OpenLoop.open({
      port,
      rate,
      connections,
      cores: loadCores,
      seconds: lastsMs / 1000 + 60,
      postPercent: POST_PERCENT,
      bodyBytes: BODY_BYTES,
      isSleeping: true,
    });
    try {
      const ending = loop.run();
      // It rejects when the generator gives up, which may be long before it is awaited.
      ending.catch(() => undefined);
      const before = await reloadsOf(port + 2);
      await this.#disturb(Date.now() + lastsMs, workers > 1 ? Date.now() + lastsMs / 2 : null);
      const after = await reloadsOf(port + 2);
      const reloads = {
        written: this.#written,
        taken: after.taken - before.taken,
        refused: after.refused - before.refused,
      };
      const slow = Array.from({ length: SLOW_ANSWERS }, () => isCompleteAnswer(port));
      await sleep(SLOW_HEAD_START_MS);
      this.#memory.sample();
      const memory = this.#memory.rows();
      const endMs = Date.now();
      process.kill(proxy.pid, 'SIGTERM');
      await sleep(LOAD_AFTER_END_MS);
      loop.end();
      const load = await ending;
      const complete = (await Promise.all(slow)).filter(Boolean).length;
      const abrupt = upstreams.restarts.filter(({ isAbrupt }) => isAbrupt).length;
      return {
        rate,
        load,
        verdict: judge(load.failures, { restarts: upstreams.restarts, crashMs: this.#crashMs, endMs }),
        reloads,
        restarts: { graceful: upstreams.restarts.length - abrupt, abrupt },
        replacedMs: this.#replacedMs,
        slowAnswers: { asked: SLOW_ANSWERS, complete },
        exitCode: await proxy.ended,
        memory,
      };
    } finally {
      await loop.close();
    }
  }

  /** Everything that happens, until `endMs`; the worker is killed at `crashAtMs`. */
  async #disturb(endMs: number, crashAtMs: number | null): Promise<void> {
    const { upstreams, say } = this.#stage;
    const reloads = setInterval(() => this.#reload(), RELOAD_EVERY_MS);
    const samples = setInterval(() => this.#memory.sample(), SAMPLE_EVERY_MS);
    const crash = crashAtMs === null ? null : setTimeout(() => void this.#crash(), crashAtMs - Date.now());
    try {
      for (let nextMs = Date.now() + RESTART_EVERY_MS; nextMs < endMs; nextMs += RESTART_EVERY_MS) {
        await sleep(nextMs - Date.now());
        await upstreams.restartNext();
        say(`${Math.round((endMs - Date.now()) / 1000)} s to go`);
      }
      await sleep(endMs - Date.now());
    } finally {
      clearInterval(reloads);
      clearInterval(samples);
      if (crash !== null) clearTimeout(crash);
    }
  }

  /** Writes the configuration with another split, as editors and Kubernetes do: a new file in the place of the old. */
  #reload(): void {
    const file = configFile(this.#stage.candidate);
    const config = parse(readFileSync(file, 'utf8')) as FairleadConfig;
    const candidatePercent = this.#written++ % 2 === 0 ? 11 : 10;
    const [experiment] = Object.values(config.experiments) as [
      { variants: Record<string, { weight: string }> },
    ];
    experiment.variants.control!.weight = `${100 - candidatePercent}%`;
    experiment.variants.candidate!.weight = `${candidatePercent}%`;
    writeFileSync(`${file}.new`, JSON.stringify(config));
    renameSync(`${file}.new`, file);
  }

  async #crash(): Promise<void> {
    const { proxy, say } = this.#stage;
    const workers = (): number[] => family(proxy.pid).slice(1);
    const before = workers();
    const [victim] = before;
    if (victim === undefined) return;
    say(`killing worker process ${victim}`);
    this.#crashMs = Date.now();
    process.kill(victim, 'SIGKILL');
    while (Date.now() < this.#crashMs + SUCCESSOR_WITHIN_MS) {
      await sleep(20);
      if (workers().some((pid) => !before.includes(pid))) {
        this.#replacedMs = Date.now() - this.#crashMs;
        return;
      }
    }
  }
}

/** How many reloads the proxy counts. */
async function reloadsOf(probePort: number): Promise<{ taken: number; refused: number }> {
  const text = await (await fetch(`http://127.0.0.1:${probePort}/metrics`)).text();
  const counted = (result: string): number =>
    Number(
      new RegExp(`^fairlead_config_reloads_total\\{result="${result}"\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0,
    );
  return { taken: counted('success'), refused: counted('failure') };
}

function isCompleteAnswer(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const call = request({ port, host: '127.0.0.1', path: '/slow/1m', agent: false }, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.once('error', () => resolve(false));
      response.once('close', () => resolve(response.statusCode === 200 && bytes === FILES['1m']));
    });
    call.once('error', () => resolve(false));
    call.end();
  });
}
