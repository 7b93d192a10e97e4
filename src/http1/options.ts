/**
 * The members of a Connection field: `close`, `keep-alive`, `upgrade`, and names of fields that are for this hop
 * only. Reads a value in place; decides nothing.
 *
 * RFC 9110 section 7.6.1. A member that is not a token names nothing and is passed over: the whole field is removed
 * on the way through, so nobody behind this proxy can read it differently.
 */
import { ascii, COMMA, isSpace, isToken, isWord, LOWER, trimEnd } from './grammar.ts';

/** What Connection fields can say; `Head` is the one implementation. */
export interface ConnectionOptions {
  isClose: boolean;
  isKeepAlive: boolean;
  isUpgrade: boolean;
  /** Anything but close, keep-alive, upgrade and te, which is removed at every hop anyway. */
  hasOtherOptions: boolean;
}

const CLOSE = ascii('close');
const KEEP_ALIVE = ascii('keep-alive');
const UPGRADE = ascii('upgrade');
const TE = ascii('te');

/** Adds the options of the value bytes[start, end) to `options`. */
export function readOptions(options: ConnectionOptions, bytes: Uint8Array, start: number, end: number): void {
  for (let at = startOfMember(bytes, start, end); at < end; ) {
    const memberEnd = endOfMember(bytes, at, end);
    const wordEnd = trimEnd(bytes, at, memberEnd);
    if (isWord(bytes, at, wordEnd, KEEP_ALIVE)) options.isKeepAlive = true;
    else if (isWord(bytes, at, wordEnd, CLOSE)) options.isClose = true;
    else if (isWord(bytes, at, wordEnd, UPGRADE)) options.isUpgrade = true;
    else if (isToken(bytes, at, wordEnd) && !isWord(bytes, at, wordEnd, TE)) options.hasOtherOptions = true;
    at = startOfMember(bytes, memberEnd + 1, end);
  }
}

/** Whether the value bytes[start, end) has a member equal to bytes[nameStart, nameEnd), in any case. */
export function hasOption(
  bytes: Uint8Array,
  start: number,
  end: number,
  nameStart: number,
  nameEnd: number,
): boolean {
  for (let at = startOfMember(bytes, start, end); at < end; ) {
    const memberEnd = endOfMember(bytes, at, end);
    if (isSameWord(bytes, at, trimEnd(bytes, at, memberEnd), nameStart, nameEnd)) return true;
    at = startOfMember(bytes, memberEnd + 1, end);
  }
  return false;
}

function startOfMember(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && isSpace(bytes[at]!)) at++;
  return at;
}

/** Offset of the comma that ends the list member, or `end`. */
function endOfMember(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== COMMA) at++;
  return at;
}

function isSameWord(
  bytes: Uint8Array,
  start: number,
  end: number,
  otherStart: number,
  otherEnd: number,
): boolean {
  if (end - start !== otherEnd - otherStart) return false;
  for (let i = start, k = otherStart; i < end; i++, k++)
    if (LOWER[bytes[i]!] !== LOWER[bytes[k]!]) return false;
  return true;
}
