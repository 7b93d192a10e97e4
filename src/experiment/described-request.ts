/**
 * A request that somebody describes, on the command line or over OFREP, with the attributes that a request on the wire
 * has. Nothing is read that the description does not say.
 */
import { parseCookie } from 'cookie';
import type { Claim, RequestAttributes } from './model.ts';

/** Values by name; a Map and URLSearchParams are some. */
export interface Lookup {
  get(name: string): string | null | undefined;
}

export interface DescribedParts {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** By lower-case name; several of one name are already joined. */
  readonly headers: Lookup;
  readonly cookies: Lookup;
  readonly query: Lookup;
  readonly pathParameters: Lookup;
  /** As a client certificate would have it; null: there is none. */
  readonly clientIdentity: string | null;
  /** Null: not known. */
  readonly clientAddress: string | null;
  /** @param pointer RFC 6901. */
  claim(pointer: string): Claim | null;
}

/** What assignment and targeting may read of it. */
export function describedAttributes(parts: DescribedParts): RequestAttributes {
  const { method, path, clientIdentity, clientAddress } = parts;
  return {
    method,
    path,
    clientIdentity,
    clientAddress,
    header: (name) => parts.headers.get(name) ?? null,
    cookie: (name) => parts.cookies.get(name) ?? null,
    query: (name) => parts.query.get(name) ?? null,
    pathParameter: (name) => parts.pathParameters.get(name) ?? null,
    claim: (pointer) => parts.claim(pointer),
  };
}

/** The cookies of a Cookie field; several fields may be joined the way other fields are, by a comma. */
export function cookiesIn(field: string | null): ReadonlyMap<string, string> {
  const cookies = new Map<string, string>();
  if (field === null) return cookies;
  for (const [name, value] of Object.entries(parseCookie(field.replaceAll(', ', '; '))))
    if (value !== undefined) cookies.set(name, value);
  return cookies;
}
