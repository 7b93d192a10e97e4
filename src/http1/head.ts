/**
 * A message head: one validating pass over the bytes, which leaves numbers behind. A head that is not valid
 * HTTP/1.1 is refused with a code and never repaired; an incomplete head is judged as far as it goes, so the outcome
 * is the same however the bytes were cut on their way here.
 *
 * Nothing is allocated per parse (an unknown method is the exception), nothing is copied, and no byte outside
 * [start, end) is read: behind `end` a shared buffer still holds another client's data.
 *
 * RFC 9112 sections 2 to 5; docs/wire.md lists what is passed or refused on purpose.
 */
import type { ErrorCode } from '../base/error.ts';
import { Field, IS_END_TO_END, recognise } from './field.ts';
import {
  ascii,
  CLASS,
  COLON,
  CR,
  endOfValue,
  isAuthority,
  isSpace,
  isText,
  isWord,
  LF,
  TOKEN,
  trimEnd,
} from './grammar.ts';
import { isCountingForwards, readMaxForwards } from './max-forwards.ts';
import { hasOption, readOptions } from './options.ts';
import { parseRequestLine, parseStatusLine } from './start-line.ts';

/** All inclusive: a head of exactly `headMaxBytes` is taken. A leading empty line is not counted. */
export interface HeadLimits {
  readonly headMaxBytes: number;
  readonly targetMaxBytes: number;
  readonly fieldsMax: number;
}

/** Most heads have fewer fields; the arrays double when one has more, up to `fieldsMax`. */
const INITIAL_FIELDS = 32;
/** nameStart, nameEnd, valueStart, valueEnd, lineEnd as 32-bit numbers. */
const BYTES_A_FIELD = 20;

/** Beside those in `IS_END_TO_END`: what the hop before us says of the client, and what says how to read a body. */
const END_TO_END_NAMES: readonly Uint8Array[] = ['authorization', 'forwarded', 'x-real-ip'].map(ascii);
const END_TO_END_PREFIXES: readonly Uint8Array[] = ['content-', 'x-forwarded-'].map(ascii);

const NO_BYTES: Buffer = Buffer.alloc(0);

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * One parsed head; a connection keeps one and parses into it again and again. Everything is valid only after a
 * parse function answered a number above 0, and only while the bytes it was parsed from are unchanged.
 */
export class Head {
  bytes: Buffer = NO_BYTES;
  /** Of the same bytes. */
  view = viewOf(NO_BYTES);
  /** The head is bytes[start, end); `end` is after the empty line. */
  start = 0;
  end = 0;
  /** Offset of the first field line, or of the empty line when there is none. */
  fieldsStart = 0;
  /** How many fields. Line i is bytes[nameStart[i], lineEnd[i]) with its CRLF; the value is without spaces around it. */
  count = 0;
  nameStart!: Int32Array;
  nameEnd!: Int32Array;
  valueStart!: Int32Array;
  valueEnd!: Int32Array;
  lineEnd!: Int32Array;
  /** `Field` number of each name. */
  id!: Uint8Array;

  method = '';
  targetStart = 0;
  targetEnd = 0;
  versionMinor: 0 | 1 = 1;
  targetForm: 'origin' | 'absolute' | 'asterisk' = 'origin';
  /** The path without the query; empty (and to be read as "/") for an absolute-form without one. */
  pathStart = 0;
  pathEnd = 0;
  /** First byte after the `?`; -1 when there is no query. */
  queryStart = -1;
  /** Only for the absolute-form. */
  authorityStart = 0;
  authorityEnd = 0;

  /** How many proxies a TRACE or OPTIONS may still pass, this one included; -1: any number. */
  maxForwards = -1;

  status = 0;
  reasonStart = 0;
  reasonEnd = 0;

  /** What the Connection fields say. `hasOtherOptions`: anything but close, keep-alive, upgrade, te. */
  isClose = false;
  isKeepAlive = false;
  isUpgrade = false;
  hasOtherOptions = false;

  /** Why the parse function answered -1; the detail is a sentence that never holds a value. */
  failure: ErrorCode = 'request_malformed';
  failureDetail = '';

  /** Bit n: a field with id n is there. */
  seen = 0;
  /** Bit n: there is more than one. */
  repeated = 0;
  readonly #firstIndex = new Int32Array(32);
  #text: string | null = null;

  constructor() {
    this.grow(INITIAL_FIELDS);
  }

  /** Index of the first field with that `Field` number, or -1. Not for `Field.other`. */
  first(id: number): number {
    return (this.seen & (1 << id)) === 0 ? -1 : this.#firstIndex[id]!;
  }

  /** The value of field i, as latin1. */
  value(i: number): string {
    return this.text(this.valueStart[i]!, this.valueEnd[i]!);
  }

  /** bytes[start, end), a part of the head, as latin1. */
  text(start: number, end: number): string {
    // Nearly every head is forwarded, so all of it is needed once: parts of a string cost no call into the runtime.
    this.#text ??= this.bytes.latin1Slice(this.start, this.end);
    return this.#text.slice(start - this.start, end - this.start);
  }

  /** Whether field i has this name, given in lower case. */
  isNamed(i: number, lowerName: string): boolean {
    return isText(this.bytes, this.nameStart[i]!, this.nameEnd[i]!, lowerName);
  }

  /** The values of all fields with this name, given in lower case, joined with ", "; null when there is none. */
  header(lowerName: string): string | null {
    let text: string | null = null;
    for (let i = 0; i < this.count; i++) {
      if (!this.isNamed(i, lowerName)) continue;
      text = text === null ? this.value(i) : `${text}, ${this.value(i)}`;
    }
    return text;
  }

  /** The authority to route by, lower case, with its port: the absolute-form's wins over Host. */
  host(): string | null {
    if (this.targetForm === 'absolute')
      return this.text(this.authorityStart, this.authorityEnd).toLowerCase();
    const i = this.first(Field.host);
    return i < 0 ? null : this.value(i).toLowerCase();
  }

  /**
   * Whether a Connection field names field i, which is then for this hop only (RFC 9110 section 7.6.1). Never true
   * for fields that are for every recipient, nor for `protectedNames` (lower case).
   */
  isConnectionOption(i: number, protectedNames?: readonly string[]): boolean {
    const start = this.nameStart[i]!;
    const end = this.nameEnd[i]!;
    if (IS_END_TO_END[this.id[i]!] === 1 || isEndToEndName(this.bytes, start, end)) return false;
    if (protectedNames?.some((name) => isText(this.bytes, start, end, name))) return false;
    for (let c = this.first(Field.connection); c >= 0 && c < this.count; c++) {
      if (
        this.id[c] === Field.connection &&
        hasOption(this.bytes, this.valueStart[c]!, this.valueEnd[c]!, start, end)
      )
        return true;
    }
    return false;
  }

  /** Forgets the previous head. For the parse functions. */
  reset(bytes: Buffer): void {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.view = viewOf(bytes);
    }
    this.#text = null;
    this.count = 0;
    this.seen = 0;
    this.repeated = 0;
    this.method = '';
    this.status = 0;
    this.queryStart = -1;
    this.maxForwards = -1;
    this.isClose = false;
    this.isKeepAlive = false;
    this.isUpgrade = false;
    this.hasOtherOptions = false;
  }

  /** Notes that field i has this id. For the parse functions. */
  note(i: number, id: number): void {
    const bit = 1 << id;
    if ((this.seen & bit) !== 0) this.repeated |= bit;
    else {
      this.seen |= bit;
      this.#firstIndex[id] = i;
    }
  }

  /** Refuses the head. For the parse functions: answers -1. */
  fail(code: ErrorCode, detail: string): -1 {
    this.failure = code;
    this.failureDetail = detail;
    return -1;
  }

  /** Makes room for `capacity` fields and keeps what is there. For the parse functions. */
  grow(capacity: number): void {
    const before =
      this.count === 0 ? null : [this.nameStart, this.nameEnd, this.valueStart, this.valueEnd, this.lineEnd];
    const ids = this.id;
    const memory = new ArrayBuffer(capacity * (BYTES_A_FIELD + 1));
    const part = (n: number) => new Int32Array(memory, n * capacity * 4, capacity);
    this.nameStart = part(0);
    this.nameEnd = part(1);
    this.valueStart = part(2);
    this.valueEnd = part(3);
    this.lineEnd = part(4);
    this.id = new Uint8Array(memory, capacity * BYTES_A_FIELD, capacity);
    if (before === null) return;
    for (const [n, old] of before.entries()) part(n).set(old);
    this.id.set(ids);
  }
}

/**
 * Parses a request head from bytes[start, end).
 * @returns Above 0: the offset after the head. 0: incomplete so far. -1: refused, see `head.failure`.
 *   At most one empty line before the request line is skipped (RFC 9112 section 2.2).
 */
export function parseRequestHead(
  head: Head,
  bytes: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
): number {
  head.reset(bytes);
  let at = start;
  if (at < end && bytes[at] === CR) {
    if (at + 1 === end) return 0;
    if (bytes[at + 1] !== LF) return head.fail('request_malformed', 'a carriage return without a line feed');
    at += 2;
  }
  head.start = at;
  const stop = Math.min(end, at + limits.headMaxBytes);
  let result = parseRequestLine(head, at, stop, limits.targetMaxBytes);
  if (result > 0) result = parseFields(head, result, stop, limits.fieldsMax);
  if (result > 0) result = checkHost(head, result);
  if (result > 0 && head.first(Field.maxForwards) >= 0) result = checkMaxForwards(head, result);
  if (result === 0 && end - at >= limits.headMaxBytes)
    return head.fail('head_too_large', 'the head is longer than headMaxBytes');
  return result;
}

/** The same for a response head, without the empty line; `head.failure` is always `upstream_malformed`. */
export function parseResponseHead(
  head: Head,
  bytes: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
): number {
  head.reset(bytes);
  head.start = start;
  const stop = Math.min(end, start + limits.headMaxBytes);
  let result = parseStatusLine(head, start, stop);
  if (result > 0) result = parseFields(head, result, stop, limits.fieldsMax);
  if (result === 0 && end - start >= limits.headMaxBytes)
    head.fail('upstream_malformed', 'the head is longer than headMaxBytes');
  else if (result >= 0) return result;
  head.failure = 'upstream_malformed';
  return -1;
}

/** Field lines up to and with the empty line. */
function parseFields(head: Head, start: number, stop: number, fieldsMax: number): number {
  const { bytes, view } = head;
  let at = start;
  head.fieldsStart = start;
  for (let i = 0; at < stop; i++) {
    const nameStart = at;
    while (at < stop && (CLASS[bytes[at]!]! & TOKEN) !== 0) at++;
    if (at === nameStart) return endOfFields(head, at, stop);
    if (i >= fieldsMax) return head.fail('head_too_large', 'the head has more fields than fieldsMax');
    if (at === stop) return 0;
    if (bytes[at] !== COLON)
      return head.fail('request_malformed', 'a field name is not a token followed by a colon');
    const nameEnd = at++;
    while (at < stop && isSpace(bytes[at]!)) at++;
    const valueStart = at;
    at = endOfValue(bytes, view, at, stop);
    if (at === stop) return 0;
    if (bytes[at] !== CR)
      return head.fail('request_malformed', 'a field value holds a control character or a bare line feed');
    if (at + 1 === stop) return 0;
    if (bytes[at + 1] !== LF) return head.fail('request_malformed', 'a carriage return without a line feed');
    if (i === head.id.length) head.grow(i * 2);
    const valueEnd = trimEnd(bytes, valueStart, at);
    at += 2;
    const id = recognise(bytes, view, nameStart, nameEnd);
    head.nameStart[i] = nameStart;
    head.nameEnd[i] = nameEnd;
    head.valueStart[i] = valueStart;
    head.valueEnd[i] = valueEnd;
    head.lineEnd[i] = at;
    head.id[i] = id;
    head.count = i + 1;
    if (id === Field.other) continue;
    head.note(i, id);
    if (id === Field.connection) readOptions(head, bytes, valueStart, valueEnd);
  }
  return 0;
}

function isEndToEndName(bytes: Buffer, start: number, end: number): boolean {
  for (const name of END_TO_END_NAMES) if (isWord(bytes, start, end, name)) return true;
  for (const prefix of END_TO_END_PREFIXES) {
    const prefixEnd = start + prefix.length;
    if (prefixEnd <= end && isWord(bytes, start, prefixEnd, prefix)) return true;
  }
  return false;
}

/** `at` is where a field name should begin and does not: only CRLF may stand there. */
function endOfFields(head: Head, at: number, stop: number): number {
  const byte = head.bytes[at]!;
  if (byte !== CR) {
    return head.fail(
      'request_malformed',
      isSpace(byte) ? 'a field line begins with a space (obsolete folding)' : 'a field has no valid name',
    );
  }
  if (at + 1 === stop) return 0;
  if (head.bytes[at + 1] !== LF)
    return head.fail('request_malformed', 'a carriage return without a line feed');
  head.end = at + 2;
  return head.end;
}

/** Exactly one valid Host in HTTP/1.1, at most one in HTTP/1.0 (RFC 9112 section 3.2). */
function checkHost(head: Head, result: number): number {
  const i = head.first(Field.host);
  if (i < 0)
    return head.versionMinor === 0 ? result : head.fail('host_invalid', 'an HTTP/1.1 request has no Host');
  if ((head.repeated & (1 << Field.host)) !== 0)
    return head.fail('host_invalid', 'there is more than one Host');
  return isAuthority(head.bytes, head.valueStart[i]!, head.valueEnd[i]!)
    ? result
    : head.fail('host_invalid', 'Host is not host[:port]');
}

/** A TRACE or OPTIONS that may pass nobody any more is for us, and we have nothing to say to it. */
function checkMaxForwards(head: Head, result: number): number {
  if (!isCountingForwards(head.method)) return result;
  if ((head.repeated & (1 << Field.maxForwards)) !== 0)
    return head.fail('request_malformed', 'there is more than one Max-Forwards');
  const i = head.first(Field.maxForwards);
  head.maxForwards = readMaxForwards(head.bytes, head.valueStart[i]!, head.valueEnd[i]!);
  if (head.maxForwards < 0) return head.fail('request_malformed', 'Max-Forwards is not a number of digits');
  if (head.maxForwards === 0)
    return head.fail('method_unsupported', 'Max-Forwards is 0, and this proxy is no end for the method');
  return result;
}
