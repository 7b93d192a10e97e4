/**
 * W3C Trace Context, as far as a proxy needs it that takes no part in the trace: are the fields ones that can be
 * passed on; `fresh-ids.ts` makes one for a request that came without. https://www.w3.org/TR/trace-context-2/
 * Never changes a valid field: the ids, the sampling decision and the state are the callers'.
 */
/** `VV-TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT-PPPPPPPPPPPPPPPP-FF`: where each part begins. */
const TRACE_ID = 3;
const PARENT_ID = 36;
const FLAGS = 53;
const LENGTH = 55;

/**
 * Is this one valid `traceparent`? Lower-case hex, ids not all zero, version not ff; version 00 has nothing
 * behind the flags, a higher one may have more behind a dash. Two fields joined by a comma are invalid.
 * Read by offset: every request comes through here, and the same as a regular expression costs three times as much.
 */
export function isTraceparent(value: string): boolean {
  return hasForm(value) && hexBits(value, TRACE_ID, PARENT_ID - 1) > 0;
}

/** Reads the trace id as four numbers of 32 bits; false: this is no valid `traceparent`. */
export function readTraceId(value: string, words: Uint32Array): boolean {
  if (!hasForm(value)) return false;
  let seen = 0;
  for (let word = 0; word < 4; word++) {
    let bits = 0;
    for (let at = TRACE_ID + 8 * word, end = at + 8; at < end; at++) {
      const digit = HEX[value.charCodeAt(at)] ?? NO_DIGIT;
      seen |= digit;
      bits = (bits << 4) | digit;
    }
    words[word] = bits;
  }
  return seen > 0 && seen < NO_DIGIT;
}

/** Everything but the trace id is as it has to be. */
function hasForm(value: string): boolean {
  if (value.length < LENGTH) return false;
  const hasDashes =
    value.charCodeAt(TRACE_ID - 1) === DASH &&
    value.charCodeAt(PARENT_ID - 1) === DASH &&
    value.charCodeAt(FLAGS - 1) === DASH;
  if (!hasDashes || hexBits(value, 0, TRACE_ID - 1) < 0 || hexBits(value, FLAGS, LENGTH) < 0) return false;
  if (hexBits(value, PARENT_ID, FLAGS - 1) <= 0 || value.startsWith('ff')) return false;
  if (value.length === LENGTH) return true;
  return !value.startsWith('00') && value.charCodeAt(LENGTH) === DASH && !value.includes(',', LENGTH);
}

const DASH = 0x2d;
const NO_DIGIT = 0x80;
/** The value of each lower-case hex digit. */
const HEX = new Uint8Array(256).fill(NO_DIGIT);
for (let digit = 0; digit < 16; digit++) HEX[digit.toString(16).charCodeAt(0)] = digit;

/** The bits of all digits, put together: 0 when they are all zeroes; -1 when one of them is no lower-case hex. */
function hexBits(text: string, start: number, end: number): number {
  let seen = 0;
  for (let at = start; at < end; at++) seen |= HEX[text.charCodeAt(at)] ?? NO_DIGIT;
  return seen < NO_DIGIT ? seen : -1;
}

/** List-members of a `tracestate`; empty ones do not count. */
const STATE_MEMBERS_MAX = 32;
/** Key and value of a list-member, without the white space around it. */
const STATE_MEMBER = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[ -+\--<>-~]{0,255}[!-+\--<>-~]$/;

/**
 * Is this a valid `tracestate`, its lines joined by commas? What cannot be parsed must not be passed on (section 3.3.1.1).
 * Keys that come twice may be, and are.
 */
export function isTracestate(value: string): boolean {
  let count = 0;
  for (let start = 0; start <= value.length; ) {
    const comma = value.indexOf(',', start);
    const end = comma < 0 ? value.length : comma;
    const member = withoutSpaces(value, start, end);
    if (member !== '' && (++count > STATE_MEMBERS_MAX || !STATE_MEMBER.test(member))) return false;
    start = end + 1;
  }
  return true;
}

/** Without the spaces and tabs at both ends; `trim` takes more. */
function withoutSpaces(text: string, start: number, end: number): string {
  let from = start;
  let to = end;
  while (from < to && isSpace(text.charCodeAt(from))) from++;
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** The trace id of a valid `traceparent`, 32 hex digits; null for any other text. */
export function traceIdOf(value: string): string | null {
  return isTraceparent(value) ? value.slice(TRACE_ID, PARENT_ID - 1) : null;
}
