/** Answers of our own: problem+json (RFC 9457) with a stable code, saying which side failed. */
import { ERRORS, type ErrorCode } from '../base/error.ts';
import { problemResponse } from '../http1/encode.ts';

/** What an answer depends on besides its code. */
export interface AnswerFacts {
  readonly detail?: string | undefined;
  readonly isHead: boolean;
  /** The connection is closed behind it. */
  readonly isClose: boolean;
  /** HTTP/1.0 keeps a connection only when told so. */
  readonly versionMinor: number;
  /** For `breaker_open`. */
  readonly retryAfterMs: number;
}

/** The whole message, ready to be written. */
export function localAnswer(code: ErrorCode, facts: AnswerFacts): string {
  const { status, side, title } = ERRORS[code];
  return problemResponse({
    status,
    code,
    title,
    side,
    isHead: facts.isHead,
    close: facts.isClose,
    ...(facts.detail ? { detail: facts.detail } : {}),
    ...(code === 'breaker_open'
      ? { retryAfterSeconds: Math.max(1, Math.ceil(facts.retryAfterMs / 1000)) }
      : {}),
    ...(facts.versionMinor === 0 && !facts.isClose ? { extraFields: 'connection: keep-alive\r\n' } : {}),
  });
}
