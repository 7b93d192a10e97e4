/**
 * Processes of a benchmark: started on chosen cores, waited for, measured from /proc, and ended with this process.
 * CPU time is what the kernel's scheduler counted, of all threads and children; Linux only.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { cpus } from 'node:os';

export interface Started {
  readonly pid: number;
  /** Resolves with the exit code, null after a signal. */
  readonly ended: Promise<number | null>;
  /** SIGTERM (or another), and SIGKILL to what does not end. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** SIGKILL to it and its children. */
  kill(): Promise<void>;
}

export interface StartOptions {
  /** As taskset has it: '0', '0,1'; null: wherever. */
  readonly cores: string | null;
  /** Waits until this port of 127.0.0.1 accepts; null: does not wait. */
  readonly port: number | null;
  readonly env?: Readonly<Record<string, string>>;
}

const READY_WITHIN_MS = 15_000;
const STOP_WITHIN_MS = 5000;
/** A shot in which others took more of the proxy's core than this is repeated. */
export const OTHERS_MAX_RATIO = 0.12;
const TALK_MAX = 4000;
const running = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of running) killFamily(child);
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

/** Whether a program is on the PATH. */
export function hasProgram(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
}

const HAS_TASKSET = hasProgram('taskset');
const HAS_CHRT = hasProgram('chrt');

/** Whether there are two cores to keep the proxy and the load apart. */
export function canPin(): boolean {
  return cpus().length >= 2 && HAS_TASKSET;
}

/** Moves this process, and so what it starts without a core, to one core. */
export function pinSelf(core: string): void {
  if (canPin()) spawnSync('taskset', ['-a', '-cp', core, String(process.pid)]);
}

/** The command that runs `command` on these cores. */
export function pinned(command: readonly string[], cores: string | null): string[] {
  return cores !== null && canPin() ? ['taskset', '-c', cores, ...command] : [...command];
}

/** The command that runs `command` only while nobody else wants the core. */
export function yielding(command: readonly string[]): string[] {
  return HAS_CHRT ? ['chrt', '-i', '0', ...command] : [...command];
}

/** Starts a program. Its talk is shown only when it fails. */
export async function start(command: readonly string[], options: StartOptions): Promise<Started> {
  if (options.port !== null && (await accepts(options.port))) {
    throw new Error(`something else is listening on port ${options.port}`);
  }
  const [program, ...args] = pinned(command, options.cores);
  const child = spawn(program!, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  let talk = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    talk = (talk + text).slice(-TALK_MAX);
  });
  const started = own(child);
  const deadline = Date.now() + READY_WITHIN_MS;
  while (options.port !== null && !(await accepts(options.port))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      killFamily(child);
      throw new Error(`${command.join(' ')} does not accept on port ${options.port}\n${talk}`);
    }
    await sleep(20);
  }
  return started;
}

/** Ends the child with this process. */
export function own(child: ChildProcess): Started {
  running.add(child);
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => resolve(code));
    child.once('error', () => resolve(null));
  });
  ended.then(() => running.delete(child));
  return {
    pid: child.pid ?? 0,
    ended,
    kill: async () => {
      killFamily(child);
      await ended;
    },
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal);
      const timer = setTimeout(() => killFamily(child), STOP_WITHIN_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** The whole family, for workers outlive a master that is killed; the master first, or it makes new ones. */
function killFamily(child: ChildProcess): void {
  for (const pid of family(child.pid ?? 0)) {
    try {
      if (pid > 0) process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Whether something accepts on this port of 127.0.0.1. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** CPU time so far of a process with its threads and children, in microseconds. */
export function cpuUs(pid: number): number {
  let total = 0;
  for (const one of family(pid)) {
    for (const task of listOf(`/proc/${one}/task`)) {
      total += Number(textOf(`/proc/${one}/task/${task}/schedstat`).split(' ')[0] ?? 0) / 1000;
    }
  }
  return total;
}

/** Resident memory of a process with its children, in bytes. Pages that they share count once for each. */
export function rssBytes(pid: number): number {
  return family(pid).reduce((sum, one) => sum + ownRssBytes(one), 0);
}

/** Resident memory of one process, in bytes; 0 when it is gone. */
export function ownRssBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(textOf(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
}

/** Time a core was busy since boot, in microseconds; to see whether others used the proxy's core. */
function coreBusyUs(core: number): number {
  const fields =
    new RegExp(`^cpu${core} (.*)$`, 'm').exec(textOf('/proc/stat'))?.[1]?.split(' ').map(Number) ?? [];
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields;
  return (user + nice + system + irq + softirq + steal) * 10_000;
}

/**
 * Watches a core for somebody else: the answer tells the share of the time since that others than the process (null:
 * anybody) took of it.
 */
export function watchOthers(core: number, pid: number | null): () => number {
  const cpu = (): number => (pid === null ? 0 : cpuUs(pid));
  const [cpuBefore, busyBefore, startedAt] = [cpu(), coreBusyUs(core), performance.now()];
  return () => {
    const others = coreBusyUs(core) - busyBefore - (cpu() - cpuBefore);
    return others / ((performance.now() - startedAt) * 1000);
  };
}

/** A process and its children, theirs, and so on. */
export function family(pid: number): number[] {
  const found = [pid];
  for (const task of listOf(`/proc/${pid}/task`)) {
    for (const child of textOf(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean)) {
      found.push(...family(Number(child)));
    }
  }
  return found;
}

function listOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
