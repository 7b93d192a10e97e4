/** MurmurHash3 x86 32 of a text's UTF-8, as Unleash and flagd use it. Pure. */
import murmur from 'murmurhash3js-revisited';

/** Longest UTF-8 that needs no allocation of its own; a flag's name and a UUID are about 60 bytes. */
const SCRATCH_BYTES = 384;
/** UTF-8 of one UTF-16 code unit is at most this long. */
const UTF8_BYTES_MAX = 3;
const scratch = new Uint8Array(SCRATCH_BYTES);
/** `views[n]` is the first n bytes of `scratch`. */
const views = Array.from(
  { length: SCRATCH_BYTES + 1 },
  (_, length) => new Uint8Array(scratch.buffer, 0, length),
);
const encoder = new TextEncoder();

// The check that every byte is a byte costs a quarter of the hash, and a Uint8Array holds nothing else.
murmur.inputValidation = false;

/** An unsigned 32-bit integer. `seed` likewise. */
export function murmur32(text: string, seed: number): number {
  if (text.length * UTF8_BYTES_MAX > SCRATCH_BYTES) return murmur.x86.hash32(encoder.encode(text), seed);
  const { written } = encoder.encodeInto(text, scratch);
  return murmur.x86.hash32(views[written]!, seed);
}
