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

/** Where the state is while a text is hashed: one at a time, and nothing is made for it. */
let v0 = 0;
let v1 = 0;
let v2 = 0;
let v3 = 0;

export function unitHash(text: string, [k0, k1]: UnitHashKey): number {
  v0 = k0;
  v1 = k1 ^ 0xee;
  v2 = 0x6c796765 ^ k0;
  v3 = 0x74656462 ^ k1;
  const { length } = text;
  let at = 0;
  for (; at + 1 < length; at += 2) absorb(text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16));
  // The last word has the length, so that no two texts give the same words.
  if (at < length) absorb(text.charCodeAt(at));
  absorb(length);
  v2 ^= 0xee;
  finish();
  const high = (v1 ^ v3) >>> 0;
  v1 ^= 0xdd;
  finish();
  const low = (v1 ^ v3) >>> (32 - LOW_BITS);
  const hash = high * 2 ** LOW_BITS + low;
  return hash === 0 ? 1 : hash;
}

function absorb(word: number): void {
  v3 ^= word;
  round();
  v0 ^= word;
}

function finish(): void {
  round();
  round();
  round();
}

function round(): void {
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
}
