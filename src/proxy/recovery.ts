/**
 * What follows an attempt that has failed while the client knows nothing of it: another one at the same upstream, the
 * return to the fallback, or neither. Gathers the facts, asks the rules and the budgets, and counts; the exchange acts.
 */
import type { ErrorCode } from '../base/error.ts';
import { Field } from '../http1/field.ts';
import type { Framing } from '../http1/framing.ts';
import type { Head } from '../http1/head.ts';
import { type Failure, failureOf } from '../resilience/failure.ts';
import { backOffMs, isPaid, isSafe, judgeRepeat, judgeRetry } from '../resilience/retry.ts';
import type { Exchange } from './exchange.ts';
import { areFallbacksWell, failOver, mayFailOver } from './failover.ts';
import type { RequestFacts } from './request-facts.ts';

/** Without a deadline of its own nobody waits longer than this because an upstream asks for it. */
const RETRY_AFTER_MAX_MS = 5000;

/** Budgets are shares of requests, and this is one; what is paid for out of them beside its attempts is begun. */
export function enterBudgets({ decision, plane, attempt, request, requestBody }: Exchange): void {
  const { retry, failover, hedge } = decision.route!;
  if (retry.on !== null) plane.retryBudgets.of(decision.group!).request(request.startedMs);
  if (failover?.budget && mayFailOver(decision)) failover.budget.request(request.startedMs);
  if (hedge !== null && requestBody.isDone && mayHedge(request)) attempt.hedging = hedge;
}

/** The attempt failed with `code`. How many milliseconds until the next one; -1: there is none. */
export function recoverFrom(exchange: Exchange, code: ErrorCode): number {
  const failure = failureOf(code);
  return failure === null ? NONE : recover(exchange, failure);
}

/** Whether a request, which has no body, may be sent to two at once: it changes nothing, and asks for no tunnel. */
function mayHedge({ method, isUpgradeAsked }: RequestFacts): boolean {
  return isSafe(method) && !isUpgradeAsked;
}

/** Whether the fallback would serve this request if the present attempt were given up now, with `code`. */
export function isFallbackReady(exchange: Exchange, code: ErrorCode): boolean {
  const { decision } = exchange;
  const failure = failureOf(code)!;
  return isFailoverListed(exchange, failure) && areFallbacksWell(decision) && mayRepeat(exchange, failure);
}

function isFailoverListed({ decision }: Exchange, failure: Failure): boolean {
  const { failover } = decision.route!;
  return failover?.settings.on.has(failure) === true && mayFailOver(decision);
}

/** Bytes [at, end) came behind a head. */
export interface Rest {
  readonly bytes: Buffer;
  readonly at: number;
  readonly end: number;
}

/**
 * An answer whose status is listed, perhaps: the client gets another one, if there is one to be had. As `recoverFrom`;
 * with another attempt the connection has been given back, or cut where that would have taken longer.
 */
export function passOver(exchange: Exchange, head: Head, framing: Framing, rest: Rest): number {
  const { retry, failover } = exchange.decision.route!;
  const { status } = head;
  if (retry.on?.hasStatus(status) !== true && failover?.settings.on.hasStatus(status) !== true) return NONE;
  const isAsking = head.first(Field.retryAfter) >= 0;
  const wallMs = exchange.plane.clock.wallMs();
  const retryAfterMs = isAsking ? readRetryAfter(head.header('retry-after')!, wallMs) : 0;
  const delayMs = recover(exchange, { kind: 'status', code: null, status, retryAfterMs });
  if (delayMs < 0) return NONE;
  const { isUpstreamReusable, upstreamIdleMs } = exchange.response;
  const isClean = exchange.requestBody.isDone && isWhole(exchange, framing, rest);
  exchange.attempt.isAnswered = true;
  exchange.attempt.release(isClean && isUpstreamReusable, upstreamIdleMs, exchange.downstream.writer);
  return delayMs;
}

/** Nothing is still to come of the body, and nothing came behind it. */
function isWhole({ responseBody, plan }: Exchange, framing: Framing, { bytes, at, end }: Rest): boolean {
  responseBody.begin(framing, false, plan.responseChunks);
  if (responseBody.isDone) return at === end;
  responseBody.take(bytes, at, end, Number.POSITIVE_INFINITY);
  return responseBody.isDone && responseBody.failure === null && responseBody.consumedTo === end;
}

const NONE = -1;

function recover(exchange: Exchange, failure: Failure): number {
  if (!mayRepeat(exchange, failure)) return NONE;
  const delayMs = retryIn(exchange, failure);
  if (delayMs < 0 && !isFailedOver(exchange, failure)) return NONE;
  exchange.attempt.recoveredFrom = wordFor(failure);
  return Math.max(0, delayMs);
}

/** As the metrics and the access log have it. */
function wordFor({ code, status }: Failure): string {
  return code ?? String(status);
}

function mayRepeat(exchange: Exchange, failure: Failure): boolean {
  const { attempt, request, requestBody } = exchange;
  const verdict = judgeRepeat({
    method: request.method,
    failure,
    isSent: attempt.isHeadSent,
    isPassedOn: attempt.isCommitted,
    isReplayable: attempt.isReplayable(requestBody.bytes),
    isUpgrade: request.isUpgradeAsked,
  });
  return verdict === 'yes';
}

/** How long until the same upstream is asked again; -1: it is not. */
function retryIn(exchange: Exchange, failure: Failure): number {
  const { attempt, decision, plane, expiry } = exchange;
  const { retry, route } = decision.route!;
  const verdict = judgeRetry(
    failure,
    {
      made: attempt.tries,
      isConnectionReused: attempt.isReused,
      hasOtherEndpoint: attempt.hasOtherEndpoint,
      isAnswerBegun: exchange.request.firstByteMs >= 0,
    },
    retry,
  );
  if (verdict !== 'free' && verdict !== 'listed') return NONE;
  const askedMs = failure.retryAfterMs;
  const waitMs = verdict === 'free' ? 0 : askedMs || backOffMs(attempt.tries, retry, plane.random);
  if (waitMs >= expiry.leftMs() || askedMs > RETRY_AFTER_MAX_MS) return NONE;
  const nowMs = plane.clock.now();
  if (isPaid(verdict, failure) && !plane.retryBudgets.of(decision.group!).take(nowMs)) {
    plane.metrics.recoveries.refused(route.name, 'retry').value++;
    return NONE;
  }
  plane.metrics.retries(route.name, wordFor(failure)).value++;
  return waitMs;
}

function isFailedOver(exchange: Exchange, failure: Failure): boolean {
  const { decision, plane, expiry } = exchange;
  if (!isFailoverListed(exchange, failure)) return false;
  const { failover, route } = decision.route!;
  const nowMs = plane.clock.now();
  const { budget } = failover!;
  if (budget !== null && !budget.take(nowMs)) {
    plane.metrics.recoveries.refused(route.name, 'failover').value++;
    return false;
  }
  if (expiry.isCutShort(nowMs)) exchange.error = 'deadline_exceeded';
  if (!failOver(exchange, failure, nowMs)) return false;
  expiry.endVariant();
  return true;
}

/** RFC 9110 section 10.2.3, in milliseconds from `wallMs`; 0: it says nothing that can be read. */
function readRetryAfter(value: string, wallMs: number): number {
  if (/^[0-9]{1,9}$/.test(value)) return Number(value) * 1000;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? 0 : Math.max(0, atMs - wallMs);
}
