/**
 * May an attempt that failed be followed by another one? Pure; the exchange gathers the facts and acts. The budget is
 * asked last and elsewhere (`RetryBudget`), because asking it spends.
 *
 * Never repeats a request whose first try an upstream may have acted on, unless doing it twice is the same as doing
 * it once (RFC 9110 section 9.2.2), and never after a byte of a response has gone downstream.
 */
import type { Random } from '../base/clock.ts';
import { ERRORS } from '../base/error.ts';
import type { Failure, FailureSet } from './failure.ts';

/** How a route tries again at the same upstream. */
export interface RetrySettings {
  /** Attempts at one upstream together; 1: there is no second. */
  readonly attemptsMax: number;
  /** Null: only what is sure to be no fault of the upstream's, see `judgeRetry`. */
  readonly on: FailureSet | null;
  /** How long an attempt may take to begin to answer; 0: no limit of its own. */
  readonly perTryMs: number;
  /** The first wait is up to this long, and the next up to twice as long each; 0: none. */
  readonly backOffMs: number;
  readonly backOffMaxMs: number;
  /** A safe request that is not answered after this long is sent to a second endpoint as well; 0: never. */
  readonly hedgeAfterMs: number;
}

/** RFC 9110 section 9.2.1, and QUERY, which is defined to be safe. Methods are case-sensitive. */
const SAFE_METHODS: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY'];

/** RFC 9110 section 9.2.2. */
const IDEMPOTENT_METHODS: ReadonlySet<string> = new Set([...SAFE_METHODS, 'PUT', 'DELETE']);

/** Whether the intended effect of doing it several times is that of doing it once. Unknown methods are not. */
export function isIdempotent(method: string): boolean {
  return IDEMPOTENT_METHODS.has(method);
}

/** Whether it asks for nothing to be changed. Unknown methods do. */
export function isSafe(method: string): boolean {
  return SAFE_METHODS.includes(method);
}

/** What is known when an attempt has failed. */
export interface FailedAttempt {
  readonly method: string;
  readonly failure: Failure;
  /** Some of the request was written to a connection. */
  readonly isSent: boolean;
  /** Any part of a response has been passed on, other than 100. */
  readonly isPassedOn: boolean;
  /** The request body is empty or still held complete in the replay buffer. */
  readonly isReplayable: boolean;
  /** The request asks for another protocol. */
  readonly isUpgrade: boolean;
}

/** `yes`, or the first thing that stands against it. */
export type RepeatVerdict =
  | 'yes'
  | 'body-gone' // part of the body was sent and not kept
  | 'passed-on' // the client has seen part of an answer
  | 'not-idempotent'
  | 'upgrade'; // it may have got its other protocol

/** Whether the same request may be sent a second time, to whomever. */
export function judgeRepeat(attempt: FailedAttempt): RepeatVerdict {
  if (!attempt.isReplayable) return 'body-gone';
  if (attempt.isPassedOn) return 'passed-on';
  if (!attempt.isSent) return 'yes';
  if (!isIdempotent(attempt.method)) return 'not-idempotent';
  // A status is an answer: there is no other protocol.
  return attempt.isUpgrade && attempt.failure.kind !== 'status' ? 'upgrade' : 'yes';
}

/** What is known of the attempts at one upstream. */
export interface Tries {
  /** Attempts made, the failed one included. */
  readonly made: number;
  /** The failed one's connection had carried an exchange before. */
  readonly isConnectionReused: boolean;
  /** The next try goes to another endpoint. */
  readonly hasOtherEndpoint: boolean;
  /** A byte of an answer has come. */
  readonly isAnswerBegun: boolean;
}

export type RetryVerdict =
  | 'free'
  | 'listed'
  | 'attempts-used'
  | 'not-listed' // another try cannot help, could do harm, or is not wanted
  | 'connection-fresh'; // the only endpoint broke a new connection: it is not a stale one from the pool

/**
 * Whether an attempt that may be repeated is followed by another at the same upstream. Whatever the route lists, one
 * more is free: when no connection was to be had, since nothing was sent; and after a connection broke under the
 * request, if it was a pooled one or there is another endpoint. An only endpoint that breaks new connections is down,
 * and says so. What the route lists comes after that.
 */
export function judgeRetry(failure: Failure, tries: Tries, settings: RetrySettings): RetryVerdict {
  if (tries.made >= settings.attemptsMax) return 'attempts-used';
  if (tries.made === 1 && isFree(failure, tries)) return 'free';
  if (settings.on !== null) return settings.on.has(failure) ? 'listed' : 'not-listed';
  return failure.kind === 'reset' && tries.made === 1 && !tries.isAnswerBegun
    ? 'connection-fresh'
    : 'not-listed';
}

function isFree({ kind, code }: Failure, tries: Tries): boolean {
  if (kind === 'connect') return code !== null && ERRORS[code].retry === 'safe';
  if (kind !== 'reset' || tries.isAnswerBegun) return false;
  return tries.isConnectionReused || tries.hasOtherEndpoint;
}

/** Whether a retry is paid for out of the budget: one that nothing was sent for costs the upstream nothing. */
export function isPaid(verdict: RetryVerdict, { kind }: Failure): boolean {
  return verdict === 'listed' && kind !== 'connect';
}

/** 2^30 first waits are beyond any cap; keeps the power of two a plain number. */
const DOUBLINGS_MAX = 30;

/** How long to wait before the next attempt when `made` have failed: anything up to twice as much each time. */
export function backOffMs(
  made: number,
  settings: Pick<RetrySettings, 'backOffMs' | 'backOffMaxMs'>,
  random: Random,
): number {
  const highMs = settings.backOffMs * 2 ** Math.min(made - 1, DOUBLINGS_MAX);
  return random.next() * Math.min(highMs, settings.backOffMaxMs);
}
