/** Where the token of a request is. Pure. */

/** One of the two is null. */
export interface TokenPlace {
  /** Lower case. */
  readonly header: string | null;
  readonly cookie: string | null;
}

/** What is asked of a request. */
export interface TokenFields {
  header(name: string): string | null;
  cookie(name: string): string | null;
}

/** The scheme of RFC 6750, in any case; what follows it is the token. */
const BEARER = /^bearer +/i;

/**
 * The text that should be a token; null when there is none. `Authorization` has one behind `Bearer` only, since other
 * schemes are somebody else's; another header may leave the scheme out.
 */
export function tokenIn({ header, cookie }: TokenPlace, fields: TokenFields): string | null {
  if (header === null) return cookie === null ? null : nonEmpty(fields.cookie(cookie));
  const value = fields.header(header);
  if (value === null) return null;
  const scheme = BEARER.exec(value);
  if (scheme !== null) return nonEmpty(value.slice(scheme[0].length));
  return header === 'authorization' ? null : nonEmpty(value);
}

function nonEmpty(text: string | null): string | null {
  return text === '' ? null : text;
}
