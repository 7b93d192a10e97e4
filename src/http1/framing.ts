/**
 * How long a body is: the only reader of Content-Length and Transfer-Encoding. Whatever two readers could understand
 * differently is refused, because a proxy and a server that disagree about a length are request smuggling.
 * Never reads a body, never writes a field.
 *
 * RFC 9112 sections 6.1 to 6.3; RFC 9110 section 8.6.
 */
import type { ErrorCode } from '../base/error.ts';
import { Field } from './field.ts';
import { ascii, CLASS, COMMA, DIGIT, HTAB, isSpace, isWord, SEMICOLON, TOKEN, ZERO } from './grammar.ts';
import type { Head } from './head.ts';

/** How a body ends. */
export const Body = {
  /** There is none (also when Content-Length is 0). */
  none: 0,
  /** After `length` bytes, which is above 0. */
  length: 1,
  /** With the last chunk. */
  chunked: 2,
  /** With the connection; responses only. */
  untilClose: 3,
} as const;

export type BodyKind = (typeof Body)[keyof typeof Body];

/** The answer of the functions below; a connection keeps one. */
export class Framing {
  kind: BodyKind = Body.none;
  /** Bytes when `kind` is `length`, else -1. */
  length = -1;
  failure: ErrorCode | null = null;
  /** A sentence that never holds a field value. */
  failureDetail = '';
}

const CHUNKED = ascii('chunked');
/** 2^53 - 1 has 16 digits; more are refused before they are added up. */
const LENGTH_MAX_DIGITS = 16;

/** Whether the field with this id says how a body is framed, and nothing of what it is. */
export function isFramingField(id: number): boolean {
  return id === Field.contentLength || id === Field.transferEncoding;
}

/** Fills `out` and answers true, or answers false and says why in `out.failure`. */
export function requestFraming(head: Head, out: Framing): boolean {
  const lengthAt = head.first(Field.contentLength);
  const codingAt = head.first(Field.transferEncoding);
  setBody(out, Body.none, -1);
  if (codingAt >= 0) {
    if (lengthAt >= 0)
      return refuse(out, 'framing_ambiguous', 'both Content-Length and Transfer-Encoding are there');
    if (head.versionMinor === 0)
      return refuse(out, 'framing_ambiguous', 'Transfer-Encoding in an HTTP/1.0 message');
    return readCodings(head, codingAt, out);
  }
  return lengthAt < 0 || readLength(head, lengthAt, out);
}

/**
 * The same for the response to a request with `requestMethod`. Every failure is `upstream_malformed`.
 * The body of a 101 is none: what follows it belongs to the other protocol.
 */
export function responseFraming(head: Head, requestMethod: string, out: Framing): boolean {
  const lengthAt = head.first(Field.contentLength);
  const codingAt = head.first(Field.transferEncoding);
  const isWithoutLength = head.status < 200 || head.status === 204;
  setBody(out, Body.untilClose, -1);
  if (codingAt >= 0) {
    if (lengthAt >= 0)
      return refuse(out, 'upstream_malformed', 'both Content-Length and Transfer-Encoding are there');
    if (isWithoutLength)
      return refuse(out, 'upstream_malformed', 'Transfer-Encoding with a status that has no body');
    if (head.versionMinor === 0)
      return refuse(out, 'upstream_malformed', 'Transfer-Encoding in an HTTP/1.0 message');
    if (!readCodings(head, codingAt, out)) return refuse(out, 'upstream_malformed', out.failureDetail);
  } else if (lengthAt >= 0) {
    if (!readLength(head, lengthAt, out)) return refuse(out, 'upstream_malformed', out.failureDetail);
    if (isWithoutLength && out.kind !== Body.none) {
      return refuse(out, 'upstream_malformed', 'Content-Length with a status that has no body');
    }
  }
  if (isWithoutLength || head.status === 304 || requestMethod === 'HEAD') setBody(out, Body.none, -1);
  return true;
}

function setBody(out: Framing, kind: BodyKind, length: number): true {
  out.kind = kind;
  out.length = length;
  out.failure = null;
  out.failureDetail = '';
  return true;
}

function refuse(out: Framing, code: ErrorCode, detail: string): false {
  out.kind = Body.none;
  out.length = -1;
  out.failure = code;
  out.failureDetail = detail;
  return false;
}

/**
 * A tab beside the value is valid HTTP, but readers disagree about it: Node's llhttp does not take "chunked" with a
 * tab behind it for chunked. Nobody sends one in good faith.
 */
function hasTabAround(head: Head, i: number): boolean {
  const bytes = head.bytes;
  for (let at = head.nameEnd[i]! + 1; at < head.valueStart[i]!; at++) if (bytes[at] === HTAB) return true;
  for (let at = head.valueEnd[i]!; at < head.lineEnd[i]!; at++) if (bytes[at] === HTAB) return true;
  return false;
}

/** One field of digits, at most 2^53 - 1. A repeated field or a list is refused even when all members are equal. */
function readLength(head: Head, i: number, out: Framing): boolean {
  if ((head.repeated & (1 << Field.contentLength)) !== 0) {
    return refuse(out, 'framing_ambiguous', 'there is more than one Content-Length');
  }
  if (hasTabAround(head, i))
    return refuse(out, 'framing_ambiguous', 'a tab beside the value of Content-Length');
  const bytes = head.bytes;
  const start = head.valueStart[i]!;
  const end = head.valueEnd[i]!;
  if (start === end) return refuse(out, 'framing_ambiguous', 'Content-Length is empty');
  let length = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if ((CLASS[byte]! & DIGIT) === 0)
      return refuse(out, 'framing_ambiguous', 'Content-Length is not a number of digits');
    // The parentheses matter: without them 2^53 - 1 is passed on the way, and rounds.
    length = length * 10 + (byte - ZERO);
  }
  if (end - start > LENGTH_MAX_DIGITS || length > Number.MAX_SAFE_INTEGER) {
    return refuse(out, 'framing_ambiguous', 'Content-Length is larger than 2^53 - 1');
  }
  return length === 0 ? setBody(out, Body.none, -1) : setBody(out, Body.length, length);
}

/** Exactly `chunked`, once. Other codings before it are valid HTTP that is not supported; the rest is ambiguous. */
function readCodings(head: Head, i: number, out: Framing): boolean {
  const start = head.valueStart[i]!;
  const end = head.valueEnd[i]!;
  if ((head.repeated & (1 << Field.transferEncoding)) !== 0) {
    return refuse(out, 'framing_ambiguous', 'there is more than one Transfer-Encoding');
  }
  if (hasTabAround(head, i))
    return refuse(out, 'framing_ambiguous', 'a tab beside the value of Transfer-Encoding');
  if (isWord(head.bytes, start, end, CHUNKED)) return setBody(out, Body.chunked, -1);
  if (endsInChunked(head.bytes, start, end)) {
    return refuse(out, 'transfer_encoding_unsupported', 'a transfer coding besides chunked');
  }
  return refuse(out, 'framing_ambiguous', 'the last transfer coding is not chunked');
}

/** Whether the list is well formed and its last member, and no other one, is `chunked`. */
function endsInChunked(bytes: Buffer, start: number, end: number): boolean {
  let at = start;
  for (;;) {
    while (at < end && isSpace(bytes[at]!)) at++;
    const nameStart = at;
    while (at < end && (CLASS[bytes[at]!]! & TOKEN) !== 0) at++;
    const isChunked = isWord(bytes, nameStart, at, CHUNKED);
    if (at === end) return isChunked;
    if (at === nameStart || isChunked) return false;
    while (at < end && isSpace(bytes[at]!)) at++;
    if (bytes[at] === SEMICOLON) while (at < end && bytes[at] !== COMMA) at++;
    if (at >= end || bytes[at] !== COMMA) return false;
    at++;
  }
}
