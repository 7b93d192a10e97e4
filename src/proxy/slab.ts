/**
 * Room for copies of what was read, cut from slabs: an allocation of 16 KiB costs as much as the rest of a request.
 * Nearly every copy is taken by the kernel in the call that writes it, so its room is used again at once, and a body
 * of any length passes through one slab. Copies that have to wait keep theirs, and the next slab is a new one.
 */

/** Holds two reads of 64 KiB. A larger copy gets memory of its own. */
const SLAB_BYTES = 131_072;
let slab = Buffer.allocUnsafeSlow(0);
let used = 0;
/** Where the last copy begins; -1: it is not the last any more. */
let lastStart = -1;

/** `length` bytes that are the caller's, with anything in them. */
export function room(length: number): Buffer {
  lastStart = -1;
  if (length > SLAB_BYTES / 2) return Buffer.allocUnsafeSlow(length);
  if (used + length > slab.length) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    used = 0;
  }
  lastStart = used;
  used += length;
  return slab.subarray(lastStart, used);
}

/** Nobody looks at `bytes` any more. Only what `room` answered last, or the beginning of it, is used again. */
export function giveBack(bytes: Buffer): void {
  if (lastStart < 0 || bytes.buffer !== slab.buffer || bytes.byteOffset !== lastStart) return;
  used = lastStart;
  lastStart = -1;
}
