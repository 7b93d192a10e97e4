/**
 * RFC 9651 dictionaries (structured fields): what `x-experiment` and `x-experiment-override` are written in.
 *
 * The whole grammar is checked, as section 4.2 demands: one malformed member and the field is ignored whole.
 * Only tokens and strings are turned into values; every member also keeps its text, so that one we do not
 * understand can be passed on untouched. Never allocates more than one object a member, never backtracks.
 * It is in base because the experiment and the propagation folders both read it and may not import each other.
 */

/** A member of a dictionary. */
export interface DictionaryMember {
  readonly key: string;
  /** The text of a token or a string; null for every other type. */
  readonly value: string | null;
  /** The member as it was received, with its parameters and without the white space around it. */
  readonly raw: string;
}

/** Classes of characters, as bits in `classes`. */
const Char = { keyStart: 1, key: 2, tokenStart: 4, token: 8, digit: 16, base64: 32, visible: 64 } as const;
const classes = new Uint8Array(128);

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const ALPHA = LOWER + LOWER.toUpperCase();
const DIGITS = '0123456789';
classify(`${LOWER}*`, Char.keyStart);
classify(`${LOWER}${DIGITS}_-.*`, Char.key);
classify(`${ALPHA}*`, Char.tokenStart);
classify(`${ALPHA}${DIGITS}!#$%&'*+-.^_\`|~:/`, Char.token);
classify(DIGITS, Char.digit);
classify(`${ALPHA}${DIGITS}+/=`, Char.base64);
for (let code = 0x20; code < 0x7f; code++) classes[code]! |= Char.visible;

const SPACE = 0x20;
const TAB = 0x09;
const QUOTE = 0x22;
const PERCENT = 0x25;
const BACKSLASH = 0x5c;

/**
 * The members in order, a repeated key once with its last value at its first place (RFC 9651 section 4.2.2),
 * or null when the text is not a dictionary. An empty text is an empty dictionary. The fields of several lines
 * are to be joined with a comma first.
 */
export function parseDictionary(text: string): DictionaryMember[] | null {
  const members: DictionaryMember[] = [];
  let at = skipSpaces(text, 0);
  if (at === text.length) return members;
  for (;;) {
    const keyEnd = skip(text, at, Char.keyStart, Char.key);
    if (keyEnd < 0) return null;
    const hasValue = text[keyEnd] === '=';
    const valueEnd = hasValue ? skipItemOrList(text, keyEnd + 1) : keyEnd;
    const end = skipParameters(text, valueEnd);
    if (end < 0) return null;
    const value = hasValue ? readText(text, keyEnd + 1, valueEnd) : null;
    put(members, { key: text.slice(at, keyEnd), value, raw: text.slice(at, end) });
    at = skipWhiteSpace(text, end);
    if (at === text.length) return members;
    if (text[at] !== ',') return null;
    at = skipWhiteSpace(text, at + 1);
  }
}

/** A member `key=value`, the value as a token where it can be one and else as a string; null if neither can be. */
export function serialiseMember(key: string, value: string): string | null {
  if (!isDictionaryKey(key)) return null;
  if (isWhole(value, Char.tokenStart, Char.token)) return `${key}=${value}`;
  if (value !== '' && !isWhole(value, Char.visible, Char.visible)) return null;
  return `${key}="${value.replace(/["\\]/g, '\\$&')}"`;
}

/** Can this be the key of a member? Lower-case letters, digits, `_ - . *`, a letter or `*` first. */
export function isDictionaryKey(text: string): boolean {
  return isWhole(text, Char.keyStart, Char.key);
}

function classify(characters: string, bit: number): void {
  for (const character of characters) classes[character.charCodeAt(0)]! |= bit;
}

function is(text: string, at: number, bit: number): boolean {
  if (at >= text.length) return false; // charCodeAt would give NaN, and the loops below would run on doubles
  const code = text.charCodeAt(at);
  return code < 128 && (classes[code]! & bit) !== 0;
}

function isWhole(text: string, firstBit: number, bit: number): boolean {
  return skip(text, 0, firstBit, bit) === text.length;
}

function put(members: DictionaryMember[], member: DictionaryMember): void {
  for (let i = 0; i < members.length; i++) {
    if (members[i]!.key !== member.key) continue;
    members[i] = member;
    return;
  }
  members.push(member);
}

// Each of the functions below takes the offset where its thing begins and returns the offset behind it, or -1.

/** One character of the first class and any number of the second. */
function skip(text: string, at: number, firstBit: number, bit: number): number {
  if (!is(text, at, firstBit)) return -1;
  let end = at + 1;
  while (is(text, end, bit)) end++;
  return end;
}

function skipSpaces(text: string, at: number): number {
  let end = at;
  while (end < text.length && text.charCodeAt(end) === SPACE) end++;
  return end;
}

function skipWhiteSpace(text: string, at: number): number {
  let end = at;
  while (end < text.length && (text.charCodeAt(end) === SPACE || text.charCodeAt(end) === TAB)) end++;
  return end;
}

function skipItemOrList(text: string, at: number): number {
  return text[at] === '(' ? skipInnerList(text, at + 1) : skipBareItem(text, at);
}

function skipInnerList(text: string, start: number): number {
  let at = skipSpaces(text, start);
  while (text[at] !== ')') {
    at = skipParameters(text, skipBareItem(text, at));
    if (at < 0) return -1;
    if (text[at] !== ' ' && text[at] !== ')') return -1;
    at = skipSpaces(text, at);
  }
  return at + 1;
}

/** Any number of `;key` and `;key=item`; passes a failure before them on. */
function skipParameters(text: string, start: number): number {
  let at = start;
  while (at >= 0 && text[at] === ';') {
    at = skip(text, skipSpaces(text, at + 1), Char.keyStart, Char.key);
    if (at >= 0 && text[at] === '=') at = skipBareItem(text, at + 1);
  }
  return at;
}

function skipBareItem(text: string, at: number): number {
  const first = text[at];
  if (first === '"') return skipString(text, at + 1);
  if (first === ':') return skipByteSequence(text, at + 1);
  if (first === '?') return text[at + 1] === '0' || text[at + 1] === '1' ? at + 2 : -1;
  if (first === '@') return skipDate(text, at + 1);
  if (first === '%') return skipDisplayString(text, at + 1);
  if (first === '-' || is(text, at, Char.digit)) return skipNumber(text, at);
  return skip(text, at, Char.tokenStart, Char.token);
}

function skipString(text: string, start: number): number {
  for (let at = start; is(text, at, Char.visible); at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code !== BACKSLASH) continue;
    at++;
    if (text[at] !== '"' && text[at] !== '\\') return -1;
  }
  return -1;
}

/** At most 15 digits, or at most 12 before and 3 behind a point (section 4.2.4). */
function skipNumber(text: string, start: number): number {
  const from = text[start] === '-' ? start + 1 : start;
  const point = skip(text, from, Char.digit, Char.digit);
  if (text[point] !== '.') return point - from <= 15 ? point : -1;
  const end = skip(text, point + 1, Char.digit, Char.digit);
  return point - from <= 12 && end - point - 1 <= 3 ? end : -1;
}

function skipDate(text: string, at: number): number {
  const end = text[at] === '-' || is(text, at, Char.digit) ? skipNumber(text, at) : -1;
  return end < 0 || text.slice(at, end).includes('.') ? -1 : end;
}

function skipByteSequence(text: string, start: number): number {
  let at = start;
  while (is(text, at, Char.base64)) at++;
  const isPadded = /^[^=]*={0,2}$/.test(text.slice(start, at));
  return text[at] === ':' && isPadded ? at + 1 : -1;
}

/** `%"..."`: printable ASCII with UTF-8 in lower-case percent-encoding (section 4.2.10). */
function skipDisplayString(text: string, start: number): number {
  if (text[start] !== '"') return -1;
  for (let at = start + 1; is(text, at, Char.visible); at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return isUtf8(text.slice(start + 1, at)) ? at + 1 : -1;
    if (code === PERCENT && !/^[0-9a-f]{2}$/.test(text.slice(at + 1, at + 3))) return -1;
  }
  return -1;
}

function isUtf8(percentEncoded: string): boolean {
  try {
    decodeURIComponent(percentEncoded);
    return true;
  } catch {
    return false;
  }
}

/** The value of the token or string at [start, end), which is known to be well-formed; null for other types. */
function readText(text: string, start: number, end: number): string | null {
  if (is(text, start, Char.tokenStart)) return text.slice(start, end);
  if (text[start] !== '"') return null;
  const inner = text.slice(start + 1, end - 1);
  return inner.includes('\\') ? inner.replace(/\\(.)/g, '$1') : inner;
}
