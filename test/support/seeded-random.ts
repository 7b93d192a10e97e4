/** Entropy that repeats: the same seed gives the same numbers. Print the seed when a test fails. */
import type { Random } from '../../src/base/clock.ts';

/** mulberry32: 32 bits of state, good enough to simulate with, never for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return {
    next,
    hex(bytes: number): string {
      let text = '';
      for (let i = 0; i < bytes; i++)
        text += Math.floor(next() * 256)
          .toString(16)
          .padStart(2, '0');
      return text;
    },
  };
}
