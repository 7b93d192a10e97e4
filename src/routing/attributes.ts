/**
 * What assignment and targeting may read of a request, over a parsed head. Cookies and the query are parsed on
 * the first question and kept for the rest of the decision; nothing is parsed that nobody asks for.
 * Valid only while the head's bytes are.
 */
import { parseCookie } from 'cookie';
import type { RequestAttributes } from '../experiment/model.ts';
import { Field } from '../http1/field.ts';
import type { Head } from '../http1/head.ts';

export class HeadAttributes implements RequestAttributes {
  readonly clientIdentity: string | null;
  readonly #head: Head;
  #cookies: Readonly<Record<string, string | undefined>> | null = null;
  #query: URLSearchParams | null = null;

  /** `clientIdentity` is the connection's, so that of every request on it. */
  constructor(head: Head, clientIdentity: string | null) {
    this.#head = head;
    this.clientIdentity = clientIdentity;
  }

  /** Forget what was parsed of the previous request. */
  reset(): void {
    this.#cookies = null;
    this.#query = null;
  }

  get method(): string {
    return this.#head.method;
  }

  get path(): string {
    return pathOf(this.#head);
  }

  header(name: string): string | null {
    const value = this.#head.header(name);
    return value === null || isAscii(value) ? value : Buffer.from(value, 'latin1').toString('utf8');
  }

  cookie(name: string): string | null {
    this.#cookies ??= parseCookie(cookieText(this.#head));
    return this.#cookies[name] ?? null;
  }

  query(name: string): string | null {
    const head = this.#head;
    if (head.queryStart < 0) return null;
    this.#query ??= new URLSearchParams(head.text(head.queryStart, head.targetEnd));
    return this.#query.get(name);
  }
}

/** Several Cookie fields are one list (RFC 9113 section 8.2.3), joined the way cookies are, not the way fields are. */
function cookieText(head: Head): string {
  let text = '';
  for (let i = Math.max(0, head.first(Field.cookie)); i < head.count; i++) {
    if (head.id[i] === Field.cookie) text += text === '' ? head.value(i) : `; ${head.value(i)}`;
  }
  return text;
}

/** Heads are read as latin1; a unit that is not ASCII must hash as its UTF-8, as it does from a query or another SDK. */
function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** The path as received, without the query; "/" when an absolute-form target has none, "*" for asterisk-form. */
export function pathOf(head: Head): string {
  if (head.pathStart === head.pathEnd) return '/';
  return head.text(head.pathStart, head.pathEnd);
}
