/**
 * Reading from an accepted socket into a buffer of our choice: 1.5 us less a request than a buffer for each read.
 * Node has this as `onread` for sockets that connect, and in no public way for those it accepts. So this sets what
 * `onread` would have set, after a look whether everything is where Node 24 has it; where it is not, the answer is
 * no, and the caller uses 'data' events. The setting `nodeInternals: false` turns it off.
 */
import { type OnReadOpts, Socket } from 'node:net';
import type { ReadBuffer } from './read-buffer.ts';
import { streamWrap } from './stream-wrap.ts';

/** What a socket with `onread` holds, by the descriptions of the symbols. */
const NAMES = ['kBuffer', 'kBufferCb', 'kBufferGen'] as const;

interface Handle {
  useUserBuffer(buffer: Uint8Array): void;
  /** Called with the handle as `this`; answers the buffer for the next read, or nothing to go on with the same. */
  onread: (this: Handle, unused?: unknown) => Uint8Array | undefined;
}

type Internals = Record<symbol, unknown> & { _handle?: Handle | null };

/** The symbols, or null where Node is another. */
const symbols = findSymbols();

function findSymbols(): readonly symbol[] | null {
  const probe = new Socket();
  const own = Object.getOwnPropertySymbols(probe);
  probe.destroy();
  const found = NAMES.map((name) => own.find(({ description }) => description === name));
  return found.some((symbol) => symbol === undefined) ? null : (found as symbol[]);
}

/** Whoever reads a socket, into the buffers that `reads` names. */
export interface Reader {
  readonly reads: ReadBuffer;
  /** Bytes [0, length) of a buffer that is read into again after the call. */
  onRead(length: number, bytes: Buffer): void;
}

/**
 * From now on `reader` gets what `socket`, which was accepted, reads, and there is no 'data'. False: not with this
 * Node or this socket, and nothing is changed.
 */
export function readInto(socket: Socket, reader: Reader): boolean {
  if (symbols === null || socket.constructor !== Socket) return false;
  const internals = socket as unknown as Internals;
  const handle = internals._handle;
  const isUntouched = symbols.every((symbol) => internals[symbol] === null);
  if (!isUntouched || typeof handle?.useUserBuffer !== 'function') return false;
  const buffer = reader.reads.next();
  if (buffer === null) return false;
  const [kBuffer, kBufferCb, kBufferGen] = symbols as [symbol, symbol, symbol];
  const { buffer: next, callback } = onreadOf(reader);
  internals[kBuffer] = buffer;
  internals[kBufferCb] = callback;
  internals[kBufferGen] = next;
  handle.useUserBuffer(buffer);
  shortenReads(socket, reader);
  return true;
}

/** The option `onread` of a socket that connects; `isFresh`: see `ReadBuffer.always`. */
export function onreadOf(reader: Reader, isFresh = false): OnReadOpts {
  const { reads } = reader;
  return {
    buffer: isFresh ? () => reads.always() : (): Uint8Array => reads.next()!,
    callback(length, bytes) {
      reader.onRead(length, bytes as Buffer);
      return true;
    },
  };
}

/**
 * For a socket that is connected and reads for `reader`, by `readInto` or `onreadOf`: what is read goes there without
 * what the stream keeps for timeouts that nobody has set. Ends and errors go the long way. Where Node is not as
 * expected nothing changes.
 */
export function shortenReads(socket: Socket, reader: Reader): void {
  const wrap = streamWrap();
  const handle = (socket as unknown as Internals)._handle;
  if (wrap === null || typeof handle?.onread !== 'function') return;
  const { state, readBytes } = wrap;
  const long = handle.onread;
  handle.onread = function (unused) {
    const length = state[readBytes]!;
    if (length <= 0) return long.call(this, unused);
    const { reads } = reader;
    reader.onRead(length, reads.inUse!);
    return reads.next() ?? undefined;
  };
}
