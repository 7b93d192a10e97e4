/**
 * May an attempt that failed be tried again? Pure; the exchange gathers the facts and acts. The budget is asked
 * last and elsewhere (`RetryBudget`), because asking it spends.
 *
 * Never repeats a request whose first try an upstream may have acted on, unless doing it twice is the same as doing
 * it once (RFC 9110 section 9.2.2), and never after a byte of a response has gone downstream.
 */
import { ERRORS, type ErrorCode } from '../base/error.ts';

/** RFC 9110 section 9.2.2, and QUERY, which is defined to be safe. Methods are case-sensitive. */
const IDEMPOTENT_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PUT',
  'DELETE',
  'QUERY',
]);

/** Whether the intended effect of doing it several times is that of doing it once. Unknown methods are not. */
export function isIdempotent(method: string): boolean {
  return IDEMPOTENT_METHODS.has(method);
}

/** What is known when an attempt has failed. */
export interface FailedAttempt {
  readonly method: string;
  readonly error: ErrorCode;
  /** Attempts made, this one included. */
  readonly attempts: number;
  readonly attemptsMax: number;
  /** The connection had carried an exchange before this one. */
  readonly isConnectionReused: boolean;
  /** The next try goes to another endpoint. */
  readonly hasOtherEndpoint: boolean;
  /** Any part of a response has been passed on, 1xx included. */
  readonly isResponseBegun: boolean;
  /** The request body is empty or still held complete in the replay buffer. */
  readonly isReplayable: boolean;
  /** The request asks for another protocol. */
  readonly isUpgrade: boolean;
}

/** `retry`, or the first thing that stands against it. */
export type RetryVerdict =
  | 'retry'
  | 'response-begun' // the client has seen part of an answer
  | 'attempts-used'
  | 'error-final' // another try cannot help, or could do harm
  | 'connection-fresh' // the only endpoint broke a new connection: it is not a stale one from the pool
  | 'not-idempotent'
  | 'upgrade'
  | 'body-gone'; // part of the body was sent and not kept

/**
 * Whether the same request may be sent again. An error marked `safe` in the table of errors happened before a byte
 * was sent, so any method may try again; `if-idempotent` means that a connection broke under the request, which the
 * upstream may have seen: an idempotent one may try again if the connection was a pooled one or there is another
 * endpoint. An only endpoint that breaks new connections is down, and says so.
 */
export function judgeRetry(attempt: FailedAttempt): RetryVerdict {
  const { retry } = ERRORS[attempt.error];
  if (attempt.isResponseBegun) return 'response-begun';
  if (attempt.attempts >= attempt.attemptsMax) return 'attempts-used';
  if (retry === 'never') return 'error-final';
  if (retry === 'if-idempotent') {
    if (!attempt.isConnectionReused && !attempt.hasOtherEndpoint) return 'connection-fresh';
    if (!isIdempotent(attempt.method)) return 'not-idempotent';
    if (attempt.isUpgrade) return 'upgrade';
  }
  return attempt.isReplayable ? 'retry' : 'body-gone';
}
