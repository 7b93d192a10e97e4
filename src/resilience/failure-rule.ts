/**
 * What counts as a failure of the upstream: which of its answers, and which ways of not answering. Pure.
 *
 * A breaker protects the caller from the upstream, so by default only what the upstream answers for counts: 5xx and
 * broken or missing answers. The client's own mistakes (4xx) and its going away count only where they are listed.
 */
import type { ErrorCode } from '../base/error.ts';

/** Ways of not answering. `clientAbort`: the client did not wait for the answer, or its deadline was over. */
export const FAILURE_KINDS = ['connect', 'timeout', 'reset', 'malformed', 'clientAbort'] as const;

export type FailureKind = (typeof FAILURE_KINDS)[number];

/** A field of the answer; a value of null is any. */
export interface FailureField {
  /** Lower case. */
  readonly name: string;
  readonly value: string | null;
}

export interface FailureSettings {
  /** Classes (`5xx`) and single statuses. */
  readonly statuses: readonly (string | number)[];
  readonly errors: readonly FailureKind[];
  /** One of these is enough. */
  readonly fields: readonly FailureField[];
}

/** An error that is not here is nobody's failure. */
const KINDS: Partial<Record<ErrorCode, FailureKind>> = {
  upstream_connect_failed: 'connect',
  upstream_connect_timeout: 'connect',
  upstream_tls_failed: 'connect',
  upstream_unresolved: 'connect',
  upstream_first_byte_timeout: 'timeout',
  upstream_body_timeout: 'timeout',
  request_timeout: 'timeout',
  upstream_reset: 'reset',
  upstream_aborted: 'reset',
  upstream_malformed: 'malformed',
  client_aborted: 'clientAbort',
  deadline_exceeded: 'clientAbort',
};

/** Immutable. */
export class FailureRule {
  readonly fields: readonly FailureField[];
  readonly #classes: readonly boolean[];
  readonly #statuses: ReadonlySet<number>;
  readonly #errors: ReadonlySet<string>;

  constructor({ statuses, errors, fields }: FailureSettings) {
    this.fields = Object.freeze(fields.map((field) => Object.freeze(field)));
    this.#classes = [0, 1, 2, 3, 4, 5].map((first) => statuses.includes(`${first}xx`));
    this.#statuses = new Set(statuses.filter((status) => typeof status === 'number'));
    this.#errors = new Set(
      Object.entries(KINDS).flatMap(([code, kind]) => (errors.includes(kind) ? [code] : [])),
    );
    Object.freeze(this);
  }

  hasStatus(status: number): boolean {
    return this.#classes[Math.trunc(status / 100)] === true || this.#statuses.has(status);
  }

  hasError(code: ErrorCode): boolean {
    return this.#errors.has(code);
  }

  /** Does the answer whose fields `read` reads, by lower-case name, say that it is a failure? */
  hasField(read: (name: string) => string | null): boolean {
    return this.fields.some(({ name, value }) => {
      const found = read(name);
      return found !== null && (value === null || value === found.trim());
    });
  }
}

/** Unless configured. */
export const DEFAULT_FAILURES = new FailureRule({
  statuses: ['5xx'],
  errors: ['connect', 'timeout', 'reset', 'malformed'],
  fields: [],
});
