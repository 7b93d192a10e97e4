/** wrk, the closed loop: as many requests as the proxy can answer, and what they cost it. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Candidate } from '../peers/candidate.ts';
import type { Shot } from './ledger.ts';
import { canPin, cpuUs, OTHERS_MAX_RATIO, pinned, watchOthers } from './processes.ts';
import { BENCH, LOAD_CORES, PROXY_CORE } from './rig.ts';
import { parseWrk, type WrkResult } from './wrk-output.ts';

const SCRIPT = join(BENCH, 'support/requests.lua');
const REPEATS_MAX = 3;

export interface Load {
  readonly seconds: number;
  readonly connections: number;
  readonly path?: string;
  /** Requests go to /service-0/..., up to this many services in turns, instead of `path`. */
  readonly services?: number;
  /** POST with a body of this many bytes instead of GET. */
  readonly bodyBytes?: number;
  readonly cores?: string;
  readonly threads?: number;
}

export async function runWrk(port: number, load: Load): Promise<WrkResult> {
  const { seconds, connections, path = '/api/items', services = 0, bodyBytes = 0, threads = 1 } = load;
  const wrk = ['wrk', `-t${threads}`, `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', SCRIPT];
  const args = [`http://127.0.0.1:${port}${path}`, '--', path, String(services), String(bodyBytes)];
  return parseWrk(await outputOf(pinned([...wrk, ...args], load.cores ?? LOAD_CORES)));
}

/** One shot: CPU of the proxy for each request and MB (of bodies), and how many of them. */
export async function shoot(candidate: Candidate, pid: number, load: Load): Promise<Shot> {
  let shot = await shootOnce(candidate, pid, load);
  for (let repeat = 0; repeat < REPEATS_MAX && shot.isDisturbed; repeat++) {
    shot = await shootOnce(candidate, pid, load);
  }
  return shot;
}

async function shootOnce(candidate: Candidate, pid: number, load: Load): Promise<Shot> {
  const cpuBefore = cpuUs(pid);
  const others = watchOthers(PROXY_CORE, pid);
  const { requests, bytesRead, errors } = await runWrk(candidate.port, load);
  const cpu = cpuUs(pid) - cpuBefore;
  const othersRatio = others();
  if (requests === 0) throw new Error(`${candidate.name} answered no request on port ${candidate.port}`);
  const megabytes = (load.bodyBytes === undefined ? bytesRead : requests * load.bodyBytes) / 1e6;
  return {
    values: {
      usPerRequest: cpu / requests,
      requestsPerSecond: requests / load.seconds,
      usPerMegabyte: cpu / megabytes,
      megabytesPerSecond: megabytes / load.seconds,
    },
    errors,
    // With the load on the proxy's own core others cannot be told from it.
    isDisturbed: canPin() && load.cores === undefined && othersRatio > OTHERS_MAX_RATIO,
  };
}

function outputOf(command: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    child.once('error', reject);
    child.once('close', () => resolve(text));
  });
}
