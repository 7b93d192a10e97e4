/**
 * What a route tells caches about an answer that depends on a variant, and what an answer tells about the cache that it
 * came from. RFC 9110 section 12.5.5 (Vary), RFC 9111 (caching), RFC 9211 (Cache-Status). Pure.
 */
import { Field } from '../http1/field.ts';
import type { Head } from '../http1/head.ts';

export interface CachePolicy {
  /** Value of the `Vary` field of answers that may be stored; null: none. */
  readonly vary: string | null;
  /** Such answers are for the client alone. */
  readonly isPrivate: boolean;
  /** Lower case; null: none. */
  readonly keyHint: string | null;
}

/** The lines for caches on an answer to `method`, '' for none. A field that says no-store or private is left alone. */
export function cacheLines({ vary, isPrivate }: CachePolicy, method: string, head: Head): string {
  if (vary === null && !isPrivate) return '';
  if (method !== 'GET' && method !== 'HEAD') return '';
  const control = head.first(Field.cacheControl) < 0 ? '' : head.header('cache-control')!;
  if (control !== '' && /no-store/i.test(control)) return '';
  const line = vary === null ? '' : `vary: ${vary}\r\n`;
  // A second field, since the directives of both count and the stricter one wins (RFC 9111 section 4.2.1).
  return isPrivate && !isPrivateAlready(control) ? `${line}cache-control: private\r\n` : line;
}

/** `private="set-cookie"` is about that field only. */
function isPrivateAlready(control: string): boolean {
  return /(?:^|[,\s])private(?![\w=-])/i.test(control);
}

/**
 * Does the answer say that a cache had it? By its age, by RFC 9211, or by the `X-Cache` that caches had before it. One
 * that is younger than a second and says nothing else is not told from a fresh one.
 */
export function isFromCache(head: Head): boolean {
  const age = head.header('age');
  if (age !== null && /^0*[1-9]\d*$/.test(age)) return true;
  const status = head.header('cache-status');
  if (status !== null && /;\s*hit\s*(?:[;,]|$)/i.test(status)) return true;
  const old = head.header('x-cache');
  return old !== null && /(?:^|[^a-z])hit(?![a-z])/i.test(old);
}
