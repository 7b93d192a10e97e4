/** Runs a wire case through the real data plane over loopback sockets. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { readMessage } from './message.ts';
import { startPlane, type TestPlane } from './plane.ts';
import { Signal } from './rig.ts';
import { canonical, canonicalBeginning, WIRE_LIMITS, type WireCase } from './wire.ts';
import { expectedUpstream } from './wire-codec.ts';

export interface SocketResult {
  /** Canonical complete messages that the upstream got. */
  readonly upstream: readonly string[];
  /** Everything that the client got, as it came. */
  readonly client: string;
  readonly isClosed: boolean;
  /** False: something that the case waits for did not come. */
  readonly isInTime: boolean;
  /** How many connections the sidecar opened to the upstream, and whether it has closed them all. */
  readonly connections: number;
  readonly isLeft: boolean;
}

const DEFAULT_RESPONSE = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
/** Longer than anything here takes; only a bug waits for it. */
const DEADLINE_MS = 9000;

/** One connection that the sidecar opened. */
interface UpstreamSide {
  received: string;
  /** The sidecar has closed it, or at least its sending side. */
  isLeft: boolean;
}

/** One plane and one upstream for a whole suite; cases run one after another. */
export class WireStage {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #plane: TestPlane | null = null;
  #case: WireCase | null = null;
  #sides: UpstreamSide[] = [];
  #signal = new Signal();
  #clientBytes = 0;
  #whenClientGets = () => {};
  #isByteByByte = false;

  constructor() {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    this.#plane = await startPlane(planeConfig(port));
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
    const sides: UpstreamSide[] = [];
    const signal = new Signal();
    this.#sides = sides;
    this.#signal = signal;
    this.#clientBytes = 0;
    this.#whenClientGets = () => {};
    this.#case = wireCase;
    // What the client gets of a refused response, and when it goes on, depends on how much of it came at once.
    this.#isByteByByte =
      isByteByByte && wireCase.refusal === null && !wireCase.isBrokenOff && !wireCase.isEarly;
    const client = connect({
      port: this.#plane!.port,
      host: '127.0.0.1',
      allowHalfOpen: true,
      noDelay: true,
    });
    let text = '';
    let isClosed = false;
    client.on('data', (chunk) => {
      text += chunk.toString('latin1');
      this.#clientBytes = text.length;
      const next = this.#whenClientGets;
      this.#whenClientGets = () => {};
      next();
      signal.wake();
    });
    client.on('error', () => {});
    for (const event of ['end', 'close']) {
      client.on(event, () => {
        isClosed = true;
        signal.wake();
      });
    }
    let isInTime = true;
    const until = (condition: () => boolean) =>
      signal
        .until(condition, () => wireCase.name, DEADLINE_MS)
        .catch(() => {
          isInTime = false;
        });
    const isLeft = () => !wireCase.isUpstreamDropped || sides.every((side) => side.isLeft);
    for (const [i, piece] of wireCase.requestPieces.entries()) {
      const before = text.length;
      await send(client, piece, isByteByByte);
      if (i < wireCase.requestPieces.length - 1)
        await until(() => isClosed || (text.length > before && isLeft()));
    }
    await until(() => isLeft() && this.#isDone(wireCase, text, isClosed));
    // A turn for what should not come any more.
    await new Promise((resolve) => setTimeout(resolve, 2));
    client.destroy();
    return {
      upstream: sides.flatMap(({ received }) => messagesOf(received, wireCase.isEarly)),
      client: text,
      isClosed,
      isInTime,
      connections: sides.length,
      isLeft: sides.every((side) => side.isLeft),
    };
  }

  #isDone(wireCase: WireCase, text: string, isClosed: boolean): boolean {
    if (isClosed) return true;
    if (isClosing(wireCase)) return false;
    const { messages } = canonical(text, { methods: methodsOf(wireCase) });
    return messages.length >= expectedCount(wireCase);
  }

  /** The first piece now, each other one when the client has got something more. */
  async #answer(socket: Socket, [first, ...others]: readonly Buffer[], wireCase: WireCase): Promise<void> {
    const before = this.#clientBytes;
    await send(socket, first!, this.#isByteByByte);
    const goOn = () => void this.#answer(socket, others, wireCase);
    if (others.length > 0 && this.#clientBytes > before) goOn();
    else if (others.length > 0) this.#whenClientGets = goOn;
    else if (wireCase.isUpstreamClosing) socket.end();
    else if (wireCase.isUpstreamResetting) socket.resetAndDestroy();
  }

  #accept(socket: Socket): void {
    const wireCase = this.#case!;
    const signal = this.#signal;
    const side: UpstreamSide = { received: '', isLeft: false };
    this.#sides.push(side);
    const pieces = wireCase.responsePieces.length > 0 ? wireCase.responsePieces : [DEFAULT_RESPONSE];
    const isAnswerDue = wireCase.isEarly ? whenSeen(expectedUpstream(wireCase)) : whenComplete();
    let answering = Promise.resolve();
    this.#sockets.add(socket);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      side.isLeft = true;
      signal.wake();
    });
    socket.on('error', () => {});
    socket.on('end', () => {
      side.isLeft = true;
      signal.wake();
      socket.end();
    });
    socket.on('data', (chunk) => {
      side.received += chunk.toString('latin1');
      // One answer behind the other, as the requests came.
      while (isAnswerDue(side.received))
        answering = answering.then(() => this.#answer(socket, pieces, wireCase));
    });
  }
}

/** Asked again and again with all that was received: true once for each complete request. */
function whenComplete(): (received: string) => boolean {
  let taken = 0;
  return (received) => {
    const message = readMessage(received.slice(taken));
    taken += message?.size ?? 0;
    return message !== null;
  };
}

/** True once, when what was received is what the case shows. */
function whenSeen(expected: readonly string[]): (received: string) => boolean {
  let isAnswered = false;
  return (received) => {
    const isDue = !isAnswered && messagesOf(received, true).join('') === expected.join('');
    isAnswered ||= isDue;
    return isDue;
  };
}

function messagesOf(received: string, isBeginningShown: boolean): string[] {
  const { messages, rest } = canonical(received);
  return isBeginningShown && rest !== '' ? [...messages, canonicalBeginning(rest)] : messages;
}

function planeConfig(upstreamPort: number): string {
  return JSON.stringify({
    version: 1,
    listeners: [{ name: 'inbound', address: '127.0.0.1:0', direction: 'inbound' }],
    upstreams: { app: { endpoints: [`127.0.0.1:${upstreamPort}`] } },
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
  });
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
  return expectedUpstream(wireCase).map((message) => message.slice(0, message.indexOf(' ')));
}

function expectedCount(wireCase: WireCase): number {
  if (wireCase.client !== null)
    return canonical(wireCase.client, { methods: methodsOf(wireCase), isEnded: true }).messages.length;
  return methodsOf(wireCase).length + (wireCase.refusal !== null && wireCase.response === null ? 1 : 0);
}
