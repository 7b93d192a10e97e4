/**
 * The ways in which an attempt fails before anything of an answer has reached the client, and sets of them: which a
 * route tries again, which it takes to the fallback. Pure.
 */
import { ERRORS, type ErrorCode } from '../base/error.ts';

/**
 * `connect`: no connection was to be had, so nothing was sent. `reset`: it broke before the answer. `timeout`: no
 * answer began in time. `malformed`: what came was none. `status`: an answer, but not one to be content with.
 */
export type FailureKind = 'connect' | 'reset' | 'timeout' | 'malformed' | 'status';

export const FAILURE_WORDS = ['connect', 'reset', 'timeout', 'malformed'] as const;

/** What is listed: a word, or a status. */
export type Listed = (typeof FAILURE_WORDS)[number] | number;

/** An attempt that failed. */
export interface Failure {
  readonly kind: FailureKind;
  /** Null for a status. */
  readonly code: ErrorCode | null;
  /** 0 without an answer. */
  readonly status: number;
  /** What the answer asks to wait for; 0: it says nothing. */
  readonly retryAfterMs: number;
}

/** What an error of an attempt is; null: it ends the request, whatever is listed. */
export function failureOf(code: ErrorCode): Failure | null {
  const kind = kindOf(code);
  return kind === null ? null : { kind, code, status: 0, retryAfterMs: 0 };
}

function kindOf(code: ErrorCode): FailureKind | null {
  if (ERRORS[code].retry === 'safe' || code === 'overloaded') return 'connect';
  if (code === 'upstream_reset') return 'reset';
  if (code === 'upstream_first_byte_timeout') return 'timeout';
  return code === 'upstream_malformed' ? 'malformed' : null;
}

/** An immutable set of failures. */
export class FailureSet {
  readonly #listed: ReadonlySet<FailureKind | number>;

  constructor(listed: readonly Listed[]) {
    this.#listed = new Set(listed);
    Object.freeze(this);
  }

  has({ kind, status }: Failure): boolean {
    return this.#listed.has(kind === 'status' ? status : kind);
  }

  hasStatus(status: number): boolean {
    return this.#listed.has(status);
  }
}
