/** Answers of our own: problem+json (RFC 9457) with a stable code, saying which side failed. */
import { ERRORS, type ErrorCode } from '../base/error.ts';
import { problemResponse } from '../http1/encode.ts';
import type { Exchange } from './exchange.ts';

/** Answers a request ourselves; before a response has begun. Says whether the client's connection ends behind it. */
export function answerLocally(exchange: Exchange, code: ErrorCode, detail: string | undefined): boolean {
  const { status } = ERRORS[code];
  const { downstream, request, requestBody } = exchange;
  const isClose = status === 400 || !request.isKeepAliveAsked || !requestBody.isDone || downstream.isLast;
  exchange.response.status = status;
  downstream.writer.write(localAnswer(code, exchange, isClose, detail));
  exchange.plane.metrics.localAnswers(code).value++;
  return isClose;
}

/** What is beyond a limit on connections may come back after this; nobody knows better. */
const RETRY_SECONDS = 1;

/** The whole message, ready to be written. `exchange` is null for what never became a request. */
export function localAnswer(
  code: ErrorCode,
  exchange: Exchange | null,
  isClose: boolean,
  detail: string | undefined,
): string {
  const { status, side, title } = ERRORS[code];
  const sentence = detail || limitOf(code, exchange);
  // HTTP/1.0 keeps a connection only when told so.
  const isKeptAlive10 = exchange?.request.versionMinor === 0 && !isClose;
  return problemResponse({
    status,
    code,
    title,
    side,
    isHead: exchange?.request.method === 'HEAD',
    close: isClose,
    ...(sentence ? { detail: sentence } : {}),
    retryAfterSeconds: retryAfterSeconds(code, exchange),
    ...(isKeptAlive10 ? { extraFields: 'connection: keep-alive\r\n' } : {}),
  });
}

/** For a connection beyond a listener's limit, before anything of it is read. */
export function overloadAnswer(connectionsMax: number): string {
  const { status, side, title } = ERRORS.overloaded;
  const detail = `The listener has ${connectionsMax} connections, which is its limit.`;
  return problemResponse({
    status,
    code: 'overloaded',
    title,
    side,
    detail,
    isHead: false,
    close: true,
    retryAfterSeconds: RETRY_SECONDS,
  });
}

/** A sentence with the limit that was broken, where the title cannot know it. */
function limitOf(code: ErrorCode, exchange: Exchange | null): string | undefined {
  if (exchange === null) return undefined;
  const { limits, timeouts } = exchange.plan.snapshot;
  const ofRoute = exchange.decision.route?.timeouts ?? timeouts;
  switch (code) {
    case 'overloaded':
      return exchange.attempt.pool?.fullText;
    case 'body_too_large':
      return `The request body is larger than ${limits.bodyMaxBytes} bytes.`;
    case 'upstream_connect_timeout':
      return `The upstream did not accept the connection within ${timeouts.connectMs} ms.`;
    case 'upstream_first_byte_timeout':
      return `The upstream did not begin to answer within ${ofRoute.firstByteMs} ms.`;
    case 'request_timeout':
      return `The request took longer than ${ofRoute.requestMs} ms.`;
    case 'rate_limited':
    case 'concurrency_limited':
      return exchange.decision.limit;
    case 'request_body_timeout':
      return `No byte of the request body arrived for ${ofRoute.stallMs} ms.`;
    default:
      return undefined;
  }
}

/** For what is turned away for now; `decision` knows when a breaker or a limit lets somebody in again. */
function retryAfterSeconds(code: ErrorCode, exchange: Exchange | null): number | undefined {
  switch (code) {
    case 'overloaded':
      return RETRY_SECONDS;
    case 'breaker_open':
    case 'rate_limited':
    case 'concurrency_limited':
    case 'load_shed':
      return Math.max(1, Math.ceil(exchange!.decision.retryAfterMs / 1000));
    default:
      return undefined;
  }
}
