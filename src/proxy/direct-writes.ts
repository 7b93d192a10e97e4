/**
 * Writing text to the handle of a socket, past the stream in front of it: 1 us less a request, nearly all of it the
 * stream's bookkeeping for a write that the kernel takes at once. What it takes needs none; what it does not take
 * waits in libuv, in order with all that is written later. Like `shared-reads.ts` this looks first whether everything
 * is where Node 24 has it, and `nodeInternals: false` turns it off.
 */
import { Socket } from 'node:net';
import { streamWrap, type WriteWrap } from './stream-wrap.ts';
import { UpstreamSocket } from './upstream-socket.ts';

/** `refused`: nothing was written, do it by the stream. `waiting`: the rest goes out when the peer takes it. */
export const Outcome = { refused: 0, sent: 1, waiting: 2 } as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** The side of a socket that is libuv's. */
export interface WriteHandle {
  /** Answers 0, or an error number when nothing was written. `request` is used only when something waits. */
  writeLatin1String(request: WriteWrap, text: string): number;
}

interface Internals {
  readonly _handle: WriteHandle | null;
  readonly connecting: boolean;
}

const wrap = streamWrap();
/** Unused so far. */
let spare: WriteWrap | null = null;

/** To write to `socket` by; null: not yet, or it is none of those this knows: no TLS, no other stream. */
export function writeHandle(socket: Socket): WriteHandle | null {
  if (wrap === null || (socket.constructor !== Socket && socket.constructor !== UpstreamSocket)) return null;
  const { _handle: handle, connecting } = socket as unknown as Internals;
  return connecting || typeof handle?.writeLatin1String !== 'function' ? null : handle;
}

/** `handle`: that of `socket`, in whose stream nothing may wait. One that was closed since refuses. */
export function writeDirectly(handle: WriteHandle, text: string, socket: Socket): Outcome {
  const { state, isWriteWaiting, WriteWrap } = wrap!;
  spare ??= new WriteWrap();
  // The stream makes an error of it, and a socket that was reset stays so.
  if (handle.writeLatin1String(spare, text) !== 0) return Outcome.refused;
  if (state[isWriteWaiting] === 0) return Outcome.sent;
  const request = spare;
  spare = null;
  request.oncomplete = (status) => {
    if (status < 0) failed(socket, status);
  };
  return Outcome.waiting;
}

/** As the stream would: an upstream socket goes on being read. */
function failed(socket: Socket, status: number): void {
  if (socket.destroyed) return;
  const error = new Error(`The write failed: ${status}.`);
  if (socket instanceof UpstreamSocket) socket.writeError ??= error;
  else socket.destroy(error);
}
