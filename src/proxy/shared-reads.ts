/**
 * Reading from an accepted socket into a buffer of our choice: 1.5 us less a request than a buffer for each read.
 * Node has this as `onread` for sockets that connect, and in no public way for those it accepts. So this sets what
 * `onread` would have set, after a look whether everything is where Node 24 has it; where it is not, the answer is
 * no, and the caller uses 'data' events. The setting `nodeInternals: false` turns it off.
 */
import { Socket } from 'node:net';
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

/** Always answers true: reading is paused by the socket's own `pause`. */
type OnRead = (length: number, buffer: Buffer) => true;

/**
 * From now on `socket` calls `onRead(length, buffer)` and emits no 'data'. `next` is asked for the buffer now and
 * after each read; null: the same as before. False: not with this Node or this socket, and nothing is changed.
 */
export function readInto(
  socket: Socket,
  onRead: OnRead,
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
  shortenReads(socket);
  return true;
}

/**
 * For a socket that reads by `readInto` or `onread`, and is connected: what is read goes to its callback without the
 * stream's bookkeeping for timeouts that nobody has set. Ends and errors go the long way. Nothing changes for others.
 */
export function shortenReads(socket: Socket): void {
  const wrap = streamWrap();
  const internals = socket as unknown as Internals;
  const handle = internals._handle;
  if (symbols === null || wrap === null || typeof handle?.onread !== 'function') return;
  const [kBuffer, kBufferCb, kBufferGen] = symbols as [symbol, symbol, symbol];
  const callback = internals[kBufferCb] as OnRead | null;
  const next = internals[kBufferGen] as (() => Buffer | null) | null;
  let buffer = internals[kBuffer] as Buffer;
  if (typeof callback !== 'function' || typeof next !== 'function' || !(buffer instanceof Uint8Array)) return;
  const { state, readBytes } = wrap;
  const long = handle.onread;
  handle.onread = function (unused) {
    const length = state[readBytes]!;
    if (length <= 0) return long.call(this, unused);
    callback(length, buffer);
    const other = next();
    if (other === null) return;
    buffer = other;
    internals[kBuffer] = other;
    return other;
  };
}
