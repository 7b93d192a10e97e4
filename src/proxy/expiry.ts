/**
 * How long an exchange may wait: for the next thing to happen, and until the whole of it has to be over. Also what it
 * means when that time is up: whose silence it was. No timers: the sweep of `deadlines.ts` looks at the connection.
 */
import type { ErrorCode } from '../base/error.ts';
import { deadline } from './deadlines.ts';
import type { Exchange } from './exchange.ts';

export class Expiry {
  readonly #exchange: Exchange;
  #requestDeadlineMs = Number.POSITIVE_INFINITY;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** A request that came in at `startedMs` and may take `requestMs`; 0: no limit. */
  begin(startedMs: number, requestMs: number): void {
    this.#requestDeadlineMs = deadline(startedMs, requestMs);
  }

  /** Something has happened; the next has `timeoutMs`, 0: no limit. */
  arm(timeoutMs: number): void {
    const { downstream, plane } = this.#exchange;
    downstream.deadlineMs = Math.min(deadline(plane.deadlines.nowMs, timeoutMs), this.#requestDeadlineMs);
    if (downstream.isEnded) this.hurry();
  }

  /** The client may have gone away: its answer has to begin soon, and a stream to go on. */
  hurry(): void {
    const { downstream, phase, decision, plan, plane } = this.#exchange;
    if (phase === 'relaying' && !decision.route!.route.isStreaming) return;
    const limitMs = deadline(plane.deadlines.nowMs, plan.snapshot.timeouts.halfClosedMs);
    if (limitMs < downstream.deadlineMs) downstream.deadlineMs = limitMs;
  }

  /** Time is up: the error to answer or break off with; null: it is the client that is slow or gone, and is cut off. */
  codeAt(nowMs: number): ErrorCode | null {
    const { phase, downstream, decision, requestBody } = this.#exchange;
    if (nowMs >= this.#requestDeadlineMs) return 'request_timeout';
    if (phase === 'relaying') {
      const { isStreaming } = decision.route!.route;
      if (downstream.isClogged || (isStreaming && downstream.isEnded)) return null;
      return isStreaming ? 'stream_idle' : 'upstream_body_timeout';
    }
    // Half-closed and still without an answer: taken for gone.
    if (downstream.isEnded) return null;
    if (phase === 'connecting') return 'upstream_connect_timeout';
    // A body that stopped: the client's silence, unless it was the upstream that would not take it.
    if (!requestBody.isDone && !downstream.isPaused) return 'request_body_timeout';
    return 'upstream_first_byte_timeout';
  }
}
