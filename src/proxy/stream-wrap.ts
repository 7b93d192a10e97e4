/**
 * Where Node's C++ leaves what a read or a write came to: an array of numbers that its own JavaScript reads. Not
 * public, and only looked for when somebody asks; null where Node is another than 24, and then the streams do the work.
 */

/** What libuv's side wants to have of a write that waits. */
export interface WriteWrap {
  oncomplete: ((status: number) => void) | null;
}

/** `state` at `readBytes`: bytes read, or below 0; at `isWriteWaiting`: 0 if the kernel took the last write whole. */
export interface StreamWrap {
  readonly state: Int32Array;
  readonly readBytes: number;
  readonly isWriteWaiting: number;
  readonly WriteWrap: new () => WriteWrap;
}

/** Undefined: nobody has looked. */
let found: StreamWrap | null | undefined;

/** The same for all sockets of the process; null: not with this Node. */
export function streamWrap(): StreamWrap | null {
  if (found === undefined) found = look();
  return found;
}

function look(): StreamWrap | null {
  try {
    const { binding } = process as unknown as { binding(name: string): Record<string, unknown> };
    const { streamBaseState, kReadBytesOrError, kLastWriteWasAsync, WriteWrap } = binding('stream_wrap');
    const isAsExpected =
      streamBaseState instanceof Int32Array &&
      isIndexOf(streamBaseState, kReadBytesOrError) &&
      isIndexOf(streamBaseState, kLastWriteWasAsync) &&
      typeof WriteWrap === 'function';
    if (!isAsExpected) return null;
    return {
      state: streamBaseState,
      readBytes: kReadBytesOrError,
      isWriteWaiting: kLastWriteWasAsync,
      WriteWrap: WriteWrap as new () => WriteWrap,
    };
  } catch {
    return null;
  }
}

function isIndexOf(array: Int32Array, index: unknown): index is number {
  return typeof index === 'number' && index in array;
}
