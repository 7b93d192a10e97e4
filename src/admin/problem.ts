/**
 * The admin API's failures: one table of codes, sent as RFC 9457 problem+json with `code`, `path` and `hint`.
 * `docs/admin-api.md` documents each code (a test compares the two). A detail never holds a token or a secret.
 */
import type { FastifyReply } from 'fastify';

export const ADMIN_ERRORS = {
  request_invalid: { status: 400, title: 'The request cannot be understood.' },
  token_required: { status: 401, title: 'Changes need the bearer token.' },
  writes_disabled: { status: 403, title: 'No token is configured, so nothing can be changed here.' },
  role_insufficient: { status: 403, title: 'The role of the token does not allow this.' },
  second_person_needed: { status: 403, title: 'It takes somebody else to approve this.' },
  host_forbidden: { status: 403, title: 'The Host is not one of this machine.' },
  origin_forbidden: { status: 403, title: 'Requests from other web sites are refused.' },
  not_found: { status: 404, title: 'There is nothing of this name.' },
  method_not_allowed: { status: 405, title: 'The method is not allowed here.' },
  approval_outdated: { status: 409, title: 'What was asked for is not what would be done now.' },
  version_conflict: { status: 412, title: 'The config changed since it was read.' },
  body_too_large: { status: 413, title: 'The body is larger than the limit.' },
  media_type_unsupported: { status: 415, title: 'The body has a media type that is not taken here.' },
  change_invalid: { status: 422, title: 'The change is not valid.' },
  config_invalid: { status: 422, title: 'The config is not valid; nothing was changed.' },
  streams_exceeded: { status: 429, title: 'Too many streams are open.' },
  attempts_exceeded: { status: 429, title: 'Too many wrong tokens came from this address.' },
  internal: { status: 500, title: 'The admin API failed; this is a bug.' },
} as const;

export type AdminErrorCode = keyof typeof ADMIN_ERRORS;

interface ProblemOptions {
  /** Where in the body the mistake is, such as `weights.candidate`. */
  readonly path?: string;
  /** What to do about it. */
  readonly hint?: string;
  /** Further members of the problem. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** A request to the admin API that is refused. `message` is one sentence for people. */
export class AdminError extends Error {
  override readonly name = 'AdminError';
  readonly code: AdminErrorCode;
  readonly options: ProblemOptions;

  constructor(code: AdminErrorCode, message: string, options: ProblemOptions = {}) {
    super(message);
    this.code = code;
    this.options = options;
  }
}

/** Turns whatever was thrown into an AdminError; null: it is a bug of ours. */
export function toAdminError(error: unknown): AdminError | null {
  if (error instanceof AdminError) return error;
  if (!(error instanceof Error)) return null;
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  if (typeof code !== 'string' || !code.startsWith('FST_')) {
    return statusCode === 400 ? new AdminError('request_invalid', error.message) : null;
  }
  if (code.startsWith('FST_BEARER_AUTH')) {
    return new AdminError('token_required', 'The bearer token is missing or wrong.', {
      hint: 'send "Authorization: Bearer TOKEN"; the CLI takes --token or FAIRLEAD_ADMIN__TOKEN',
    });
  }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new AdminError('body_too_large', error.message);
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new AdminError('media_type_unsupported', error.message, { hint: 'send application/json' });
  }
  return statusCode === 400 ? new AdminError('request_invalid', error.message) : null;
}

/** Sends the problem. */
export function sendProblem(reply: FastifyReply, error: AdminError): FastifyReply {
  const { status, title } = ADMIN_ERRORS[error.code];
  const { path, hint, more } = error.options;
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="fairlead"');
  return reply
    .code(status)
    .header('content-type', 'application/problem+json')
    .send({
      type: `urn:fairlead:error:${error.code}`,
      title,
      status,
      detail: error.message,
      code: error.code,
      path,
      hint,
      ...more,
    });
}
