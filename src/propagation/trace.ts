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
  if (value.length < LENGTH) return false;
  const hasDashes = value[TRACE_ID - 1] === '-' && value[PARENT_ID - 1] === '-' && value[FLAGS - 1] === '-';
  if (!hasDashes || !isHex(value, 0, TRACE_ID - 1) || !isHex(value, FLAGS, LENGTH)) return false;
  if (!isId(value, TRACE_ID, PARENT_ID - 1) || !isId(value, PARENT_ID, FLAGS - 1)) return false;
  if (value.startsWith('ff')) return false;
  if (value.length === LENGTH) return true;
  return !value.startsWith('00') && value[LENGTH] === '-' && !value.includes(',', LENGTH);
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

/** Lower-case hex that is not all zeroes. */
function isId(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    if (text.charCodeAt(at) !== 0x30) return isHex(text, at, end);
  }
  return false;
}

function isHex(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    const isDigit = code >= 0x30 && code <= 0x39;
    const isLetter = code >= 0x61 && code <= 0x66;
    if (!isDigit && !isLetter) return false;
  }
  return true;
}
