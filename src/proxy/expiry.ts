/**
 * How long an exchange may wait: for the next thing to happen, for an attempt to be answered, and until the whole of it
 * has to be over. Also what it means that such a time is up: whose silence it was. The sweep of
 * `deadlines.ts` looks at the connection, so whatever is up is noticed a tick late at most; only what is put off on
 * purpose has a timer.
 */
import type { ErrorCode } from '../base/error.ts';
import type { Head } from '../http1/head.ts';
import { isIdempotent } from '../resilience/retry.ts';
import { deadline } from './deadlines.ts';
import type { Exchange } from './exchange.ts';
import { isBarred, mayFailOver } from './failover.ts';
import type { Failover } from './failover-plan.ts';
import type { RoutePlan } from './plan.ts';
import { isFallbackReady } from './recovery.ts';
import { type Asked, timeLines } from './time-fields.ts';

const NEVER = Number.POSITIVE_INFINITY;
const NO_NAMES: readonly string[] = [];

/** Nothing of an answer came; it may come from somebody else. */
export function isSilenceOfUpstream(code: ErrorCode): boolean {
  return code === 'upstream_connect_timeout' || code === 'upstream_first_byte_timeout';
}

export class Expiry {
  readonly #exchange: Exchange;
  #requestMs = NEVER;
  /** The caller has no more time than that. */
  #isAskedFor = false;
  #asked: Asked | null = null;
  /** Until then another variant than the fallback may be waited for. */
  #variantMs = NEVER;
  #isVariantTimed = false;
  /** From then on it is looked whether the variant's breaker has opened, and waiting is of no use. */
  #slowMs = NEVER;
  /** As long as any attempt on the route may be waited for. */
  #perTryMs = NEVER;
  /** The soonest of these. */
  #tryMs = NEVER;
  /** As long as there may be silence. */
  #silenceMs = NEVER;
  #wait: NodeJS.Timeout | null = null;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** A request on `route` begins. */
  begin(head: Head, route: RoutePlan): void {
    const { startedMs } = this.#exchange.request;
    const { timeFields } = this.#exchange.plan;
    this.#requestMs = deadline(startedMs, route.timeouts.requestMs);
    this.#isAskedFor = false;
    this.#variantMs = NEVER;
    this.#slowMs = NEVER;
    this.#isVariantTimed = route.failover === null;
    this.#tryMs = NEVER;
    const asked = timeFields === null ? null : timeFields.read(head);
    this.#asked = asked;
    if (asked === null || startedMs + asked.ms >= this.#requestMs) return;
    this.#requestMs = startedMs + asked.ms;
    this.#isAskedFor = true;
  }

  /** It came with no time at all; null: it has some. */
  get refusal(): ErrorCode | null {
    return this.#isAskedFor && this.#asked!.ms <= 0 ? 'deadline_exceeded' : null;
  }

  /** The fields that tell the upstream how much time is left, in place of what the caller said; lower case. */
  get names(): readonly string[] {
    return this.#asked === null ? NO_NAMES : this.#asked.names;
  }

  /** What is written for them, each time that the request is sent. */
  lines(): string {
    if (this.#asked === null) return '';
    const { method, isUpgradeAsked } = this.#exchange.request;
    // Who cannot be served elsewhere has all of it.
    const variantMs = isIdempotent(method) && !isUpgradeAsked ? this.#variantMs : NEVER;
    const endMs = Math.min(this.#requestMs, this.#perTryMs, variantMs);
    if (endMs === NEVER) return '';
    return timeLines(this.#asked, Math.max(0, endMs - this.#exchange.plane.clock.now()));
  }

  /** An attempt begins whose request is all here, or the last of the request has come: its answer may take so long. */
  beginTry(): void {
    const { retry, failover } = this.#exchange.decision.route!;
    if (!this.#isVariantTimed) this.#timeVariant(failover!);
    this.#perTryMs = retry.perTryMs > 0 ? this.#nowMs() + retry.perTryMs : NEVER;
    this.#tryMs = Math.min(this.#variantMs, this.#slowMs, this.#perTryMs);
  }

  /** The attempt is answered, or over. */
  endTry(): void {
    this.#perTryMs = NEVER;
    this.#tryMs = NEVER;
  }

  /**
   * Time is up for the attempt, with `code`, but it may go on: the variant is only slow, and its breaker not open; or
   * nobody else would serve the request.
   */
  isExtended(nowMs: number, code: ErrorCode): boolean {
    if (nowMs >= this.#silenceMs || nowMs >= this.#perTryMs || nowMs < this.#tryMs) return false;
    const { decision, downstream } = this.#exchange;
    const isReady = isFallbackReady(this.#exchange, code);
    if (isReady && (nowMs >= this.#variantMs || isBarred(decision))) return false;
    // With somebody to serve it, it is looked again at every sweep.
    this.#slowMs = isReady ? nowMs : NEVER;
    if (nowMs >= this.#variantMs) this.#variantMs = NEVER;
    this.#tryMs = Math.min(this.#variantMs, this.#slowMs, this.#perTryMs);
    downstream.deadlineMs = Math.min(this.#silenceMs, this.#tryMs, this.#requestMs);
    return true;
  }

  /** It was the caller who left the variant no more time, which is no fault of the variant's. */
  isCutShort(nowMs: number): boolean {
    const { failover } = this.#exchange.decision.route!;
    const isVariantOver = nowMs >= this.#variantMs && nowMs < this.#perTryMs;
    return isVariantOver && this.#isAskedFor && failover!.settings.afterMs === 0;
  }

  /** The fallback serves, and there is nobody after it. */
  endVariant(): void {
    this.#isVariantTimed = true;
    this.#variantMs = NEVER;
    this.#slowMs = NEVER;
  }

  /** Whether there is time to wait for the first answer of DNS: as much as for a connection. */
  mayAsk(): boolean {
    const { plan, request } = this.#exchange;
    const { connectMs } = plan.snapshot.timeouts;
    return this.#nowMs() < deadline(request.startedMs, connectMs);
  }

  /** Another attempt, but not at once. */
  putOff(delayMs: number): void {
    this.endTry();
    this.arm(0);
    this.#wait = setTimeout(goOn, delayMs, this.#exchange);
  }

  /** The exchange is over. */
  end(): void {
    this.#exchange.downstream.deadlineMs = NEVER;
    if (this.#wait === null) return;
    clearTimeout(this.#wait);
    this.#wait = null;
  }

  /** How long may be waited before another attempt at the same upstream; 0: there is no time for one. */
  leftMs(): number {
    return Math.max(0, Math.min(this.#variantMs, this.#requestMs) - this.#nowMs());
  }

  /** Something has happened; the next has `timeoutMs`, 0: no limit. */
  arm(timeoutMs: number): void {
    const { downstream, plane } = this.#exchange;
    this.#silenceMs = deadline(plane.deadlines.nowMs, timeoutMs);
    downstream.deadlineMs = Math.min(this.#silenceMs, this.#tryMs, this.#requestMs);
    if (downstream.isEnded) this.hurry();
  }

  /** Some of the request body has come, and perhaps the last of it. */
  armForBody(): void {
    const { requestBody, phase, decision } = this.#exchange;
    const { stallMs, firstByteMs } = decision.route!.timeouts;
    if (!requestBody.isDone) return this.arm(stallMs);
    if (phase !== 'waiting') return;
    this.beginTry();
    this.arm(firstByteMs);
  }

  /** The client may have gone away: its answer has to begin soon, and a stream to go on. */
  hurry(): void {
    const { downstream, phase, decision, plan, plane } = this.#exchange;
    if (phase === 'relaying' && !decision.route!.isStreaming) return;
    const limitMs = deadline(plane.deadlines.nowMs, plan.snapshot.timeouts.halfClosedMs);
    if (limitMs < this.#silenceMs) this.#silenceMs = limitMs;
    if (limitMs < downstream.deadlineMs) downstream.deadlineMs = limitMs;
  }

  /** Time is up: the error to answer or break off with; null: it is the client that is slow or gone, and is cut off. */
  codeAt(nowMs: number): ErrorCode | null {
    const { phase, downstream, decision, requestBody } = this.#exchange;
    if (nowMs >= this.#requestMs) return this.#isAskedFor ? 'deadline_exceeded' : 'request_timeout';
    if (phase === 'relaying') {
      const { isStreaming } = decision.route!;
      if (downstream.isClogged || (isStreaming && downstream.isEnded)) return null;
      return isStreaming ? 'stream_idle' : 'upstream_body_timeout';
    }
    // Half-closed and still without an answer: taken for gone.
    if (downstream.isEnded && nowMs >= this.#silenceMs) return null;
    if (phase === 'connecting') return 'upstream_connect_timeout';
    // A body that stopped: the client's silence, unless it was the upstream that would not take it.
    if (!requestBody.isDone && !downstream.isPaused) return 'request_body_timeout';
    return 'upstream_first_byte_timeout';
  }

  #timeVariant({ settings, slowAfterMs }: Failover): void {
    this.#isVariantTimed = true;
    const { afterMs } = settings;
    if (afterMs === 0 && this.#requestMs === NEVER && slowAfterMs === NEVER) return;
    const { request, decision } = this.#exchange;
    if (!mayFailOver(decision)) return;
    const { completeMs } = request;
    this.#variantMs = completeMs + (afterMs > 0 ? afterMs : (this.#requestMs - completeMs) / 2);
    this.#slowMs = completeMs + slowAfterMs;
  }

  #nowMs(): number {
    return this.#exchange.plane.clock.now();
  }
}

function goOn(exchange: Exchange): void {
  exchange.connectAgain();
}
