/** Large bodies for tests: blocks that repeat no shorter than they are long, sent with backpressure and hashed. */
import { createHash, type Hash } from 'node:crypto';
import type { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export const MIB = 1_048_576;
const BLOCK = Buffer.alloc(MIB);
for (let i = 0, x = 1; i < MIB; i++) {
  x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
  BLOCK[i] = x >>> 16;
}

/** Bytes [from, to) of the endless test body; `to - from` at most 64 KiB. Each MiB starts one byte further on. */
function piece(from: number, to: number): Buffer {
  const shift = Math.floor(from / MIB) % 65_536;
  const at = ((from % MIB) + shift) % (MIB - 65_536);
  return BLOCK.subarray(at, at + to - from);
}

export function hashOf(length: number): string {
  const hash = createHash('sha256');
  for (let at = 0; at < length; at += 65_536) hash.update(piece(at, Math.min(at + 65_536, length)));
  return hash.digest('hex');
}

export interface Sending {
  /** Bytes handed to the socket. */
  sent: number;
  /** Resolves when all is sent, or the socket is gone. */
  readonly done: Promise<void>;
}

/** Sends the first `length` bytes, each piece wrapped by `frame`, never more than the socket takes. */
export function sendBody(
  socket: Socket,
  length: number,
  frame: (bytes: Buffer) => readonly (Buffer | string)[] = (bytes) => [bytes],
): Sending {
  const sending = { sent: 0, done: Promise.resolve() };
  const run = async () => {
    while (sending.sent < length && !socket.destroyed) {
      const to = Math.min(sending.sent + 65_536, length);
      let isTaken = true;
      for (const part of frame(piece(sending.sent, to))) isTaken = socket.write(part, 'latin1');
      sending.sent = to;
      if (!isTaken) await drained(socket);
    }
  };
  sending.done = run().catch(() => {});
  return sending;
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const goOn = () => {
      socket.off('drain', goOn).off('close', goOn);
      resolve();
    };
    socket.on('drain', goOn).on('close', goOn);
  });
}

/** As one chunk each. */
export function chunked(bytes: Buffer): readonly (Buffer | string)[] {
  return [`${bytes.length.toString(16)};n=v\r\n`, bytes, '\r\n'];
}

/** Counts and hashes what comes behind a head, without keeping it. */
export class Sink {
  head = '';
  bytes = 0;
  readonly #hash: Hash = createHash('sha256');

  take(data: Buffer): void {
    let chunk = data;
    if (!this.head.endsWith('\r\n\r\n')) {
      const before = this.head.length;
      const text = this.head + chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) {
        this.head = text;
        return;
      }
      this.head = text.slice(0, end + 4);
      chunk = chunk.subarray(this.head.length - before);
    }
    this.bytes += chunk.length;
    this.#hash.update(chunk);
  }

  digest(): string {
    return this.#hash.digest('hex');
  }
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Memory that is really held now, garbage not counted: buffers in bytes, and the whole process. */
export function memory(): { readonly buffers: number; readonly rss: number } {
  collect();
  collect();
  const { arrayBuffers, rss } = process.memoryUsage();
  return { buffers: arrayBuffers, rss };
}
