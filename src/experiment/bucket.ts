/**
 * Native bucketing, algorithm `fairlead1`: a unit's slot out of 1,000,000.
 *
 * The key is the UTF-8 of `salt NUL purpose NUL unit`, hashed with MurmurHash3 x86 32, seed 0, and scaled by
 * multiply-shift: no modulo bias, and exact in doubles because the product stays below 2^52. The output of a
 * released algorithm never changes (`test/vectors/fairlead1.json`). Never reads a clock or entropy.
 */
import murmur from 'murmurhash3js-revisited';

/** Slots of an experiment; a weight in parts per million is a number of slots. */
export const SLOTS = 1_000_000;

/**
 * What the hash decides: whether the unit takes part, which variant it gets, its place in a layer, whether it is held
 * out of everything or of a layer. Each purpose is a hash of its own.
 */
export type Purpose = 'enrol' | 'variant' | 'layer' | 'holdout' | 'layer-holdout';

/** Longest key that needs no allocation; a salt and a UUID are about 60 bytes. A longer key costs more, no less. */
const SCRATCH_BYTES = 256;
const scratch = new Uint8Array(SCRATCH_BYTES);
/** `keys[n]` is the first n bytes of `scratch`: a view made per call would cost as much as the hash. */
const keys = Array.from(
  { length: SCRATCH_BYTES + 1 },
  (_, length) => new Uint8Array(scratch.buffer, 0, length),
);
const encoder = new TextEncoder();
const HASHES = 2 ** 32;

// The check that every byte is a byte costs a quarter of the hash, and a Uint8Array holds nothing else.
murmur.inputValidation = false;

/**
 * The slot of a unit, an integer in [0, SLOTS). The same arguments give the same slot in every process and
 * release; two purposes give independent slots. A `salt` with a NUL in it could share keys with another salt.
 */
export function slotOf(salt: string, purpose: Purpose, unit: string): number {
  const key = asciiKey(salt, purpose, unit) ?? encoder.encode(`${salt}\0${purpose}\0${unit}`);
  return Math.floor((murmur.x86.hash32(key, 0) * SLOTS) / HASHES);
}

/** The key in the scratch bytes, valid until the next call; null when it is too long or not plain ASCII. */
function asciiKey(salt: string, purpose: Purpose, unit: string): Uint8Array | null {
  const length = salt.length + purpose.length + unit.length + 2;
  if (length > SCRATCH_BYTES) return null;
  const afterSalt = writeAscii(salt, 0);
  const afterPurpose = writeAscii(purpose, afterSalt);
  const afterUnit = writeAscii(unit, afterPurpose);
  if (afterSalt < 0 || afterPurpose < 0 || afterUnit < 0) return null;
  return keys[length]!;
}

/** Write `text` and a NUL; the offset behind them, or -1 when the text is not ASCII or `offset` is already -1. */
function writeAscii(text: string, offset: number): number {
  if (offset < 0) return -1;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return -1;
    scratch[offset + i] = code;
  }
  scratch[offset + text.length] = 0;
  return offset + text.length + 1;
}
