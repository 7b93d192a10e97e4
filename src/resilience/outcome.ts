/**
 * What a finished call says about the upstream that served it. Pure; never looks at a body or a field.
 *
 * A breaker protects the caller from the upstream, so only what the upstream answers for counts: the client's own
 * mistakes (4xx), its going away, and this proxy's own limits say nothing.
 */
import { ERRORS, type ErrorCode } from '../base/error.ts';

/** `ignored` is not counted at all, neither as good nor as bad. */
export type Outcome = 'ok' | 'failure' | 'slow' | 'ignored';

/** `left`: as `ignored`, but the upstream was asked and the client did not wait: its answer took at least so long. */
export type CallEnd = Outcome | 'left';

/** What is known of a call at its end. */
export interface CallFacts {
  /** Final status the upstream sent; 0: none. */
  readonly status: number;
  /** Why the exchange broke off; null: it did not. */
  readonly error: ErrorCode | null;
  readonly durationMs: number;
  /** `Infinity`: no call is slow. */
  readonly slowThresholdMs: number;
}

/**
 * The outcome of a call. An error decides before the status: a 200 whose body breaks off is a failure. A client
 * that goes away, or has no more time, is `ignored`, unless the call was already slow: then the wait is why it left,
 * and the upstream's.
 * `breaker_open` is `ignored`, because no upstream was asked.
 */
export function classify(facts: CallFacts): Outcome {
  const isSlow = facts.durationMs > facts.slowThresholdMs;
  if (facts.error !== null) {
    if (facts.error === 'client_aborted' || facts.error === 'deadline_exceeded')
      return isSlow ? 'slow' : 'ignored';
    if (facts.error === 'breaker_open') return 'ignored';
    return ERRORS[facts.error].side === 'upstream' ? 'failure' : 'ignored';
  }
  if (facts.status >= 500) return 'failure';
  if (isSlow) return 'slow';
  // No error and no status: the call never reached an upstream, which is nobody's success.
  return facts.status === 0 ? 'ignored' : 'ok';
}
