/**
 * Time and entropy: the only file of the pure folders that reads either.
 * Everything else is told the time (`nowMs`) and handed a `Random`, so that tests run on a manual clock.
 */
import { randomBytes } from 'node:crypto';

/** Two clocks: `now` never goes backwards and is what durations are measured with; `wallMs` is for people. */
export interface Clock {
  /** Milliseconds since an arbitrary start, monotonic, with a fraction. */
  now(): number;
  /** Milliseconds since the Unix epoch; may jump. */
  wallMs(): number;
}

/** A source of entropy. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** `bytes` random bytes as lower-case hex, never all zero. At most 64 bytes a call. */
  hex(bytes: number): string;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
};

/** One call to the kernel pays for 256 ids: `randomBytes` for 16 bytes costs ten times a slice of a pool. */
const POOL_BYTES = 4096;
let pool = Buffer.alloc(0);
let poolOffset = 0;

export const systemRandom: Random = {
  next: () => Math.random(),
  hex(bytes: number): string {
    if (poolOffset + bytes > pool.length) {
      pool = randomBytes(POOL_BYTES);
      poolOffset = 0;
    }
    const text = pool.hexSlice(poolOffset, poolOffset + bytes);
    poolOffset += bytes;
    return /[^0]/.test(text) ? text : this.hex(bytes);
  },
};
