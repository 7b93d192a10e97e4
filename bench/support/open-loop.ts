/**
 * The open loop: open-loop.c, compiled when first needed. Latency is measured from the instant a request was due.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { hasProgram, own, pinned, type Started, yielding } from './processes.ts';
import { BENCH, LOAD_CORES, scratchFile } from './rig.ts';

/** In microseconds, of `count` requests. */
export interface Quantiles {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface Failure {
  readonly atMs: number;
  readonly kind: string;
  readonly status: number;
  readonly isPost: boolean;
  /** The connection had answered before. */
  readonly isReused: boolean;
}

export interface OpenLoopResult {
  readonly sent: number;
  readonly answered: number;
  readonly failed: number;
  /** Connections that the proxy closed between requests. */
  readonly idleCloses: number;
  readonly kinds: Readonly<Record<string, number>>;
  readonly latencyUs: Quantiles;
  /** How late the generator itself was. */
  readonly lagUs: Quantiles;
  readonly failures: readonly Failure[];
}

export interface OpenLoopOptions {
  readonly port: number;
  readonly rate: number;
  readonly seconds: number;
  /** Seconds before, that are not measured. */
  readonly warm?: number;
  readonly connections?: number;
  /** How many of the connections are used. */
  readonly active?: number;
  readonly postPercent?: number;
  readonly bodyBytes?: number;
  /** Leaves the core to others between events, at the price of precision; else it takes what nobody wants. */
  readonly isSleeping?: boolean;
  /** The load's unless given. */
  readonly cores?: string;
}

/** Whether the generator can be had: it needs a C compiler. */
export function hasOpenLoop(): boolean {
  return hasProgram('cc');
}

/** A generator with its connections open, ready for any number of runs. */
export class OpenLoop {
  readonly connections: number;
  readonly #child: ChildProcess;
  readonly #process: Started;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, connections: number) {
    this.#child = child;
    this.#process = own(child);
    this.#lines = lines;
    this.connections = connections;
  }

  /** Opens all connections, each with one request. Throws when they cannot be opened. */
  static async open(options: OpenLoopOptions): Promise<OpenLoop> {
    const command = [compiled(), ...argumentsOf(options)];
    const [program, ...args] = pinned(
      options.isSleeping ? command : yielding(command),
      options.cores ?? LOAD_CORES,
    );
    const child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.on('error', () => {});
    const reader: Interface = createInterface({ input: child.stdout });
    const lines = reader[Symbol.asyncIterator]();
    const { open } = (await read(lines)) as { open: number };
    return new OpenLoop(child, lines, open);
  }

  /** One run. Throws when the proxy cannot follow at all. */
  async run(): Promise<OpenLoopResult> {
    this.#child.stdin!.write('\n');
    return (await read(this.#lines)) as OpenLoopResult;
  }

  /** Ends a run early: it answers with what it has. */
  end(): void {
    this.#child.stdin!.end();
  }

  close(): Promise<void> {
    return this.#process.stop();
  }
}

/** What failed, by kind, as text. */
export function failuresText({ kinds }: OpenLoopResult): string {
  const found = Object.entries(kinds).filter(([, count]) => count > 0);
  return found.length === 0 ? 'none' : found.map(([kind, count]) => `${count} ${kind}`).join(', ');
}

/** Opens, runs once and closes. */
export async function runOpenLoop(options: OpenLoopOptions): Promise<OpenLoopResult> {
  const loop = await OpenLoop.open(options);
  try {
    return await loop.run();
  } finally {
    await loop.close();
  }
}

async function read(lines: AsyncIterator<string>): Promise<unknown> {
  const { value, done } = await lines.next();
  if (done) throw new Error('the load generator gave up, see above');
  return JSON.parse(value as string);
}

function argumentsOf(options: OpenLoopOptions): string[] {
  const { port, rate, seconds, warm = 0, connections = 64, active = connections } = options;
  const { postPercent = 0, bodyBytes = 0 } = options;
  const load = { port, rate, seconds, warm, connections, active, post: postPercent, body: bodyBytes };
  const values = { ...load, sleep: options.isSleeping ? 1 : 0 };
  return Object.entries(values).map(([name, value]) => `${name}=${value}`);
}

function compiled(): string {
  const program = scratchFile('open-loop');
  if (!existsSync(program)) {
    const source = join(BENCH, 'support/open-loop.c');
    execFileSync('cc', ['-O2', '-Wall', '-Werror', '-o', program, source, '-lm'], { stdio: 'inherit' });
  }
  return program;
}
