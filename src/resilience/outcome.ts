/**
 * What a finished call says about the upstream that served it. Pure; what counts as a failure is in `failure-rule.ts`.
 */
import type { ErrorCode } from '../base/error.ts';
import type { FailureRule } from './failure-rule.ts';

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
  readonly failures: FailureRule;
  /** A field of the answer says that it is a failure. */
  readonly isMarked: boolean;
}

/**
 * The outcome of a call. An error decides before the status: a 200 whose body breaks off is a failure. A client
 * that goes away, or has no more time, is `ignored`, unless the call was already slow: then the wait is why it left,
 * and the upstream's; or unless that is listed as a failure. Errors that are not listed are `ignored`: they say nothing.
 */
export function classify(facts: CallFacts): Outcome {
  const { error, status, failures } = facts;
  const isSlow = facts.durationMs > facts.slowThresholdMs;
  if (error !== null) {
    if (failures.hasError(error)) return 'failure';
    return isSlow && isClients(error) ? 'slow' : 'ignored';
  }
  // No error and no status: the call never reached an upstream, which is nobody's success.
  if (status === 0) return 'ignored';
  if (facts.isMarked || failures.hasStatus(status)) return 'failure';
  return isSlow ? 'slow' : 'ok';
}

/** The client did not wait for the answer. */
export function isClients(error: ErrorCode | null): boolean {
  return error === 'client_aborted' || error === 'deadline_exceeded';
}
