/**
 * The first line of a message: method, target and version, or version and status. Every byte is compared with what
 * it must be; an unknown method is taken when it is a token, an unknown version is not.
 *
 * RFC 9112 sections 2.3, 3 and 4. Targets are taken as they are: nothing is decoded or normalised.
 */
import type { ErrorCode } from '../base/error.ts';
import {
  ascii,
  CLASS,
  CR,
  DIGIT,
  isAuthority,
  isExactly,
  isWord,
  LF,
  QUESTION,
  SLASH,
  SP,
  TARGET,
  TOKEN,
  VALUE,
  ZERO,
} from './grammar.ts';

/** Where the parts of a start line are left; `Head` is the one implementation. */
export interface StartLine {
  bytes: Buffer;
  method: string;
  targetStart: number;
  targetEnd: number;
  versionMinor: 0 | 1;
  targetForm: 'origin' | 'absolute' | 'asterisk';
  pathStart: number;
  pathEnd: number;
  queryStart: number;
  authorityStart: number;
  authorityEnd: number;
  status: number;
  reasonStart: number;
  reasonEnd: number;
  fail(code: ErrorCode, detail: string): -1;
}

/** The longest registered method has 17 bytes. RFC 9112 section 3 wants 501 for longer ones than we know. */
const METHOD_MAX_BYTES = 32;

const METHODS = ['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'CONNECT'] as const;
const METHOD_WORDS: readonly Uint8Array[] = METHODS.map(ascii);
const VERSION = ascii('HTTP/');
/** `HTTP/x.y`. */
const VERSION_BYTES = 8;
const DOT = 0x2e;
const ASTERISK = 0x2a;
const HTTP_PREFIX = ascii('http://');
const HTTPS_PREFIX = ascii('https://');

/** `method SP target SP version CRLF`; answers the offset after it, 0 when incomplete, -1 when refused. */
export function parseRequestLine(
  line: StartLine,
  start: number,
  stop: number,
  targetMaxBytes: number,
): number {
  const bytes = line.bytes;
  const methodEnd = skipMethod(line, start, stop);
  if (methodEnd <= 0) return methodEnd;
  const targetStart = methodEnd + 1;
  const longest = targetStart + targetMaxBytes;
  let at = targetStart;
  while (at < stop && (CLASS[bytes[at]!]! & TARGET) !== 0) {
    if (at === longest)
      return line.fail('target_too_long', 'the request target is longer than targetMaxBytes');
    at++;
  }
  if (at === stop) return 0;
  if (bytes[at] !== SP)
    return line.fail(
      'request_malformed',
      'the request target holds a byte that cannot be in a URI, or no version follows',
    );
  if (at === targetStart) return line.fail('request_malformed', 'the request target is empty');
  line.targetStart = targetStart;
  line.targetEnd = at;
  const versionEnd = parseVersion(line, at + 1, stop, 'version_unsupported');
  if (versionEnd <= 0) return versionEnd;
  if (!readTarget(line))
    return line.fail('request_malformed', 'the request target has none of the forms of its method');
  return endOfLine(line, versionEnd, stop);
}

/** Answers the offset of the space after the method. */
function skipMethod(line: StartLine, start: number, stop: number): number {
  const bytes = line.bytes;
  const longest = start + METHOD_MAX_BYTES;
  let at = start;
  while (at < stop && (CLASS[bytes[at]!]! & TOKEN) !== 0) {
    if (at === longest) return line.fail('method_unsupported', 'the method is longer than any that is known');
    at++;
  }
  if (at === stop) return 0;
  if (at === start || bytes[at] !== SP)
    return line.fail('request_malformed', 'the method is not a token followed by one space');
  line.method = methodOf(bytes, start, at);
  return line.method === 'CONNECT' ? line.fail('method_unsupported', 'CONNECT is not supported') : at;
}

function methodOf(bytes: Buffer, start: number, end: number): string {
  for (let i = 0; i < METHODS.length; i++) {
    if (isExactly(bytes, start, end, METHOD_WORDS[i]!)) return METHODS[i]!;
  }
  return bytes.latin1Slice(start, end);
}

/** `HTTP/1.0` or `HTTP/1.1`; any other digits are `unsupported`, any other bytes are malformed. */
function parseVersion(line: StartLine, start: number, stop: number, unsupported: ErrorCode): number {
  const bytes = line.bytes;
  for (let i = 0; i < VERSION_BYTES; i++) {
    if (start + i >= stop) return 0;
    const byte = bytes[start + i]!;
    const isRight =
      i < VERSION.length ? byte === VERSION[i] : i === 6 ? byte === DOT : (CLASS[byte]! & DIGIT) !== 0;
    if (!isRight) return line.fail('request_malformed', 'the version is not HTTP/digit.digit');
  }
  const major = bytes[start + 5]! - ZERO;
  const minor = bytes[start + 7]! - ZERO;
  if (major !== 1 || minor > 1) return line.fail(unsupported, 'the version is neither HTTP/1.0 nor HTTP/1.1');
  line.versionMinor = minor === 1 ? 1 : 0;
  return start + VERSION_BYTES;
}

function endOfLine(line: StartLine, at: number, stop: number): number {
  if (at === stop) return 0;
  if (line.bytes[at] !== CR)
    return line.fail('request_malformed', 'the first line goes on where it should end');
  if (at + 1 === stop) return 0;
  if (line.bytes[at + 1] !== LF)
    return line.fail('request_malformed', 'a carriage return without a line feed');
  return at + 2;
}

/** Finds the form of the target and its parts; false when it has none. Every byte is known to be of class TARGET. */
function readTarget(line: StartLine): boolean {
  const bytes = line.bytes;
  const start = line.targetStart;
  const end = line.targetEnd;
  const first = bytes[start]!;
  line.queryStart = -1;
  if (first === SLASH) {
    line.targetForm = 'origin';
    readPath(line, start);
    return true;
  }
  if (first === ASTERISK) {
    line.targetForm = 'asterisk';
    line.pathStart = start;
    line.pathEnd = end;
    return end === start + 1 && line.method === 'OPTIONS';
  }
  const authorityStart = skipScheme(bytes, start, end);
  if (authorityStart < 0) return false;
  let at = authorityStart;
  while (at < end && bytes[at] !== SLASH && bytes[at] !== QUESTION) at++;
  line.targetForm = 'absolute';
  line.authorityStart = authorityStart;
  line.authorityEnd = at;
  readPath(line, at);
  return isAuthority(bytes, authorityStart, at);
}

function readPath(line: StartLine, start: number): void {
  const bytes = line.bytes;
  const end = line.targetEnd;
  let at = start;
  while (at < end && bytes[at] !== QUESTION) at++;
  line.pathStart = start;
  line.pathEnd = at;
  if (at < end) line.queryStart = at + 1;
}

/** The offset after `http://` or `https://` in any case, or -1. */
function skipScheme(bytes: Buffer, start: number, end: number): number {
  const afterHttp = start + HTTP_PREFIX.length;
  if (afterHttp <= end && isWord(bytes, start, afterHttp, HTTP_PREFIX)) return afterHttp;
  const afterHttps = start + HTTPS_PREFIX.length;
  if (afterHttps <= end && isWord(bytes, start, afterHttps, HTTPS_PREFIX)) return afterHttps;
  return -1;
}

/**
 * `version SP status [SP reason] CRLF`; answers as `parseRequestLine` does. The space before an empty reason may be
 * missing: many servers leave it out, and nothing is ambiguous then.
 */
export function parseStatusLine(line: StartLine, start: number, stop: number): number {
  const bytes = line.bytes;
  let at = parseVersion(line, start, stop, 'upstream_malformed');
  if (at <= 0) return at;
  if (at === stop) return 0;
  if (bytes[at] !== SP) return line.fail('upstream_malformed', 'no single space follows the version');
  let status = 0;
  for (let i = 1; i <= 3; i++) {
    if (at + i === stop) return 0;
    const digit = bytes[at + i]!;
    if ((CLASS[digit]! & DIGIT) === 0)
      return line.fail('upstream_malformed', 'the status is not three digits');
    status = status * 10 + digit - ZERO;
    if (status === 0) return line.fail('upstream_malformed', 'the status is below 100');
  }
  line.status = status;
  at += 4;
  if (at < stop && bytes[at] === SP) at++;
  else if (at < stop && bytes[at] !== CR)
    return line.fail('upstream_malformed', 'the status is not three digits');
  line.reasonStart = at;
  while (at < stop && (CLASS[bytes[at]!]! & VALUE) !== 0) at++;
  line.reasonEnd = at;
  return endOfLine(line, at, stop);
}
