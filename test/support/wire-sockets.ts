/** Runs a wire case through the real data plane over loopback sockets. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { readMessage } from './message.ts';
import { startPlane, type TestPlane } from './plane.ts';
import { canonical, WIRE_LIMITS, type WireCase } from './wire.ts';

export interface SocketResult {
  /** Canonical complete messages that the upstream got. */
  readonly upstream: readonly string[];
  /** Everything that the client got, as it came. */
  readonly client: string;
  readonly isClosed: boolean;
}

const DEFAULT_RESPONSE = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
/** Longer than anything here takes; only a bug waits for it. */
const DEADLINE_MS = 3000;

/** One plane and one upstream for a whole suite; cases run one after another. */
export class WireStage {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #plane: TestPlane | null = null;
  #case: WireCase | null = null;
  #received: string[] = [];
  #whenClientGets = () => {};
  #isByteByByte = false;

  constructor() {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    this.#plane = await startPlane(
      JSON.stringify({
        version: 1,
        listeners: [{ name: 'inbound', address: '127.0.0.1:0', direction: 'inbound' }],
        upstreams: { app: { endpoints: [`127.0.0.1:${port}`] } },
        routes: [{ name: 'all', match: { path: '/*' }, upstream: 'app' }],
        limits: {
          head: `${WIRE_LIMITS.headMaxBytes}B`,
          target: `${WIRE_LIMITS.targetMaxBytes}B`,
          fields: WIRE_LIMITS.fieldsMax,
        },
        forwarding: {
          forwardedFor: 'off',
          forwardedProto: 'off',
          forwardedHost: 'off',
          via: false,
          requestId: false,
          traceparent: false,
        },
      }),
    );
  }

  close(): void {
    this.#plane?.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  /** `isByteByByte`: one write for each byte of the request and of the response, a turn of the event loop apart. */
  async run(wireCase: WireCase, isByteByByte: boolean): Promise<SocketResult> {
    // A pooled connection of the case before must not carry into this one.
    for (const socket of this.#sockets) socket.destroy();
    this.#received = [];
    this.#whenClientGets = () => {};
    this.#case = wireCase;
    // What the client gets of a refused response depends on how much of it came at once.
    this.#isByteByByte = isByteByByte && wireCase.refusal === null && !wireCase.isBrokenOff;
    const client = connect({
      port: this.#plane!.port,
      host: '127.0.0.1',
      allowHalfOpen: true,
      noDelay: true,
    });
    let text = '';
    let isClosed = false;
    let wake = () => {};
    client.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const next = this.#whenClientGets;
      this.#whenClientGets = () => {};
      next();
      wake();
    });
    client.on('error', () => {});
    for (const event of ['end', 'close']) {
      client.on(event, () => {
        isClosed = true;
        wake();
      });
    }
    await send(client, wireCase.request, isByteByByte);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, DEADLINE_MS);
      wake = () => {
        if (!this.#isDone(wireCase, text, isClosed)) return;
        clearTimeout(timer);
        resolve();
      };
      wake();
    });
    // A turn for what should not come any more.
    await new Promise((resolve) => setTimeout(resolve, 2));
    client.destroy();
    const upstream = this.#received.flatMap((stream) => canonical(stream).messages);
    return { upstream, client: text, isClosed };
  }

  #isDone(wireCase: WireCase, text: string, isClosed: boolean): boolean {
    if (isClosed) return true;
    if (isClosing(wireCase)) return false;
    const { messages } = canonical(text, { methods: methodsOf(wireCase) });
    return messages.length >= expectedCount(wireCase);
  }

  /** The first piece now, each other one when the client has got something more. */
  async #answer(socket: Socket, [first, ...others]: readonly Buffer[], isClosing: boolean): Promise<void> {
    await send(socket, first!, this.#isByteByByte);
    if (others.length > 0) this.#whenClientGets = () => void this.#answer(socket, others, isClosing);
    else if (isClosing) socket.end();
  }

  #accept(socket: Socket): void {
    const index = this.#received.push('') - 1;
    const { responsePieces, isUpstreamClosing } = this.#case!;
    const pieces = responsePieces.length > 0 ? responsePieces : [DEFAULT_RESPONSE];
    const received = this.#received;
    let taken = 0;
    let answering = Promise.resolve();
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('data', (chunk) => {
      received[index] += chunk.toString('latin1');
      for (;;) {
        const message = readMessage(received[index]!.slice(taken));
        if (message === null) break;
        taken += message.size;
        // One answer behind the other, as the requests came.
        answering = answering.then(() => this.#answer(socket, pieces, isUpstreamClosing));
      }
    });
  }
}

async function send(client: Socket, bytes: Buffer, isByteByByte: boolean): Promise<void> {
  if (!isByteByByte) {
    client.write(bytes);
    return;
  }
  for (let i = 0; i < bytes.length && client.writable; i++) {
    client.write(bytes.subarray(i, i + 1));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Does the connection end by itself in this case? */
export function isClosing(wireCase: WireCase): boolean {
  if (wireCase.isClientClosed || wireCase.isBrokenOff) return true;
  return wireCase.refusal !== null && wireCase.response === null;
}

/** Methods of the requests of a case, by what the upstream sees of them. */
export function methodsOf(wireCase: WireCase): string[] {
  return canonical(wireCase.upstream).messages.map((message) => message.slice(0, message.indexOf(' ')));
}

function expectedCount(wireCase: WireCase): number {
  if (wireCase.client !== null)
    return canonical(wireCase.client, { methods: methodsOf(wireCase), isEnded: true }).messages.length;
  return methodsOf(wireCase).length + (wireCase.refusal !== null && wireCase.response === null ? 1 : 0);
}
