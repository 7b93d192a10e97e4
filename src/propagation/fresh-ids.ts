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

  get requestId(): string {
    return this.#part(REQUEST_ID, TRACE_LINE - LINE_END);
  }

  get traceparent(): string {
    return this.#part(TRACEPARENT, LINES.length - LINE_END);
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
    for (let at = 0; at < this.#bytes.length; at += LINES.length) {
      this.#put(this.#random.hex(16), at + REQUEST_ID);
      this.#put(this.#random.hex(16), at + TRACE_ID);
      this.#put(this.#random.hex(8), at + PARENT_ID);
    }
    this.#text = this.#bytes.latin1Slice();
    this.#at = 0;
  }

  #put(digits: string, at: number): void {
    for (let i = 0; i < digits.length; i++) this.#bytes[at + i] = digits.charCodeAt(i);
  }
}
