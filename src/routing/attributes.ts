/**
 * What assignment and targeting may read of a request, over a parsed head. Cookies and the query are parsed on
 * the first question and kept for the rest of the decision; nothing is parsed that nobody asks for.
 * Valid only while the head's bytes are.
 */
import { parseCookie } from 'cookie';
import type { RequestAttributes } from '../experiment/model.ts';
import type { Head } from '../http1/head.ts';

export class HeadAttributes implements RequestAttributes {
  readonly #head: Head;
  #cookies: Readonly<Record<string, string | undefined>> | null = null;
  #query: URLSearchParams | null = null;

  constructor(head: Head) {
    this.#head = head;
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
    return this.#head.header(name);
  }

  cookie(name: string): string | null {
    this.#cookies ??= parseCookie(this.#head.header('cookie')?.replaceAll(', ', '; ') ?? '');
    return this.#cookies[name] ?? null;
  }

  query(name: string): string | null {
    const head = this.#head;
    if (head.queryStart < 0) return null;
    this.#query ??= new URLSearchParams(head.bytes.latin1Slice(head.queryStart, head.targetEnd));
    return this.#query.get(name);
  }
}

/** The path as received, without the query; "/" when an absolute-form target has none, "*" for asterisk-form. */
export function pathOf(head: Head): string {
  if (head.pathStart === head.pathEnd) return '/';
  return head.bytes.latin1Slice(head.pathStart, head.pathEnd);
}
