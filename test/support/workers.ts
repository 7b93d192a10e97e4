/** A sidecar with workers as a process of its own, and which of its workers a connection belongs to (Linux). */
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import { RawClient } from './peers.ts';
import { runSidecar } from './process.ts';

export const TOKEN = 'workers-token';
const NAME = 'api/ranking/candidate';
/** A request without a user. */
export const PLAIN = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

export interface WorkerView {
  readonly worker: number;
  readonly pid: number;
  readonly state: 'serving' | 'starting';
  readonly version: number;
  readonly isCurrent: boolean;
}

/** Ports of the upstreams of the two variants. */
export interface UpstreamPorts {
  readonly control: number;
  readonly candidate: number;
}

/** `more` goes at the end of the configuration. */
export function workersConfig(ports: UpstreamPorts, more = '', workers = 2): string {
  return `
version: 1
service: checkout
workers: ${workers}
upstreams:
  v1: { endpoints: ["127.0.0.1:${ports.control}"] }
  v2: { endpoints: ["127.0.0.1:${ports.candidate}"] }
routes: [{ name: api, match: { path: /* }, upstream: v1, experiments: [ranking] }]
experiments:
  ranking:
    owner: search-team
    hypothesis: better
    breaker: { window: 10s, minimumRequests: 20, errorRate: 50%, openFor: 60s, halfOpenRequests: 2 }
    variants: { control: { weight: 90% }, candidate: { weight: 10%, upstream: v2 } }
admin: { address: 127.0.0.1:0, probeAddress: 127.0.0.1:0, token: ${TOKEN} }
${more.includes('listeners:') ? '' : 'listeners: [{ name: inbound, address: "127.0.0.1:0", direction: inbound }]'}
${more.includes('accessLog:') ? '' : 'accessLog: { file: access.log }'}
exposures: { file: exposures.ndjson, key: k }
stateFile: state.json
${more}
`;
}

/** A request that must go to the candidate; the answer says who served it. */
export function candidateRequest(path = '/'): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\nx-experiment-override: ranking=candidate\r\n\r\n`;
}

/** Who served it: `control` or `candidate`; the status when that is not 200. */
export function servedBy(response: string): string {
  const status = /^HTTP\/1\.1 (\d+)/.exec(response)?.[1];
  return status === '200' ? response.slice(response.indexOf('\r\n\r\n') + 4) : `status ${status}`;
}

interface RunningUpstream {
  readonly port: number;
  /** Answers that wait: requests for `/held`. */
  readonly held: (() => void)[];
  close(): void;
}

/**
 * An upstream that says which variant it is; the candidate answers `/fail` with 500, and both `/slow/MS` after MS and
 * `/held` when told to.
 */
async function startUpstream(variant: string): Promise<RunningUpstream> {
  const held: (() => void)[] = [];
  const server = createServer((request, response) => {
    const url = request.url ?? '/';
    const delayMs = Number(/^\/slow\/(\d+)/.exec(url)?.[1] ?? 0);
    if (url === '/fail' && variant === 'candidate') response.statusCode = 500;
    const answer = (): void => void response.end(variant);
    if (url === '/held') held.push(answer);
    else if (delayMs > 0) setTimeout(answer, delayMs);
    else answer();
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    held,
    port: (server.address() as { port: number }).port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Everything is closed after the test. Call it once per test file, at the top. */
export function useWorkers() {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  return {
    closers,
    /** @param configOf makes the configuration, to be put into this folder */
    async start(
      configOf: (ports: UpstreamPorts, folder: string) => string = (ports) => workersConfig(ports),
    ): Promise<Sidecar> {
      const [control, candidate] = [await startUpstream('control'), await startUpstream('candidate')];
      const cwd = await mkdtemp(join(tmpdir(), 'fairlead-workers-'));
      closers.push(
        () => rm(cwd, { recursive: true, force: true }),
        () => control.close(),
        () => candidate.close(),
      );
      await writeFile(
        join(cwd, 'fairlead.yaml'),
        configOf({ control: control.port, candidate: candidate.port }, cwd),
      );
      const sidecar = new Sidecar(await runSidecar('fairlead.yaml', cwd), cwd, control.held);
      closers.push(() => sidecar.close());
      return sidecar;
    },
  };
}

export class Sidecar {
  readonly cwd: string;
  /** Answers of control that wait: requests for `/held`. */
  readonly held: (() => void)[];
  readonly #running: Awaited<ReturnType<typeof runSidecar>>;
  readonly #clients: RawClient[] = [];

  constructor(running: Awaited<ReturnType<typeof runSidecar>>, cwd: string, held: (() => void)[] = []) {
    this.#running = running;
    this.held = held;
    this.cwd = cwd;
  }

  get child() {
    return this.#running.child;
  }

  get exited(): Promise<number | null> {
    return this.#running.exited;
  }

  get ports(): Readonly<Record<string, number>> {
    return this.#running.ports;
  }

  log(): string {
    return this.#running.log();
  }

  client(): RawClient {
    const client = new RawClient(this.ports.inbound!);
    this.#clients.push(client);
    return client;
  }

  /** Connections until each worker has at least `count` of them, by pid; each has had one request. */
  async clientsOfEach(count: number): Promise<Map<number, RawClient[]>> {
    const clients = new Map<number, RawClient[]>();
    const pids = (await this.workers()).map(({ pid }) => pid);
    for (const pid of pids) clients.set(pid, []);
    while ([...clients.values()].some((own) => own.length < count)) {
      const client = this.client();
      client.send(PLAIN);
      await client.response();
      clients.get(await ownerOf(client, pids))!.push(client);
    }
    return clients;
  }

  async workers(): Promise<WorkerView[]> {
    const view = (await this.get('/v1/config')) as { workers?: WorkerView[] };
    return view.workers ?? [];
  }

  /**
   * Kills one of two workers, the first unless told, and waits until its successor serves beside the other: the
   * primary hears of the end later than the worker's clients do, and says «serving» of it until then.
   */
  async replaceWorker(pid?: number): Promise<void> {
    const killed = pid ?? (await this.workers())[0]!.pid;
    process.kill(killed, 'SIGKILL');
    const serving = async () =>
      (await this.workers()).flatMap((worker) => (worker.state === 'serving' ? [worker.pid] : []));
    await expect
      .poll(serving, { timeout: 15_000 })
      .toSatisfy((pids: number[]) => pids.length === 2 && !pids.includes(killed));
  }

  async get(path: string): Promise<unknown> {
    return (await fetch(`http://127.0.0.1:${this.ports.admin}${path}`)).json();
  }

  async post(path: string, body: object): Promise<unknown> {
    const answer = await fetch(`http://127.0.0.1:${this.ports.admin}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (answer.status !== 200) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  trip(forTime: string): Promise<unknown> {
    return this.post(`/v1/breakers/${NAME}:trip`, { for: forTime, reason: 'test' });
  }

  reset(): Promise<unknown> {
    return this.post(`/v1/breakers/${NAME}:reset`, { reason: 'test' });
  }

  async breaker(): Promise<Record<string, unknown>> {
    return (await this.get(`/v1/breakers/${NAME}`)) as Record<string, unknown>;
  }

  async page(): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.ports.probes}/metrics`)).text();
  }

  /** Lets the answers of control go that wait, when there are so many. */
  async letGo(count: number): Promise<void> {
    await expect.poll(() => this.held.length, { timeout: 15_000 }).toBe(count);
    for (const answer of this.held.splice(0)) answer();
  }

  /**
   * Resolves when the lines of the page that begin like this add up to this. Of a worker that has not answered at once a
   * page has the values before, so a look right behind a request may be one too early.
   */
  async counts(begin: string, value: number): Promise<void> {
    await expect.poll(() => this.metric(begin), { timeout: 15_000 }).toBe(value);
  }

  /** The sum of the lines of the page that begin like this. */
  async metric(begin: string): Promise<number> {
    const lines = (await this.page()).split('\n').filter((line) => line.startsWith(begin));
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    this.child.kill('SIGKILL');
    await this.exited;
  }
}

/** Sends a request and waits for its answer: who served it. */
export async function ask(client: RawClient, request: string): Promise<string> {
  client.send(request);
  return servedBy(await client.response());
}

/** Requests one after the other until told to stop or the connection is lost; answers what became of them. */
export function load(client: RawClient, request = PLAIN) {
  const result = { answered: 0, lost: 0, bad: [] as string[] };
  let isOver = false;
  const gone = new Promise<string>((resolve) => {
    client.socket.once('end', () => resolve(''));
    client.socket.once('close', () => resolve(''));
  });
  const done = (async () => {
    while (!isOver) {
      client.send(request);
      const answer = client.response(10_000).catch(() => '');
      const response = await Promise.race([answer, gone]);
      if (response === '') {
        result.lost++;
        return result;
      }
      result.answered++;
      if (!/^HTTP\/1\.1 200/.test(response)) result.bad.push(response.slice(0, 200));
      if (/\r\nconnection: close\r\n/i.test(response)) return result;
    }
    return result;
  })();
  return {
    result,
    done,
    stop: () => {
      isOver = true;
      return done;
    },
  };
}

/** Which of these processes has the other end of the connection. */
async function ownerOf(client: RawClient, pids: readonly number[]): Promise<number> {
  if (client.socket.connecting) await once(client.socket, 'connect');
  const inode = await inodeOf(client.socket.remotePort!, client.socket.localPort!);
  for (const pid of pids) {
    const links = await Promise.all(
      (await readdir(`/proc/${pid}/fd`)).map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')),
    );
    if (links.includes(`socket:[${inode}]`)) return pid;
  }
  throw new Error(`none of ${pids.join(', ')} has the connection`);
}

async function inodeOf(localPort: number, remotePort: number): Promise<string> {
  const end = (port: number): string => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const line of (await readFile('/proc/net/tcp', 'utf8')).split('\n')) {
    const columns = line.trim().split(/\s+/);
    if (columns[1] === end(localPort) && columns[2] === end(remotePort)) return columns[9]!;
  }
  throw new Error(`no connection from port ${remotePort} to ${localPort}`);
}
