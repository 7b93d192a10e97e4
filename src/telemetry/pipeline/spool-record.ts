/**
 * A record of the spool: a line of its CRC-32 in hex, a space, and the event as JSON. Text, so that it can be read with
 * any tool, and so that one broken byte costs one record: the next line feed is where the next one begins. Pure.
 */
import { crc32 } from 'node:zlib';

const DIGITS = 8;
const LINE_FEED = 0x0a;
const SPACE = 0x20;

/** The record of an event, which is given as a line: JSON with its line feed. */
export function sealed(line: string): string {
  return `${crc32(line.slice(0, -1)).toString(16).padStart(DIGITS, '0')} ${line}`;
}

export interface Records {
  /** What was read, in order. They share the memory of the chunk. */
  readonly events: readonly Buffer[];
  /** How much of the chunk they are, with the broken lines among them; what follows was not looked at. */
  readonly bytes: number;
  /** Lines that are not what was written. */
  readonly broken: number;
}

export interface RecordLimits {
  readonly eventsMax: number;
  /** Not more than this, unless the first is longer. */
  readonly bytesMax: number;
}

/** The whole lines at the beginning of `chunk`. */
export function readRecords(chunk: Buffer, { eventsMax, bytesMax }: RecordLimits): Records {
  const events: Buffer[] = [];
  let broken = 0;
  let at = 0;
  for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, at)) {
    if (events.length === eventsMax || (events.length > 0 && end > bytesMax)) break;
    const event = opened(chunk.subarray(at, end));
    if (event === null) broken++;
    else events.push(event);
    at = end + 1;
  }
  return { events, bytes: at, broken };
}

/** How many lines there are. */
export function countLines(chunk: Buffer): number {
  let lines = 0;
  for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, at + 1)) lines++;
  return lines;
}

/** The event of a line without its line feed; null: it is not what was written. */
function opened(line: Buffer): Buffer | null {
  if (line.length <= DIGITS || line[DIGITS] !== SPACE) return null;
  const event = line.subarray(DIGITS + 1);
  return Number.parseInt(line.latin1Slice(0, DIGITS), 16) === crc32(event) ? event : null;
}
