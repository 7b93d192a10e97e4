/** What it means that an exchange has run out of time: whose silence it was. */
import type { ErrorCode } from '../base/error.ts';
import type { Exchange } from './exchange.ts';

/** The error to answer or break off with; null: it is the client that is slow or gone, and is cut off. */
export function expired(exchange: Exchange, isRequestTimeOver: boolean): ErrorCode | null {
  const { phase, downstream } = exchange;
  if (isRequestTimeOver) return 'request_timeout';
  if (phase === 'relaying') {
    const isStreaming = exchange.decision.route!.route.isStreaming;
    if (downstream.isClogged || (isStreaming && downstream.isEnded)) return null;
    return isStreaming ? 'stream_idle' : 'upstream_body_timeout';
  }
  // Half-closed and still without an answer: taken for gone.
  if (downstream.isEnded) return null;
  if (phase === 'connecting') return 'upstream_connect_timeout';
  // A body that stopped: the client's silence, unless it was the upstream that would not take it.
  if (!exchange.requestBody.isDone && !downstream.isPaused) return 'request_body_timeout';
  return 'upstream_first_byte_timeout';
}
