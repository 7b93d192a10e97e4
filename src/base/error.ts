/**
 * The one table of failures. Every local answer, log line and metric label names one of these codes; the
 * codes are stable and `docs/errors.md` documents each (a test compares the two).
 *
 * A ProxyError's message says what, which and the limit. It never holds a field value or a body.
 */

/** Whose fault it is: the caller's, the upstream's, or ours. */
export type Side = 'downstream' | 'upstream' | 'internal';

/** May the same request be tried again? `if-idempotent`: only when doing it twice is the same as doing it once. */
export type Retry = 'never' | 'if-idempotent' | 'safe';

interface ErrorKind {
  readonly side: Side;
  readonly status: number;
  readonly retry: Retry;
  readonly title: string;
}

export const ERRORS = {
  request_malformed: {
    side: 'downstream',
    status: 400,
    retry: 'never',
    title: 'The request is not valid HTTP/1.1.',
  },
  framing_ambiguous: {
    side: 'downstream',
    status: 400,
    retry: 'never',
    title: 'The length of the request body is ambiguous.',
  },
  host_invalid: {
    side: 'downstream',
    status: 400,
    retry: 'never',
    title: 'The request needs exactly one valid Host.',
  },
  chunk_malformed: {
    side: 'downstream',
    status: 400,
    retry: 'never',
    title: 'The chunked request body is malformed.',
  },
  route_not_found: {
    side: 'downstream',
    status: 404,
    retry: 'never',
    title: 'No route matches the request.',
  },
  request_head_timeout: {
    side: 'downstream',
    status: 408,
    retry: 'never',
    title: 'The request head did not arrive in time.',
  },
  request_body_timeout: {
    side: 'downstream',
    status: 408,
    retry: 'never',
    title: 'The request body stopped arriving.',
  },
  body_too_large: {
    side: 'downstream',
    status: 413,
    retry: 'never',
    title: 'The request body is larger than the limit.',
  },
  target_too_long: {
    side: 'downstream',
    status: 414,
    retry: 'never',
    title: 'The request target is longer than the limit.',
  },
  expectation_failed: {
    side: 'downstream',
    status: 417,
    retry: 'never',
    title: 'The expectation is not 100-continue.',
  },
  rate_limited: {
    side: 'downstream',
    status: 429,
    retry: 'never',
    title: 'More requests came in than may.',
  },
  head_too_large: {
    side: 'downstream',
    status: 431,
    retry: 'never',
    title: 'The request head is larger than the limit.',
  },
  client_aborted: {
    side: 'downstream',
    status: 499,
    retry: 'never',
    title: 'The client went away before the response was finished.',
  },
  internal: { side: 'internal', status: 500, retry: 'never', title: 'Fairlead failed; this is a bug.' },
  transfer_encoding_unsupported: {
    side: 'downstream',
    status: 501,
    retry: 'never',
    title: 'Only the chunked transfer coding is supported.',
  },
  method_unsupported: {
    side: 'downstream',
    status: 501,
    retry: 'never',
    title: 'The method is not supported by this proxy.',
  },
  upstream_connect_failed: {
    side: 'upstream',
    status: 502,
    retry: 'safe',
    title: 'The upstream could not be connected.',
  },
  upstream_tls_failed: {
    side: 'upstream',
    status: 502,
    retry: 'safe',
    title: 'The upstream could not be connected with TLS.',
  },
  upstream_reset: {
    side: 'upstream',
    status: 502,
    retry: 'if-idempotent',
    title: 'The upstream closed the connection before answering.',
  },
  upstream_malformed: {
    side: 'upstream',
    status: 502,
    retry: 'never',
    title: 'The upstream answered with something that is not valid HTTP/1.1.',
  },
  upstream_aborted: {
    side: 'upstream',
    status: 502,
    retry: 'never',
    title: 'The upstream broke off in the middle of its response.',
  },
  breaker_open: {
    side: 'upstream',
    status: 503,
    retry: 'never',
    title: 'The breaker of the last resort is open.',
  },
  concurrency_limited: {
    side: 'internal',
    status: 503,
    retry: 'never',
    title: 'As many requests are under way as may be.',
  },
  load_shed: {
    side: 'internal',
    status: 503,
    retry: 'never',
    title: 'Fairlead has too much to do, and gave this request up.',
  },
  overloaded: { side: 'internal', status: 503, retry: 'never', title: 'A limit of this proxy is reached.' },
  upstream_unresolved: {
    side: 'upstream',
    status: 503,
    retry: 'safe',
    title: 'No address is known for the name of the upstream.',
  },
  upstream_connect_timeout: {
    side: 'upstream',
    status: 504,
    retry: 'safe',
    title: 'The upstream did not accept the connection in time.',
  },
  upstream_first_byte_timeout: {
    side: 'upstream',
    status: 504,
    retry: 'never',
    title: 'The upstream did not begin to answer in time.',
  },
  upstream_body_timeout: {
    side: 'upstream',
    status: 504,
    retry: 'never',
    title: 'The upstream stopped in the middle of its response.',
  },
  request_timeout: {
    side: 'upstream',
    status: 504,
    retry: 'never',
    title: 'The request took longer than its limit.',
  },
  deadline_exceeded: {
    side: 'downstream',
    status: 504,
    retry: 'never',
    title: 'The time that the caller gave the request is over.',
  },
  drain_timeout: {
    side: 'internal',
    status: 503,
    retry: 'never',
    title: 'Fairlead is stopping, and the request took longer than it waits.',
  },
  stream_idle: {
    side: 'internal',
    status: 504,
    retry: 'never',
    title: 'The stream was silent for longer than its limit.',
  },
  variant_unknown: {
    side: 'downstream',
    status: 501,
    retry: 'never',
    title: 'The request carries a variant that this service does not have.',
  },
  version_unsupported: {
    side: 'downstream',
    status: 505,
    retry: 'never',
    title: 'Only HTTP/1.0 and HTTP/1.1 are supported.',
  },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

/** A request that could not be carried through. `detail` is one sentence for people; never a field value. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
  readonly code: ErrorCode;
  readonly side: Side;
  readonly status: number;
  readonly retry: Retry;

  constructor(code: ErrorCode, detail?: string, options?: { cause?: unknown }) {
    const kind: ErrorKind = ERRORS[code];
    super(detail ?? kind.title, options);
    this.code = code;
    this.side = kind.side;
    this.status = kind.status;
    this.retry = kind.retry;
  }
}
