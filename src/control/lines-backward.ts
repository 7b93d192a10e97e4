/** The lines of a file from its end to its beginning. What is read at once, and the longest line, are bounded. */
import type { FileHandle } from 'node:fs/promises';

const CHUNK_BYTES = 64 * 1024;
/** More than any record has; a file without line feeds is not read on. */
const LINE_MAX_BYTES = 1024 * 1024;

export interface BackwardLine {
  /** Without the "\n". */
  readonly bytes: Buffer;
  /** Where it begins in the file. */
  readonly start: number;
  /** Where the next one begins. */
  readonly end: number;
  /** Only the last line of a file may be without a "\n". */
  readonly isTerminated: boolean;
}

/** @param size Of the file, in bytes. Rejects with the system's error. */
export async function* linesBackward(handle: FileHandle, size: number): AsyncGenerator<BackwardLine> {
  let carry: Buffer = Buffer.alloc(0);
  /** Where the line ends that is put together; its "\n" is before it. */
  let end = size;
  let isTerminated = false;
  let position = size;
  while (position > 0 && carry.length < LINE_MAX_BYTES) {
    const start = Math.max(0, position - CHUNK_BYTES);
    const { buffer, bytesRead } = await handle.read(
      Buffer.alloc(position - start),
      0,
      position - start,
      start,
    );
    let chunk = Buffer.concat([buffer.subarray(0, bytesRead), carry]);
    for (let feed = chunk.lastIndexOf(0x0a); feed >= 0; feed = chunk.lastIndexOf(0x0a)) {
      const bytes = chunk.subarray(feed + 1);
      const from = start + feed + 1;
      if (from < size) yield { bytes, start: from, end, isTerminated };
      end = from;
      isTerminated = true;
      chunk = chunk.subarray(0, feed);
    }
    carry = chunk;
    position = start;
  }
  if (size > 0) yield { bytes: carry, start: position, end, isTerminated };
}
