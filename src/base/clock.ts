/**
 * Time and entropy: the only file of the pure folders that reads either.
 * Everything else is told the time (`nowMs`) and handed a `Random`, so that tests run on a manual clock.
 */
import { randomFillSync } from 'node:crypto';
// The global of this name is a getter, which a request would ask several times.
import { performance } from 'node:perf_hooks';

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
  /** `bytes` random bytes as lower-case hex, never all zero. At most 8192 bytes a call. */
  hex(bytes: number): string;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
};

/** One call to the kernel pays for a thousand ids, and one to the runtime for their digits. */
const poolBytes = Buffer.alloc(16_384);
let pool = '';
let poolOffset = 0;

export const systemRandom: Random = {
  next: () => Math.random(),
  hex(bytes: number): string {
    const digits = 2 * bytes;
    if (poolOffset + digits > pool.length) {
      pool = randomFillSync(poolBytes).toString('hex');
      poolOffset = 0;
    }
    const text = pool.slice(poolOffset, poolOffset + digits);
    poolOffset += digits;
    const mayBeZero = text.charCodeAt(0) === 0x30;
    return mayBeZero && !/[^0]/.test(text) ? this.hex(bytes) : text;
  },
};
