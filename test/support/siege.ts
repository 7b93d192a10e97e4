/**
 * A sidecar in a process of its own among hostile clients: its memory, its sockets, an upstream beside it, and a
 * neighbour, which is an honest client whose requests must go on being answered. Needs /proc, so Linux.
 */
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RawClient } from './peers.ts';
import { type RunningProcess, runSidecar } from './process.ts';
import { configOf, get } from './rig.ts';

/** GET /big is answered with this many bytes. */
export const BIG_BYTES = 50_000_000;
/** And GET /page with so many. */
const PAGE_BYTES = 10_000;
const BLOCK = Buffer.alloc(65_536, 'b');
/** Requests before the first hostile client, so that the memory is that of a running sidecar. */
const WARM_REQUESTS = 300;
/** Connections opened at one time: the kernel's backlog is not what is tested. */
const BATCH = 200;

/** A hostile client and what came of it. */
export interface Hostile {
  readonly socket: Socket;
  /** What it got, when it reads. */
  text: string;
  isClosed: boolean;
}

export class Siege {
  readonly port: number;
  /** Resident bytes and sockets before the first hostile client. */
  readonly calm: { readonly memoryBytes: number; readonly sockets: number };
  readonly hostiles: Hostile[] = [];
  readonly #running: RunningProcess;
  readonly #upstream: Upstream;
  readonly #folder: string;

  private constructor(running: RunningProcess, port: number, upstream: Upstream, folder: string) {
    this.#running = running;
    this.port = port;
    this.#upstream = upstream;
    this.#folder = folder;
    this.calm = { memoryBytes: this.#memoryBytes(), sockets: this.#sockets() };
  }

  static async begin(settings: object): Promise<Siege> {
    const upstream = await Upstream.start();
    const folder = mkdtempSync(join(tmpdir(), 'fairlead-siege-'));
    // Free ports for the admin API and the probes too: other tests run beside this one.
    const admin = { address: '127.0.0.1:0', probeAddress: '127.0.0.1:0' };
    writeFileSync(join(folder, 'config.yaml'), configOf([upstream.endpoint], { admin, ...settings }));
    const running = await runSidecar('config.yaml', folder);
    const port = running.ports.inbound!;
    const client = new RawClient(port);
    for (let i = 0; i < WARM_REQUESTS; i++) await client.send(get()).response();
    const siege = new Siege(running, port, upstream, folder);
    client.close();
    return siege;
  }

  end(): void {
    for (const { socket } of this.hostiles) socket.destroy();
    this.#running.child.kill('SIGKILL');
    this.#upstream.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Requests that the upstream has got to their end. */
  get served(): number {
    return this.#upstream.served;
  }

  /** Connections that the upstream has ever had. */
  get accepted(): number {
    return this.#upstream.accepted;
  }

  /** Resident memory that came since the siege began, in bytes. */
  grownBytes(): number {
    return this.#memoryBytes() - this.calm.memoryBytes;
  }

  /** Sockets that came since the siege began, the upstream's included. */
  moreSockets(): number {
    return this.#sockets() - this.calm.sockets;
  }

  async connect(count: number): Promise<Hostile[]> {
    const all: Hostile[] = [];
    while (all.length < count) {
      const batch = Array.from({ length: Math.min(BATCH, count - all.length) }, () => this.#connect());
      all.push(...(await Promise.all(batch)));
    }
    return all;
  }

  /** An honest client, asking again and again until it is stopped; then its statuses, all of them. */
  neighbour(): { stop(): Promise<readonly string[]> } {
    const client = new RawClient(this.port);
    const statuses: string[] = [];
    let isStopped = false;
    const asking = (async () => {
      while (!isStopped) {
        statuses.push((await client.send(get()).response()).slice(9, 12));
        await new Promise((resolve) => setImmediate(resolve));
      }
      client.close();
    })();
    asking.catch(() => {});
    return {
      async stop() {
        isStopped = true;
        await asking;
        return statuses;
      },
    };
  }

  #connect(): Promise<Hostile> {
    const socket = connect({ port: this.port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const hostile: Hostile = { socket, text: '', isClosed: false };
    this.hostiles.push(hostile);
    socket.on('error', () => {});
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        hostile.isClosed = true;
      });
    }
    return new Promise((resolve) => socket.once('connect', () => resolve(hostile)));
  }

  #memoryBytes(): number {
    const status = readFileSync(`/proc/${this.#running.child.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s*(\d+) kB/m.exec(status)![1]) * 1024;
  }

  #sockets(): number {
    const folder = `/proc/${this.#running.child.pid}/fd`;
    return readdirSync(folder).filter((fd) => isSocket(join(folder, fd))).length;
  }
}

/** Reads and keeps what comes. */
export function reading(hostiles: readonly Hostile[]): void {
  for (const hostile of hostiles) {
    hostile.socket.on('data', (chunk) => {
      hostile.text += chunk.toString('latin1');
    });
  }
}

/** Answers /big and /page with much, everything else with how many body bytes came in. */
class Upstream {
  served = 0;
  accepted = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      let bytes = 0;
      request.on('data', (chunk) => {
        bytes += chunk.length;
      });
      request.on('end', () => {
        this.served++;
        if (request.url === '/page') return response.end(BLOCK.subarray(0, PAGE_BYTES));
        if (request.url !== '/big') return response.end(`${bytes}`);
        response.writeHead(200, { 'content-length': BIG_BYTES });
        let left = BIG_BYTES;
        const send = () => {
          while (left > 0 && !response.destroyed) {
            const block = BLOCK.subarray(0, Math.min(left, BLOCK.length));
            left -= block.length;
            if (!response.write(block)) return;
          }
          response.end();
        };
        response.on('drain', send);
        send();
      });
    });
    this.#server.on('connection', () => {
      this.accepted++;
    });
    // Its own limits are not what is tested.
    this.#server.requestTimeout = 0;
    this.#server.headersTimeout = 0;
  }

  static async start(): Promise<Upstream> {
    const upstream = new Upstream();
    await new Promise<void>((resolve) => upstream.#server.listen(0, '127.0.0.1', 4096, () => resolve()));
    return upstream;
  }

  get endpoint(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('socket:');
  } catch {
    return false;
  }
}
