/** Who ticks breakers: of tens of thousands, only those that have something to notice. */
import type { Breaker } from './breaker.ts';

/** The place of a breaker that nobody ticks. */
export const ASLEEP = -1;

/** Who lets time pass for many breakers, and need not do so for those at rest. Sets `awakeAt`. */
export interface Ticker {
  wake(breaker: Breaker): void;
  /** Not to be told is no harm: `isAtRest` says it as well. */
  rest(breaker: Breaker): void;
}

/** Whoever ticks all, ticks those at rest as well. */
export const NOBODY: Ticker = {
  wake: (breaker) => {
    breaker.awakeAt = 0;
  },
  rest: (breaker) => {
    breaker.awakeAt = ASLEEP;
  },
};
