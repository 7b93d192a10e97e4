/**
 * Processes of a benchmark: started on a core, waited for, measured from /proc, and ended with this process.
 * CPU time is what the kernel's scheduler counted, of all threads and children; Linux only.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { cpus } from 'node:os';

export interface Started {
  readonly pid: number;
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 15_000;
const STOP_WITHIN_MS = 5000;
const running = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

/** Whether a program is on the PATH. */
export function hasProgram(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
}

/** Whether there are two cores to keep the proxy and the load apart. */
export function canPin(): boolean {
  return cpus().length >= 2 && hasProgram('taskset');
}

/** Moves this process, and so what it starts without a core, to one core. */
export function pinSelf(core: number): void {
  if (canPin()) spawnSync('taskset', ['-a', '-cp', String(core), String(process.pid)]);
}

/** Starts a program on a core and waits until the port accepts. Its talk is shown only when it fails. */
export async function start(
  command: readonly string[],
  options: { core: number | null; port: number },
): Promise<Started> {
  const pinned =
    options.core !== null && canPin() ? ['taskset', '-c', String(options.core), ...command] : command;
  const child = spawn(pinned[0]!, pinned.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] });
  running.add(child);
  let talk = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    talk = (talk + text).slice(-4000);
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  ended.then(() => running.delete(child));
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!(await accepts(options.port))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${command.join(' ')} does not accept on port ${options.port}\n${talk}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    pid: child.pid!,
    stop: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}

function accepts(port: number): Promise<boolean> {
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

/** Resident memory of a process with its children, in MiB. */
export function rssMiB(pid: number): number {
  let total = 0;
  for (const one of family(pid)) {
    total += Number(/^VmRSS:\s+(\d+) kB/m.exec(textOf(`/proc/${one}/status`))?.[1] ?? 0) / 1024;
  }
  return total;
}

/** Time a core was busy since boot, in microseconds; to see whether others used the proxy's core. */
export function coreBusyUs(core: number): number {
  const fields =
    new RegExp(`^cpu${core} (.*)$`, 'm').exec(textOf('/proc/stat'))?.[1]?.split(' ').map(Number) ?? [];
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields;
  return (user + nice + system + irq + softirq + steal) * 10_000;
}

function family(pid: number): number[] {
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
