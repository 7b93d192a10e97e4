/**
 * Writing text to the handle of a socket, past the stream in front of it: 1 us less a request, nearly all of it the
 * stream's bookkeeping for a write that the kernel takes at once. What it takes needs none; what it does not take
 * waits in libuv, in order with all that is written later. Like `shared-reads.ts` this looks first whether everything
 * is where Node 24 has it, and `nodeInternals: false` turns it off.
 */
import { Socket } from 'node:net';
import { UpstreamSocket } from './upstream-socket.ts';

/** `refused`: nothing was written, do it by the stream. `waiting`: the rest goes out when the peer takes it. */
export const Outcome = { refused: 0, sent: 1, waiting: 2 } as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** What libuv's side wants to have of a write that waits. */
interface WriteWrap {
  oncomplete: ((status: number) => void) | null;
}

interface Handle {
  /** Bytes that wait in libuv. */
  readonly writeQueueSize: number;
  /** Answers 0, or an error number when nothing was written. `request` is used only when something waits. */
  writeLatin1String(request: WriteWrap, text: string): number;
}

interface Internals {
  readonly _handle: Handle | null;
  readonly connecting: boolean;
}

/** Learned from the first write of a stream, since nothing public names it. */
let WriteWrapClass: (new () => WriteWrap) | null = null;
/** Node is not as expected: everything goes by the streams. */
let isUnknown = false;
/** Unused so far. */
let spare: WriteWrap | null = null;

/** Whether the socket is one of those this knows: no TLS, no other stream. */
export function hasDirectWrites(socket: Socket): boolean {
  return !isUnknown && (socket.constructor === Socket || socket.constructor === UpstreamSocket);
}

/** Nothing may wait in the stream of `socket`. */
export function writeDirectly(socket: Socket, text: string): Outcome {
  const { _handle: handle, connecting } = socket as unknown as Internals;
  if (connecting || isUnknown || !handle) return Outcome.refused;
  if (WriteWrapClass === null) {
    learn(handle);
    return Outcome.refused;
  }
  spare ??= new WriteWrapClass();
  // The stream makes an error of it, and a socket that was reset stays so.
  if (handle.writeLatin1String(spare, text) !== 0) return Outcome.refused;
  if (handle.writeQueueSize === 0) return Outcome.sent;
  const request = spare;
  spare = null;
  request.oncomplete = (status) => {
    if (status < 0) failed(socket, status);
  };
  return Outcome.waiting;
}

/** The next write of the stream shows what it hands to the handle. */
function learn(handle: Handle): void {
  const { writeLatin1String, writeQueueSize } = handle as Partial<Handle>;
  if (typeof writeLatin1String !== 'function' || typeof writeQueueSize !== 'number') {
    isUnknown = true;
    return;
  }
  handle.writeLatin1String = (request, text) => {
    Reflect.deleteProperty(handle, 'writeLatin1String');
    isUnknown = request.constructor.name !== 'WriteWrap';
    if (!isUnknown) WriteWrapClass = request.constructor as new () => WriteWrap;
    return writeLatin1String.call(handle, request, text);
  };
}

/** As the stream would: an upstream socket goes on being read. */
function failed(socket: Socket, status: number): void {
  if (socket.destroyed) return;
  const error = new Error(`The write failed: ${status}.`);
  if (socket instanceof UpstreamSocket) socket.writeError ??= error;
  else socket.destroy(error);
}
