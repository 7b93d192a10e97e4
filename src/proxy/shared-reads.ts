/**
 * Reading from an accepted socket into a buffer of our choice: 1.5 us less a request than a buffer for each read.
 * Node has this as `onread` for sockets that connect, and in no public way for those it accepts. So this sets what
 * `onread` would have set, after a look whether everything is where Node 24 has it; where it is not, the answer is
 * no, and the caller uses 'data' events. The setting `nodeInternals: false` turns it off.
 */
import { Socket } from 'node:net';

/** What a socket with `onread` holds, by the descriptions of the symbols. */
const NAMES = ['kBuffer', 'kBufferCb', 'kBufferGen'] as const;

interface Handle {
  useUserBuffer(buffer: Uint8Array): void;
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

/**
 * From now on `socket` calls `onRead(length, buffer)` and emits no 'data'. `next` is asked for the buffer now and
 * after each read; null: the same as before. False: not with this Node or this socket, and nothing is changed.
 */
export function readInto(
  socket: Socket,
  onRead: (length: number, buffer: Buffer) => boolean,
  next: () => Buffer | null,
): boolean {
  if (symbols === null || socket.constructor !== Socket) return false;
  const internals = socket as unknown as Internals;
  const handle = internals._handle;
  const isUntouched = symbols.every((symbol) => internals[symbol] === null);
  if (!isUntouched || typeof handle?.useUserBuffer !== 'function') return false;
  const buffer = next();
  if (buffer === null) return false;
  const [kBuffer, kBufferCb, kBufferGen] = symbols as [symbol, symbol, symbol];
  internals[kBuffer] = buffer;
  internals[kBufferCb] = onRead;
  internals[kBufferGen] = next;
  handle.useUserBuffer(buffer);
  return true;
}
