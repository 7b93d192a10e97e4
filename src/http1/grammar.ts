/**
 * The bytes of HTTP/1.1: which byte may stand where, as one table of classes, and the few rules that are shared by
 * requests, responses and trailers. Works on byte ranges in place; never allocates and never reads outside the
 * range it is given.
 *
 * RFC 9110 section 5.6.2 (token), 5.5 (field values), RFC 9112 section 3.2 (targets, Host), RFC 3986 section 3.2
 * (authority).
 */

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COMMA = 0x2c;
export const SLASH = 0x2f;
export const ZERO = 0x30;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const QUESTION = 0x3f;
const PERCENT = 0x25;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** `tchar`: field names, methods, list members. */
export const TOKEN = 1;
/** `VCHAR` without `#`: a request target never holds a fragment, a control, a space or a byte above 0x7e. */
export const TARGET = 2;
/** HTAB, SP, VCHAR, obs-text: field values and reason phrases. */
export const VALUE = 4;
export const HEX = 8;
export const DIGIT = 16;
/** `reg-name` without `%` and without the comma, which is how two Host fields look when something joined them. */
export const REG_NAME = 32;
/** What stands between the brackets of an IPv6 address. */
const IPV6 = 64;

/** The classes of each byte, as a set of the bits above. */
export const CLASS: Uint8Array = classTable();

/** Each byte with A-Z made a-z. */
export const LOWER: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte,
);

/** The value of a hex digit; 0 for what is none (look at HEX first). */
export const HEX_VALUE: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const text = String.fromCharCode(byte);
  return /[0-9a-f]/i.test(text) ? Number.parseInt(text, 16) : 0;
});

function classTable(): Uint8Array {
  const table = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) {
    const text = String.fromCharCode(byte);
    if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(text)) table[byte]! |= TOKEN;
    if (byte >= 0x21 && byte <= 0x7e && text !== '#') table[byte]! |= TARGET;
    if (byte === HTAB || (byte >= 0x20 && byte !== 0x7f)) table[byte]! |= VALUE;
    if (/[0-9A-Fa-f]/.test(text)) table[byte]! |= HEX;
    if (/[0-9]/.test(text)) table[byte]! |= DIGIT;
    if (/[A-Za-z0-9\-._~!$&'()*+;=]/.test(text)) table[byte]! |= REG_NAME;
    if (/[0-9A-Fa-f:.]/.test(text)) table[byte]! |= IPV6;
  }
  return table;
}

/** The bytes of an ASCII word, for comparing in place. */
export function ascii(word: string): Uint8Array {
  return Uint8Array.from(word, (character) => character.charCodeAt(0));
}

/** Whether bytes[start, end) is exactly `word`. */
export function isExactly(bytes: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  if (end - start !== word.length) return false;
  for (let i = 0; i < word.length; i++) if (bytes[start + i] !== word[i]) return false;
  return true;
}

/** Whether bytes[start, end) is `word`, which is lower case, in any case. */
export function isWord(bytes: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  if (end - start !== word.length) return false;
  for (let i = 0; i < word.length; i++) if (LOWER[bytes[start + i]!] !== word[i]) return false;
  return true;
}

/**
 * A lower-case word of four bytes or more as `isWordByFours` wants it: for each four of its bytes, the last four once more,
 * what makes capitals small there, which is 0x20 where it has a letter, and the bytes themselves.
 */
export function fours(word: Uint8Array): Int32Array {
  const small = word.map((byte) => (byte >= 0x61 && byte <= 0x7a ? 0x20 : 0));
  const at = (bytes: Uint8Array, i: number): number =>
    new DataView(bytes.buffer, bytes.byteOffset).getInt32(Math.min(4 * i, word.length - 4), true);
  const count = Math.ceil(word.length / 4);
  return Int32Array.from({ length: 2 * count }, (_, i) => at(i % 2 === 0 ? small : word, i >> 1));
}

/** Whether as many bytes as the word has, from `start` to `end`, are the word that `word` is made from, in any case. */
export function isWordByFours(view: DataView, start: number, end: number, word: Int32Array): boolean {
  const last = word.length - 2;
  for (let i = 0, at = start; i < last; i += 2, at += 4)
    if ((view.getInt32(at, true) | word[i]!) !== word[i + 1]) return false;
  return (view.getInt32(end - 4, true) | word[last]!) === word[last + 1];
}

/**
 * The offset of the first byte from `start` on that cannot be in a field value, or `stop`. Four bytes at a time, of which
 * any below 0x20 or equal to 0x7f leaves a high bit (Anderson, Bit Twiddling Hacks, "hasless" and "haszero"); those four
 * are then looked at one by one, since a tab is allowed.
 */
export function endOfValue(bytes: Uint8Array, view: DataView, start: number, stop: number): number {
  let at = start;
  while (at < stop) {
    while (at + 3 < stop) {
      const four = view.getInt32(at, true);
      const del = four ^ 0x7f7f_7f7f;
      if ((((four - 0x2020_2020) & ~four) | ((del - 0x0101_0101) & ~del)) & 0x8080_8080) break;
      at += 4;
    }
    // The four with the end in it, or with a tab, or the last.
    const next = Math.min(stop, at + 4);
    while (at < next && (CLASS[bytes[at]!]! & VALUE) !== 0) at++;
    if (at < next) return at;
  }
  return at;
}

/** The same for a string; only for names that the configuration chose. */
export function isText(bytes: Uint8Array, start: number, end: number, lower: string): boolean {
  if (end - start !== lower.length) return false;
  for (let i = 0; i < lower.length; i++) if (LOWER[bytes[start + i]!] !== lower.charCodeAt(i)) return false;
  return true;
}

export function isSpace(byte: number): boolean {
  return byte === SP || byte === HTAB;
}

/** Whether bytes[start, end) is a token. */
export function isToken(bytes: Uint8Array, start: number, end: number): boolean {
  if (start >= end) return false;
  for (let i = start; i < end; i++) if ((CLASS[bytes[i]!]! & TOKEN) === 0) return false;
  return true;
}

/**
 * Whether bytes[start, end) is `host [":" port]`: a registered name, an IPv4 address or a bracketed IPv6 address,
 * not empty, without user information, the port empty or at most 65535.
 */
export function isAuthority(bytes: Uint8Array, start: number, end: number): boolean {
  if (start >= end) return false;
  const hostEnd = bytes[start] === OPEN_BRACKET ? ipv6End(bytes, start, end) : nameEnd(bytes, start, end);
  if (hostEnd <= start) return false;
  if (hostEnd === end) return true;
  return bytes[hostEnd] === COLON && isPort(bytes, hostEnd + 1, end);
}

/** The offset after `]`, or -1. */
function ipv6End(bytes: Uint8Array, start: number, end: number): number {
  let at = start + 1;
  let colons = 0;
  while (at < end && (CLASS[bytes[at]!]! & IPV6) !== 0) {
    if (bytes[at] === COLON) colons++;
    at++;
  }
  return at < end && bytes[at] === CLOSE_BRACKET && colons >= 2 ? at + 1 : -1;
}

function nameEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end) {
    if ((CLASS[bytes[at]!]! & REG_NAME) !== 0) at++;
    else if (bytes[at] === PERCENT && at + 2 < end && isHexPair(bytes, at + 1)) at += 3;
    else break;
  }
  return at;
}

function isHexPair(bytes: Uint8Array, at: number): boolean {
  return (CLASS[bytes[at]!]! & CLASS[bytes[at + 1]!]! & HEX) !== 0;
}

/** `port` is `*DIGIT` (RFC 3986 section 3.2.3), so an empty one is valid. */
function isPort(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > 5) return false;
  let port = 0;
  for (let i = start; i < end; i++) {
    if ((CLASS[bytes[i]!]! & DIGIT) === 0) return false;
    port = port * 10 + bytes[i]! - ZERO;
  }
  return port <= 65535;
}

/** The offset after the last byte of bytes[start, end) that is no space. */
export function trimEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && isSpace(bytes[at - 1]!)) at--;
  return at;
}
