/**
 * An `x-request-id` and a `traceparent` for requests that come without, as the lines to add. Made by the block, as one
 * flat string that they are parts of: put together one by one they cost a request ten strings.
 */
import type { Random } from '../base/clock.ts';

const BLOCK = 128;
/**
 * `0` stands for a digit. The sampled flag is off: it says that the sender has recorded the request, and we have not.
 */
const LINES = `x-request-id: ${'0'.repeat(32)}\r\ntraceparent: 00-${'0'.repeat(32)}-${'0'.repeat(16)}-00\r\n`;
const REQUEST_ID = 14;
const TRACE_LINE = LINES.indexOf('traceparent');
const TRACEPARENT = TRACE_LINE + 13;
const TRACE_ID = TRACEPARENT + 3;
const PARENT_ID = TRACE_ID + 33;
const LINE_END = 2;
/** Of a request id, a trace id and a parent id. */
const ID_BYTES = 16 + 16 + 8;
const ZERO = 0x30;

/** The request id in `lines`. */
export function requestIdIn(lines: string): string {
  return lines.slice(REQUEST_ID, TRACE_LINE - LINE_END);
}

/** The traceparent in `lines`. */
export function traceparentIn(lines: string): string {
  return lines.slice(TRACEPARENT, LINES.length - LINE_END);
}

export class FreshIds {
  readonly #random: Random;
  readonly #bytes = Buffer.from(LINES.repeat(BLOCK), 'latin1');
  #text = '';
  /** Of the present pair. */
  #at: number;

  constructor(random: Random) {
    this.#random = random;
    this.#at = this.#bytes.length;
  }

  /** Goes on to a new pair. */
  advance(): void {
    this.#at += LINES.length;
    if (this.#at >= this.#bytes.length) this.#fill();
  }

  /** Both lines, each with its CRLF. */
  get lines(): string {
    return this.#part(0, LINES.length);
  }

  get requestIdLine(): string {
    return this.#part(0, TRACE_LINE);
  }

  get traceparentLine(): string {
    return this.#part(TRACE_LINE, LINES.length);
  }

  #part(start: number, end: number): string {
    return this.#text.slice(this.#at + start, this.#at + end);
  }

  #fill(): void {
    // Bytes, since reading the parts of a string digit by digit takes longer than all else here.
    const digits = Buffer.from(this.#random.hex(BLOCK * ID_BYTES), 'latin1');
    for (let from = 0, at = 0; at < this.#bytes.length; from += ID_BYTES * 2, at += LINES.length) {
      this.#put(digits, from, 32, at + REQUEST_ID);
      this.#put(digits, from + 32, 32, at + TRACE_ID);
      this.#put(digits, from + 64, 16, at + PARENT_ID);
    }
    this.#text = this.#bytes.latin1Slice();
    this.#at = 0;
  }

  /** An id of zeros only is none (W3C Trace Context section 3.2.2.3), so there is always another digit. */
  #put(digits: Buffer, from: number, length: number, at: number): void {
    const bytes = this.#bytes;
    let seen = 0;
    for (let i = 0; i < length; i++) {
      const digit = digits[from + i]!;
      seen |= digit ^ ZERO;
      bytes[at + i] = digit;
    }
    if (seen === 0) bytes[at] = ZERO + 1;
  }
}
