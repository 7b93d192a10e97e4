/**
 * What assignment and targeting may read of a request, over a parsed head. Cookies, the query and the token are read
 * on the first question and kept for the rest of the decision; nothing is parsed that nobody asks for.
 * Valid only while the head's bytes are.
 */
import { parseCookie } from 'cookie';
import type { Claim, RequestAttributes } from '../experiment/model.ts';
import { Field } from '../http1/field.ts';
import type { Head } from '../http1/head.ts';
import { type PathParameters, parameterOf } from './path-parameters.ts';

/** The claims of one request's token. */
export interface Claims {
  /** @param pointer RFC 6901. */
  claim(pointer: string): Claim | null;
}

/** Finds the token of a request and reads it; null: there is none, or it is not one. Throws nothing. */
export interface ClaimSource {
  read(request: RequestAttributes): Claims | null;
}

/** Whose requests they are: the same for all on one connection. */
export interface Client {
  readonly identity: string | null;
  readonly address: string | null;
}

export class HeadAttributes implements RequestAttributes {
  #client: Client;
  readonly #head: Head;
  #parameters: PathParameters | null = null;
  #claimSource: ClaimSource | null = null;
  #cookies: Readonly<Record<string, string | undefined>> | null = null;
  #query: URLSearchParams | null = null;
  /** Undefined: nobody asked yet. */
  #claims: Claims | null | undefined = undefined;

  constructor(head: Head, client: Client) {
    this.#head = head;
    this.#client = client;
  }

  /** From now on the requests are those of `client`. */
  from(client: Client): void {
    this.#client = client;
  }

  get clientIdentity(): string | null {
    return this.#client.identity;
  }

  get clientAddress(): string | null {
    return this.#client.address;
  }

  /**
   * Forget what was parsed of the previous request. `parameters` are those of the route's path, null when it has none;
   * `claimSource` is null when nobody reads tokens.
   */
  reset(parameters: PathParameters | null, claimSource: ClaimSource | null): void {
    this.#parameters = parameters;
    this.#claimSource = claimSource;
    this.#cookies = null;
    this.#query = null;
    this.#claims = undefined;
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

  pathParameter(name: string): string | null {
    return this.#parameters === null ? null : parameterOf(this.#parameters, this.path, name);
  }

  claim(pointer: string): Claim | null {
    if (this.#claims === undefined) this.#claims = this.#claimSource?.read(this) ?? null;
    return this.#claims === null ? null : this.#claims.claim(pointer);
  }
}

/** Several Cookie fields are one list (RFC 9113 section 8.2.3), joined the way cookies are, not the way fields are. */
export function cookieText(head: Head): string {
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
