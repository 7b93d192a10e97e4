/** Peers on real sockets: an upstream that answers as scripted, and a client that sends and collects raw bytes. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Signal, WAIT_MS } from './signal.ts';

export interface RawUpstream {
  readonly port: number;
  readonly endpoint: string;
  /** One entry per accepted connection: everything received on it, latin1. */
  readonly received: string[];
  readonly sockets: Socket[];
  close(): Promise<void>;
}

/** `onData` gets the socket, what has been received on this connection so far, and the connection's number from 0. */
export async function rawUpstream(
  onData: (socket: Socket, text: string, connection: number) => void,
): Promise<RawUpstream> {
  const received: string[] = [];
  const sockets: Socket[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    const index = sockets.push(socket) - 1;
    received.push('');
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      received[index] += chunk.toString('latin1');
      onData(socket, received[index]!, index);
    });
    socket.on('end', () => socket.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    port,
    endpoint: `127.0.0.1:${port}`,
    received,
    sockets,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** Complete requests without a body in `text`. */
export function requestCount(text: string): number {
  return text.split('\r\n\r\n').length - 1;
}

/** An upstream that answers every bodiless request with `response`. */
export function fixedUpstream(response: string): Promise<RawUpstream> {
  const answered = new WeakMap<Socket, number>();
  return rawUpstream((socket, text) => {
    const wanted = requestCount(text);
    for (let i = answered.get(socket) ?? 0; i < wanted; i++) socket.write(response, 'latin1');
    answered.set(socket, wanted);
  });
}

export class RawClient {
  readonly socket: Socket;
  text = '';
  isEnded = false;
  isClosed = false;
  /** The connection was reset, not closed. */
  isReset = false;
  readonly #signal = new Signal();

  /** @param target a port of this machine, or a socket that is connected or about to be */
  constructor(target: number | Socket) {
    this.socket =
      typeof target === 'number' ? connect({ port: target, host: '127.0.0.1', allowHalfOpen: true }) : target;
    this.socket.setNoDelay(true);
    this.socket.on('data', (chunk) => {
      this.text += chunk.toString('latin1');
      this.#signal.wake();
    });
    this.socket.on('end', () => {
      this.isEnded = true;
      this.#signal.wake();
    });
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.isReset = error.code === 'ECONNRESET';
    });
    this.socket.on('close', () => {
      this.isClosed = true;
      this.#signal.wake();
    });
  }

  send(text: string): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  /** Sends, and resolves when the kernel has taken it all. */
  sent(text: string): Promise<void> {
    return new Promise((resolve) => this.socket.write(text, 'latin1', () => resolve()));
  }

  /** Resolves when `condition` holds; rejects after `timeoutMs` with what was received. */
  async until(condition: (text: string) => boolean, timeoutMs = WAIT_MS): Promise<string> {
    const what = () => `received ${JSON.stringify(this.text)}`;
    await this.#signal.until(() => condition(this.text), what, timeoutMs);
    return this.text;
  }

  /** Everything up to the end of the connection. */
  ended(timeoutMs = WAIT_MS): Promise<string> {
    return this.until(() => this.isEnded || this.isClosed, timeoutMs);
  }

  /** One complete response with a Content-Length, taken off what was received. */
  async response(timeoutMs = WAIT_MS): Promise<string> {
    let end = -1;
    await this.until((text) => {
      end = endOfResponse(text);
      return end >= 0;
    }, timeoutMs);
    const response = this.text.slice(0, end);
    this.text = this.text.slice(end);
    return response;
  }

  close(): void {
    this.socket.destroy();
  }
}

function endOfResponse(text: string): number {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return -1;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, headEnd));
  const end = headEnd + 4 + Number(length?.[1] ?? 0);
  return text.length < end ? -1 : end;
}
