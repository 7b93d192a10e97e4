/**
 * The `x-forwarded-*` lines that requests of one connection get. Nearly all its requests get the same ones, so they
 * are made once as one flat string; what a client has sent of them itself, or another host, makes new ones.
 */
import { Field } from '../http1/field.ts';
import type { Head } from '../http1/head.ts';
import type { ForwardingSettings } from './forward.ts';

/** Bit n of `Head.seen`: the client has sent one of the fields that ours are made from. */
const SENT = (1 << Field.forwardedFor) | (1 << Field.forwardedProto) | (1 << Field.forwardedHost);

export class ForwardedLines {
  readonly #address: string;
  readonly #scheme: 'http' | 'https';
  /** What the lines of the last request were made from, and they. */
  #settings: ForwardingSettings | null = null;
  #host = '';
  #lines = '';

  /** `address`: the peer's as text, without the port. */
  constructor(address: string, scheme: 'http' | 'https') {
    this.#address = address;
    this.#scheme = scheme;
  }

  /** The lines to add to this request, each with its CRLF. */
  for(head: Head, settings: ForwardingSettings): string {
    const host = head.first(Field.host);
    if ((head.seen & SENT) !== 0 || host < 0 || head.targetForm === 'absolute')
      return this.#make(head, settings);
    if (settings !== this.#settings || !isExactly(head, host, this.#host)) {
      this.#settings = settings;
      this.#host = shared(head.value(host));
      this.#lines = shared(this.#make(head, settings));
    }
    return this.#lines;
  }

  #make(head: Head, settings: ForwardingSettings): string {
    const { forwardedFor, forwardedProto, forwardedHost } = settings;
    let text = '';
    if (forwardedFor !== 'off') {
      const isAppended = forwardedFor === 'append' && head.first(Field.forwardedFor) >= 0;
      const before = isAppended ? head.header('x-forwarded-for') : null;
      text += before
        ? `x-forwarded-for: ${before}, ${this.#address}\r\n`
        : `x-forwarded-for: ${this.#address}\r\n`;
    }
    if (forwardedProto === 'set' || (forwardedProto === 'keep' && head.first(Field.forwardedProto) < 0))
      text += `x-forwarded-proto: ${this.#scheme}\r\n`;
    if (forwardedHost === 'set' || (forwardedHost === 'keep' && head.first(Field.forwardedHost) < 0)) {
      const host = hostOf(head);
      if (host !== null) text += `x-forwarded-host: ${host}\r\n`;
    }
    return text;
  }
}

function hostOf(head: Head): string | null {
  if (head.targetForm === 'absolute') return head.text(head.authorityStart, head.authorityEnd);
  const i = head.first(Field.host);
  return i < 0 ? null : head.value(i);
}

/** Whether the value of field i is `text`, upper and lower case apart. */
function isExactly(head: Head, i: number, text: string): boolean {
  const start = head.valueStart[i]!;
  if (head.valueEnd[i]! - start !== text.length) return false;
  for (let at = 0; at < text.length; at++) if (head.bytes[start + at] !== text.charCodeAt(at)) return false;
  return true;
}

/** As many as differ among the connections of most sidecars; then it begins anew, which costs only memory. */
const TEXTS_MAX = 1024;
/** A host may be as long as a head, and nobody shall fill the memory with such: all together are half a megabyte. */
const TEXT_MAX_CHARS = 512;
const texts = new Map<string, string>();

/**
 * The same text, of which there is one for all connections, and not held together by references to its parts: so it stays
 * where the processor has it at hand, and an idle connection costs none of it.
 */
function shared(text: string): string {
  const known = texts.get(text);
  if (known !== undefined) return known;
  const flat = Buffer.from(text, 'latin1').latin1Slice();
  if (flat.length > TEXT_MAX_CHARS) return flat;
  if (texts.size >= TEXTS_MAX) texts.clear();
  texts.set(flat, flat);
  return flat;
}
