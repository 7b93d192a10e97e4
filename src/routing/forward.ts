/**
 * The message as forwarded: which fields are cut, which are added, as one string ready to be written.
 * The head goes out as slices of what came in, so a field that nobody touches keeps its bytes, its case and its
 * place. Never touches a body; the framing fields are written by `http1/encode.ts` only.
 *
 * RFC 9110 section 7.6.1 (Connection and the fields it names), 7.6.2 (Max-Forwards), 7.6.3 (Via), 7.8 (Upgrade);
 * RFC 9112 section 3.2.2 (absolute-form), 9.6 (persistence).
 */
import { TRANSFER_ENCODING_CHUNKED } from '../http1/encode.ts';
import { Field } from '../http1/field.ts';
import type { Head } from '../http1/head.ts';
import type { ForwardedLines } from './forwarded-lines.ts';

export interface ForwardingSettings {
  /** `append` the client's address, `set` it (drop what came in), or `off` (pass what came in). */
  readonly forwardedFor: 'append' | 'set' | 'off';
  /** `keep` what came in and set it if absent, `set`, or `off`. */
  readonly forwardedProto: 'keep' | 'set' | 'off';
  readonly forwardedHost: 'keep' | 'set' | 'off';
  readonly via: boolean;
  /** Create `x-request-id` when absent. */
  readonly requestId: boolean;
  /** Create `traceparent` when absent or malformed. */
  readonly traceparent: boolean;
}

/** What the exchange knows beyond the head. Strings of fields are whole lines, each ending with CRLF. */
export interface RequestFacts {
  /** Of the client's connection. */
  readonly forwarded: ForwardedLines;
  readonly isChunked: boolean;
  /** Lower-case names to cut because `fields` holds their new value. */
  readonly replaced: readonly string[];
  /** Lower-case names that Connection cannot make a matter of one hop: the context we carry. */
  readonly ownNames: readonly string[];
  /** Lines to add. */
  readonly fields: string;
  /** For an HTTP/1.0 request without Host. */
  readonly defaultHost: string;
  readonly isUpgrade: boolean;
}

/** The request head to send upstream, always HTTP/1.1 and origin-form. */
export function forwardRequest(head: Head, settings: ForwardingSettings, facts: RequestFacts): string {
  const isLineKept = head.versionMinor === 1 && head.targetForm !== 'absolute';
  let text = isLineKept ? '' : requestLine(head);
  let from = isLineKept ? head.start : head.fieldsStart;
  for (let i = 0; i < head.count; i++) {
    if (!isRequestFieldCut(head, i, settings, facts)) continue;
    text += head.text(from, head.nameStart[i]!);
    from = head.lineEnd[i]!;
  }
  text += head.text(from, head.end - 2);
  return `${text}${addedRequestFields(head, settings, facts)}${facts.fields}\r\n`;
}

function requestLine(head: Head): string {
  let target = head.text(head.targetStart, head.targetEnd);
  if (head.targetForm === 'absolute') {
    const rest = head.text(head.authorityEnd, head.targetEnd);
    // RFC 9112 section 3.2.4: OPTIONS on an absolute-form without a path is about the server as a whole.
    if (rest === '') target = head.method === 'OPTIONS' ? '*' : '/';
    else target = rest.startsWith('/') ? rest : `/${rest}`;
  }
  return `${head.method} ${target} HTTP/1.1\r\n`;
}

function isRequestFieldCut(
  head: Head,
  i: number,
  settings: ForwardingSettings,
  facts: RequestFacts,
): boolean {
  switch (head.id[i]) {
    case Field.connection:
    case Field.keepAlive:
    case Field.proxyConnection:
    case Field.te:
    case Field.proxyAuthorization:
    case Field.http2Settings:
    case Field.transferEncoding:
    case Field.upgrade:
      return true;
    case Field.host:
      return head.targetForm === 'absolute';
    case Field.expect:
      return head.versionMinor === 0; // RFC 9110 section 10.1.1: ignored from an HTTP/1.0 client
    case Field.forwardedFor:
      return settings.forwardedFor !== 'off';
    case Field.forwardedProto:
      return settings.forwardedProto === 'set';
    case Field.forwardedHost:
      return settings.forwardedHost === 'set';
    case Field.maxForwards:
      return head.maxForwards > 0;
    case Field.contentLength:
      return false;
    default:
      if (facts.replaced.length > 0 && isReplaced(head, i, facts.replaced)) return true;
      return head.hasOtherOptions && head.isConnectionOption(i, facts.ownNames);
  }
}

function isReplaced(head: Head, i: number, names: readonly string[]): boolean {
  const length = head.nameEnd[i]! - head.nameStart[i]!;
  for (let n = 0; n < names.length; n++) {
    if (names[n]!.length === length && head.isNamed(i, names[n]!)) return true;
  }
  return false;
}

function addedRequestFields(head: Head, settings: ForwardingSettings, facts: RequestFacts): string {
  let text = '';
  if (head.targetForm === 'absolute') {
    text += `host: ${head.text(head.authorityStart, head.authorityEnd)}\r\n`;
  } else if (head.first(Field.host) < 0) {
    text += `host: ${facts.defaultHost}\r\n`;
  }
  if (facts.isChunked) text += TRANSFER_ENCODING_CHUNKED;
  if (head.maxForwards > 0) text += `max-forwards: ${head.maxForwards - 1}\r\n`;
  if (facts.isUpgrade) text += `connection: upgrade\r\nupgrade: ${head.header('upgrade')}\r\n`;
  else if (head.first(Field.te) >= 0 && acceptsTrailers(head)) text += 'connection: te\r\nte: trailers\r\n';
  text += facts.forwarded.for(head, settings);
  if (settings.via) text += head.versionMinor === 1 ? 'via: 1.1 fairlead\r\n' : 'via: 1.0 fairlead\r\n';
  return text;
}

function acceptsTrailers(head: Head): boolean {
  return /(^|,)[ \t]*trailers[ \t]*(,|$)/i.test(head.header('te') ?? '');
}

/** What decides how a response head is forwarded. */
export interface ResponseFacts {
  /** The body goes out chunked (it came chunked or until close, and the client speaks HTTP/1.1). */
  readonly isChunked: boolean;
  /** This is the last response on the client's connection. */
  readonly isClose: boolean;
  /** The client speaks HTTP/1.0 and asked to keep the connection. */
  readonly isKeptAlive10: boolean;
  /** 101: the connection becomes a tunnel. */
  readonly isUpgrade: boolean;
  /** Lower-case name of a field to cut because `fields` holds its new value; null: none. */
  readonly replaced: string | null;
  /** Lines to add, each ending with CRLF. */
  readonly fields: string;
}

/** The response head to send to the client: status line, fields, empty line. */
export function forwardResponse(head: Head, facts: ResponseFacts): string {
  return editedResponse(head, facts) ?? head.bytes.latin1Slice(head.start, head.end);
}

/**
 * The same, or null where bytes [head.start, head.end) are what goes out, so that it can be sent in one piece with what
 * is behind it. For that the first part of the head is moved over the fields that are cut: of what `head` says then only
 * `start` and `end` are true.
 */
export function editedResponse(head: Head, facts: ResponseFacts): string | null {
  const added = addedResponseFields(head, facts);
  if (added === '' && head.versionMinor === 1 && closesGap(head, facts.replaced)) return null;
  let text = '';
  let from = head.start;
  if (head.versionMinor === 0) {
    text = 'HTTP/1.1';
    from = head.start + 8;
  }
  for (let i = 0; i < head.count; i++) {
    if (!isResponseFieldCut(head, i, facts.replaced)) continue;
    text += head.text(from, head.nameStart[i]!);
    from = head.lineEnd[i]!;
  }
  return `${text}${head.text(from, head.end - 2)}${added}\r\n`;
}

/** Cuts in place what is to be cut; false: nothing is done, since that is fields in several places. */
function closesGap(head: Head, replaced: string | null): boolean {
  let first = 0;
  while (first < head.count && !isResponseFieldCut(head, first, replaced)) first++;
  if (first === head.count) return true;
  let last = first;
  while (last + 1 < head.count && isResponseFieldCut(head, last + 1, replaced)) last++;
  for (let i = last + 2; i < head.count; i++) if (isResponseFieldCut(head, i, replaced)) return false;
  const { start } = head;
  const gapStart = head.nameStart[first]!;
  head.start = start + head.lineEnd[last]! - gapStart;
  head.bytes.copyWithin(head.start, start, gapStart);
  return true;
}

function addedResponseFields(head: Head, facts: ResponseFacts): string {
  let text = facts.isChunked ? TRANSFER_ENCODING_CHUNKED : '';
  if (facts.isUpgrade) text += `connection: upgrade\r\nupgrade: ${head.header('upgrade')}\r\n`;
  else if (facts.isClose) text += 'connection: close\r\n';
  else if (facts.isKeptAlive10) text += 'connection: keep-alive\r\n';
  return text + facts.fields;
}

function isResponseFieldCut(head: Head, i: number, replaced: string | null): boolean {
  switch (head.id[i]) {
    case Field.connection:
    case Field.keepAlive:
    case Field.proxyConnection:
    case Field.proxyAuthenticate:
    case Field.transferEncoding:
    case Field.upgrade:
    case Field.te:
      return true;
    default:
      if (replaced !== null && head.isNamed(i, replaced)) return true;
      return head.hasOtherOptions && head.isConnectionOption(i);
  }
}
