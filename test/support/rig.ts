/**
 * What a test of the request path needs: upstreams that answer complete requests as scripted, a plane in front of
 * them, clients, and all of it closed after the test. Everything is on 127.0.0.1 and free ports.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { type Message, type ReadOptions, readMessage } from './message.ts';
import { RawClient } from './peers.ts';
import { startPlane, type TestPlane } from './plane.ts';
import { Signal, WAIT_MS } from './signal.ts';

export { Signal };

/** A complete request as the upstream got it. */
export interface Received extends Message {
  readonly socket: Socket;
  /** Number of the connection, from 0. */
  readonly connection: number;
}

export class Upstream {
  port = 0;
  readonly requests: Received[] = [];
  /** Text received and not yet taken for a request, per connection. */
  readonly pending: string[] = [];
  readonly sockets: Socket[] = [];
  readonly ended: boolean[] = [];
  readonly closed: boolean[] = [];
  readonly signal = new Signal();
  readonly #server: Server;

  /** `onRequest` is called for each complete request; `onConnection` before anything is read. */
  constructor(
    onRequest: (request: Received) => void,
    onConnection: (socket: Socket, connection: number) => void = () => {},
  ) {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const connection = this.sockets.push(socket) - 1;
      this.pending.push('');
      this.ended.push(false);
      this.closed.push(false);
      socket.on('error', () => {});
      socket.on('data', (chunk) => this.#onData(socket, connection, chunk, onRequest));
      socket.on('end', () => {
        this.ended[connection] = true;
        this.signal.wake();
      });
      socket.on('close', () => {
        this.closed[connection] = true;
        this.signal.wake();
      });
      onConnection(socket, connection);
      this.signal.wake();
    });
  }

  get endpoint(): string {
    return `127.0.0.1:${this.port}`;
  }

  async listen(host = '127.0.0.1', port = 0): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, resolve);
    });
    const address = this.#server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
    return this;
  }

  until(condition: () => boolean, timeoutMs = WAIT_MS): Promise<void> {
    const what = () =>
      `upstream has ${this.requests.length} requests on ${this.sockets.length} connections, pending ${JSON.stringify(this.pending.map((text) => text.slice(0, 500)))}`;
    return this.signal.until(condition, what, timeoutMs);
  }

  /** The nth complete request. */
  async request(n = 0, timeoutMs = WAIT_MS): Promise<Received> {
    await this.until(() => this.requests.length > n, timeoutMs);
    return this.requests[n]!;
  }

  /** The proxy has closed this connection, or at least its sending side. */
  left(connection = 0): Promise<void> {
    return this.until(() => this.ended[connection]! || this.closed[connection]!);
  }

  /** Stop listening, so that connecting is refused; connections live on. */
  stopListening(): void {
    this.#server.close();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  #onData(socket: Socket, connection: number, chunk: Buffer, onRequest: (request: Received) => void): void {
    this.pending[connection] += chunk.toString('latin1');
    for (;;) {
      const message = readMessage(this.pending[connection]!);
      if (message === null) break;
      this.pending[connection] = this.pending[connection]!.slice(message.size);
      const request = { ...message, socket, connection };
      this.requests.push(request);
      onRequest(request);
    }
    this.signal.wake();
  }
}

/** The settings that go with the endpoints of the one upstream `app`; the text is JSON, which is YAML. */
export function configOf(endpoints: readonly string[], settings: object = {}): string {
  const { timeouts, ...others } = settings as { readonly timeouts?: object };
  return JSON.stringify({
    version: 1,
    listeners: [{ name: 'inbound', address: '127.0.0.1:0', direction: 'inbound' }],
    upstreams: { app: { endpoints } },
    routes: [{ name: 'all', match: { path: '/*' }, upstream: 'app' }],
    // A busy machine may pause for longer than the two and four seconds that there are by default.
    timeouts: { connect: '20s', upstreamIdle: '60s', ...timeouts },
    ...others,
  });
}

export interface Rig {
  upstream(
    onRequest: (request: Received) => void,
    onConnection?: (socket: Socket, connection: number) => void,
  ): Promise<Upstream>;
  /** A plane in front of the endpoints; on the real clock if nothing else is said. */
  plane(endpoints: readonly string[], settings?: object, clock?: Clock): Promise<TestPlane>;
  /** Of a port, or on a socket of its own. */
  client(target: number | Socket): RawClient;
  /** A plain socket, closed with the rest. */
  socket(port: number): Socket;
  /** Close something else with the rest. */
  also(close: () => unknown): void;
}

/** Call it once per test file, at the top. */
export function useRig(): Rig {
  let closers: (() => unknown)[] = [];
  afterEach(async () => {
    const closing = closers.reverse();
    closers = [];
    for (const close of closing) await close();
  });
  return {
    async upstream(onRequest, onConnection) {
      const upstream = new Upstream(onRequest, onConnection);
      closers.push(() => upstream.close());
      return upstream.listen();
    },
    async plane(endpoints, settings, clock) {
      const plane = await startPlane(configOf(endpoints, settings), clock);
      closers.push(() => plane.close());
      return plane;
    },
    client(target) {
      const client = new RawClient(target);
      closers.push(() => client.close());
      return client;
    },
    socket(port) {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
      socket.on('error', () => {});
      closers.push(() => socket.destroy());
      return socket;
    },
    also: (close) => closers.push(close),
  };
}

/** A response with a Content-Length. */
export function ok(body = 'ok', fields = ''): string {
  return `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
}

export function get(target = '/', fields = ''): string {
  return `GET ${target} HTTP/1.1\r\nHost: test\r\n${fields}\r\n`;
}

export function post(body: string, fields = '', method = 'POST'): string {
  return `${method} / HTTP/1.1\r\nHost: test\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
}

export interface Answer extends Message {
  /** The problem's members, or null when it is no problem+json. */
  readonly problem: { readonly code: string; readonly side: string; readonly status: number } | null;
}

/** The next complete response, taken off what the client received. */
export async function answer(
  client: RawClient,
  options: ReadOptions = {},
  timeoutMs = WAIT_MS,
): Promise<Answer> {
  let message: Message | null = null;
  await client.until((text) => {
    message = readMessage(text, { ...options, isEnded: client.isEnded });
    return message !== null || client.isEnded || client.isClosed;
  }, timeoutMs);
  const found = message as Message | null;
  if (found === null)
    throw new Error(`The connection closed behind ${JSON.stringify(client.text.slice(0, 500))}`);
  client.text = client.text.slice(found.size);
  const isProblem =
    found.fields.some(([, value]) => value === 'application/problem+json') && found.body !== '';
  return { ...found, problem: isProblem ? JSON.parse(found.body) : null };
}
