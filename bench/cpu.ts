/**
 * How much CPU time does one request cost each proxy? All proxies run at once on core 0 and wrk loads one after the
 * other from core 1, in rounds of alternating order; the answer is the median of the ratios within each round.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { type Candidate, startResponder } from './support/candidates.ts';
import { canPin, coreBusyUs, cpuUs, rssMiB, type Started, start } from './support/processes.ts';
import { type Spread, spread } from './support/statistics.ts';

const USERS = join(import.meta.dirname, 'support/users.lua');
const PROXY_CORE = 0;
const LOAD_CORE = 1;
/** A shot in which others took more of the proxy's core than this is repeated. */
const OTHERS_MAX_RATIO = 0.12;
const REPEATS_MAX = 3;
/** For the JIT, before the first round. */
const WARM_UP_SECONDS = 3;

export interface CpuOptions {
  readonly connections: number;
  readonly rounds: number;
  /** Blocks of fresh processes: the same program started twice can sit some percent apart. */
  readonly blocks: number;
  readonly shotSeconds: number;
}

export interface CpuRow {
  readonly name: string;
  readonly usPerRequest: Spread;
  /** To the first candidate, within each round. */
  readonly ratio: Spread;
  readonly requestsPerSecond: number;
  readonly idleMiB: number;
  readonly loadedMiB: number;
  /** Shots that stayed disturbed after all repeats. */
  readonly disturbed: number;
  readonly errors: number;
}

interface Shot {
  readonly usPerRequest: number;
  readonly requestsPerSecond: number;
  readonly errors: number;
  readonly isDisturbed: boolean;
}

interface Series {
  readonly us: number[];
  readonly ratios: number[];
  readonly rps: number[];
  idleMiB: number;
  loadedMiB: number;
  disturbed: number;
  errors: number;
}

/** Measures all candidates; the first is what the others are held against. */
export async function measureCpu(
  candidates: readonly Candidate[],
  options: CpuOptions,
  say: (text: string) => void,
): Promise<CpuRow[]> {
  const series = new Map<string, Series>();
  for (const { name } of candidates) {
    series.set(name, { us: [], ratios: [], rps: [], idleMiB: 0, loadedMiB: 0, disturbed: 0, errors: 0 });
  }
  for (let block = 0; block < options.blocks; block++) {
    await measureBlock(candidates, options, series, (text) =>
      say(`block ${block + 1}/${options.blocks} ${text}`),
    );
  }
  return candidates.map(({ name }) => {
    const { us, ratios, rps, ...rest } = series.get(name)!;
    return {
      name,
      usPerRequest: spread(us),
      ratio: spread(ratios),
      requestsPerSecond: Math.round(spread(rps).median),
      ...rest,
    };
  });
}

async function measureBlock(
  candidates: readonly Candidate[],
  options: CpuOptions,
  series: ReadonlyMap<string, Series>,
  say: (text: string) => void,
): Promise<void> {
  const responder = await startResponder(LOAD_CORE);
  const processes = new Map<string, Started>();
  try {
    for (const one of candidates) {
      processes.set(one.name, await start(one.command, { core: PROXY_CORE, port: one.port }));
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
    for (const one of candidates) {
      series.get(one.name)!.idleMiB = rssMiB(processes.get(one.name)!.pid);
    }
    for (const one of candidates) await shoot(one, processes.get(one.name)!.pid, options, WARM_UP_SECONDS);
    for (let round = 0; round < options.rounds; round++) {
      say(`round ${round + 1}/${options.rounds}`);
      const order = round % 2 === 0 ? candidates : [...candidates].reverse();
      const shots = new Map<string, Shot>();
      for (const one of order) {
        const pid = processes.get(one.name)!.pid;
        shots.set(one.name, await shootUndisturbed(one, pid, options));
        const mine = series.get(one.name)!;
        mine.loadedMiB = Math.max(mine.loadedMiB, rssMiB(pid));
      }
      const base = shots.get(candidates[0]!.name)!.usPerRequest;
      for (const [name, shot] of shots) {
        const mine = series.get(name)!;
        mine.us.push(shot.usPerRequest);
        mine.ratios.push(shot.usPerRequest / base);
        mine.rps.push(shot.requestsPerSecond);
        mine.errors += shot.errors;
        if (shot.isDisturbed) mine.disturbed++;
      }
    }
  } finally {
    await Promise.all([...processes.values(), responder].map((one) => one.stop()));
  }
}

async function shootUndisturbed(candidate: Candidate, pid: number, options: CpuOptions): Promise<Shot> {
  let shot = await shoot(candidate, pid, options, options.shotSeconds);
  for (let repeat = 0; repeat < REPEATS_MAX && shot.isDisturbed; repeat++) {
    shot = await shoot(candidate, pid, options, options.shotSeconds);
  }
  return shot;
}

async function shoot(candidate: Candidate, pid: number, options: CpuOptions, seconds: number): Promise<Shot> {
  const cpuBefore = cpuUs(pid);
  const busyBefore = coreBusyUs(PROXY_CORE);
  const startedAt = performance.now();
  const { requests, errors } = await runWrk(candidate.port, options.connections, seconds);
  const elapsedUs = (performance.now() - startedAt) * 1000;
  const cpu = cpuUs(pid) - cpuBefore;
  const others = coreBusyUs(PROXY_CORE) - busyBefore - cpu;
  if (requests === 0) throw new Error(`${candidate.name} answered no request on port ${candidate.port}`);
  return {
    usPerRequest: cpu / requests,
    requestsPerSecond: requests / seconds,
    errors,
    isDisturbed: canPin() && others / elapsedUs > OTHERS_MAX_RATIO,
  };
}

function runWrk(
  port: number,
  connections: number,
  seconds: number,
): Promise<{ requests: number; errors: number }> {
  const pin = canPin() ? ['taskset', '-c', String(LOAD_CORE)] : [];
  const command = [
    ...pin,
    ...['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '-s', USERS, `http://127.0.0.1:${port}/api/items`],
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    child.once('error', reject);
    child.once('close', () => {
      const failed =
        /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
      const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
      resolve({
        requests: Number(/(\d+) requests in/.exec(text)?.[1] ?? 0),
        errors: failed.reduce((sum, count) => sum + Number(count), refused),
      });
    });
  });
}
