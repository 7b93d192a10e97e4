/**
 * 53 bits of a unit's id under a secret key, the same in all experiments and processes that have the key: what units are
 * followed, sampled and joined by. HalfSipHash of Aumasson and Bernstein ("SipHash: a fast short-input PRF", 2012) with
 * one and three rounds, over the code units of the text; words of 32 bits, which is what this engine is fast at.
 * Independent of what the variants are dealt by. Pure.
 */

/** Two whole numbers below 2^32. Whoever has it can try ids out. */
export type UnitHashKey = readonly [number, number];

/** Hashes are from 1 to this: 0 stands for nothing. */
export const UNIT_HASH_MAX = 2 ** 53 - 1;
/** 32 bits of one word, 21 of the other. */
const LOW_BITS = 21;

const FINAL_ROUNDS = 3;

/** One loop for all rounds, so that the state stays in registers: those of the text and its length, then twice three. */
export function unitHash(text: string, [k0, k1]: UnitHashKey): number {
  let v0 = k0 | 0;
  let v1 = k1 ^ 0xee;
  let v2 = 0x6c796765 ^ k0;
  let v3 = 0x74656462 ^ k1;
  let high = 0;
  const { length } = text;
  const words = (length + 1) >> 1;
  const end = words + 1 + 2 * FINAL_ROUNDS;
  for (let i = 0; i < end; i++) {
    let word = 0;
    if (i < words) {
      const at = 2 * i;
      word = text.charCodeAt(at) | (at + 1 < length ? text.charCodeAt(at + 1) << 16 : 0);
    } else if (i === words) {
      // The length goes last, so that no two texts give the same words.
      word = length;
    } else if (i === words + 1) {
      v2 ^= 0xee;
    } else if (i === words + 1 + FINAL_ROUNDS) {
      high = v1 ^ v3;
      v1 ^= 0xdd;
    }
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  const low = (v1 ^ v3) >>> (32 - LOW_BITS);
  const hash = (high >>> 0) * 2 ** LOW_BITS + low;
  return hash === 0 ? 1 : hash;
}
