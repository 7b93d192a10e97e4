/**
 * What the chaos happens to: a sidecar as it is run, with workers, and behind it three endpoints of a control and three
 * of a candidate, each a process of its own. All of it on this machine, in a folder that goes with it.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Asker } from '../support/ask.ts';
import { residentBytes, socketCount } from '../support/footprint.ts';
import { type RunningProcess, runSidecar } from '../support/process.ts';
import { ServiceProcess } from '../support/service-process.ts';

const TOKEN = 'chaos-token';
const ENDPOINTS = [1, 2, 3];
export const BREAKER = 'api/ranking/candidate';

export class World {
  readonly controls: readonly ServiceProcess[];
  readonly candidates: readonly ServiceProcess[];
  readonly folder: string;
  readonly workerCount: number;
  #sidecar: (RunningProcess & { readonly ports: Readonly<Record<string, number>> }) | null = null;
  #admin: Asker | null = null;

  private constructor(folder: string, services: readonly (readonly ServiceProcess[])[], workers: number) {
    this.folder = folder;
    [this.controls = [], this.candidates = []] = services;
    this.workerCount = workers;
  }

  static async start(workers: number): Promise<World> {
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-chaos-'));
    const start = (name: string) =>
      Promise.all(ENDPOINTS.map((n) => ServiceProcess.start(`${name}-${n}`, join(folder, 'done'))));
    const world = new World(folder, await Promise.all([start('control'), start('candidate')]), workers);
    world.replaceConfig(world.config('50%'));
    world.#sidecar = await runSidecar('config.yaml', folder);
    world.#admin = new Asker(world.ports.admin!, 4);
    return world;
  }

  /** Ids of the requests that services have carried out, one a line. */
  get doneFile(): string {
    return join(this.folder, 'done');
  }

  get accessFile(): string {
    return join(this.folder, 'access.log');
  }

  get ports(): Readonly<Record<string, number>> {
    return this.#sidecar!.ports;
  }

  log(): string {
    return this.#sidecar!.log();
  }

  /** @param weight of the candidate */
  config(weight: string): string {
    const upstream = (services: readonly ServiceProcess[]) => ({
      endpoints: services.map(({ endpoint }) => endpoint),
      outlier: { consecutiveFailures: 3, ejectFor: '1s', ejectForMax: '2s' },
    });
    const anything = ['connect', 'reset', 'timeout', 'malformed', '5xx'];
    return JSON.stringify({
      version: 1,
      requireMetadata: false,
      workers: this.workerCount,
      listeners: [{ name: 'inbound', address: '127.0.0.1:0' }],
      admin: { address: '127.0.0.1:0', probeAddress: '127.0.0.1:0', token: TOKEN },
      upstreams: { v1: upstream(this.controls), v2: upstream(this.candidates) },
      routes: [
        {
          name: 'api',
          upstream: 'v1',
          experiments: ['ranking'],
          retries: { attempts: 3, on: anything, perTry: '1s', backOff: { base: '5ms', max: '50ms' } },
          failover: { on: anything, after: '1500ms' },
        },
      ],
      experiments: {
        ranking: {
          variants: { control: {}, candidate: { weight, upstream: 'v2' } },
          breaker: { window: '3s', minimumRequests: 20, openFor: '500ms', openForMax: '2s' },
        },
      },
      // What one bad endpoint of three causes is to be retried: budgets are other tests'.
      retryBudget: { ratio: '100%', minPerSecond: 1000 },
      timeouts: { connect: '500ms', firstByte: '3s', stall: '3s', request: '12s', upstreamIdle: '2s' },
      drain: { timeout: '5s' },
      accessLog: { file: 'access.log' },
      stateFile: 'state.json',
    });
  }

  /** As an editor or a ConfigMap does it. */
  replaceConfig(text: string): void {
    const file = join(this.folder, 'config.yaml');
    writeFileSync(`${file}.next`, text);
    renameSync(`${file}.next`, file);
  }

  /** A change by the admin API; rejects when it is refused. */
  async change(method: 'POST' | 'DELETE', path: string, body: object): Promise<unknown> {
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
    const answer = await this.#admin!.ask({ method, path, headers, body: JSON.stringify(body) });
    if (answer.status < 200 || answer.status > 299)
      throw new Error(`${method} ${path}: ${answer.status} ${answer.code} ${answer.body}`);
    return JSON.parse(answer.body);
  }

  async read<T>(path: string): Promise<T> {
    return JSON.parse((await this.#admin!.ask({ path })).body) as T;
  }

  async page(): Promise<string> {
    return (await this.#admin!.ask({ path: '/metrics' })).body;
  }

  /** Those that carry traffic, by process id; the sidecar itself without workers. */
  async workers(): Promise<number[]> {
    if (this.workerCount === 1) return [this.#sidecar!.child.pid!];
    const { workers } = await this.read<{ workers: { pid: number; state: string }[] }>('/v1/config');
    return workers.filter(({ state }) => state === 'serving').map(({ pid }) => pid);
  }

  /** Of the sidecar with its workers. */
  async footprint(): Promise<{ readonly bytes: number; readonly sockets: number }> {
    const pids = new Set([this.#sidecar!.child.pid!, ...(await this.workers())]);
    let [bytes, sockets] = [0, 0];
    for (const pid of pids) {
      bytes += residentBytes(pid);
      sockets += socketCount(pid);
    }
    return { bytes, sockets };
  }

  /** Answers the exit code of the sidecar. */
  async stop(): Promise<number | null> {
    this.#admin?.close();
    this.#sidecar?.child.kill('SIGTERM');
    const code = (await this.#sidecar?.exited) ?? null;
    for (const service of [...this.controls, ...this.candidates]) {
      service.thaw();
      await service.kill();
    }
    return code;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
