/**
 * A set of hashed ids in little memory: the first 64 bits of each hash, 8 bytes an id, sorted. Pure.
 *
 * A million ids take 8 MB. A look-up is a binary search, 20 steps for a million. An id that is not one of them is
 * taken for one with the odds of n in 2^64: for a million, 1 in 18,000,000,000,000.
 */

/** Most ids of one configuration, all its files together: 32 MB in every process. */
export const HASHED_IDS_MAX = 4_000_000;

/** SHA-256 in hex. */
const DIGITS = 64;
/** Of them, in one word of the table. */
const WORD_DIGITS = 8;
/** A line with its end, bytes. */
const LINE_BYTES = DIGITS + 1;

/** Where the words of a 64-bit number are in memory: a table is sorted as such numbers, and looked at as words. */
const LOW = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 0 : 1;
const HIGH = 1 - LOW;

const LINE_FEED = 10;
const RETURN = 13;
const NO_DIGIT = 255;
/** What a byte is worth as a hex digit. */
const DIGIT_OF = new Uint8Array(256).fill(NO_DIGIT);
for (const [value, digit] of [...'0123456789abcdef'].entries()) {
  DIGIT_OF[digit.charCodeAt(0)] = value;
  DIGIT_OF[digit.toUpperCase().charCodeAt(0)] = value;
}

/** Whether a table of `HashedIdsReader` has the hash that begins with these two words. */
export function hasHash(table: Uint32Array, high: number, low: number): boolean {
  let from = 0;
  let to = table.length >>> 1;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const order = table[2 * middle + HIGH]! - high || table[2 * middle + LOW]! - low;
    if (order === 0) return true;
    if (order < 0) from = middle + 1;
    else to = middle;
  }
  return false;
}

/** Reads the file of a segment, in pieces as they come: 64 hex digits a line. Empty lines are passed over. */
export class HashedIdsReader {
  #table: Uint32Array;
  readonly #idsMax: number;
  #count = 0;
  #isSorted = true;
  /** Of the line that is being read. */
  #line = 1;
  #digits = 0;
  #high = 0;
  #low = 0;
  #isReturned = false;

  /**
   * @param bytes How long the file is thought to be; a wrong guess costs only time.
   * @param idsMax How many there may be.
   */
  constructor(bytes: number, idsMax = HASHED_IDS_MAX) {
    this.#idsMax = idsMax;
    this.#table = new Uint32Array(2 * Math.max(1, Math.min(idsMax, Math.ceil((bytes + 1) / LINE_BYTES))));
  }

  /** Throws RangeError for what is no such file, with the number of the line and nothing of what is on it. */
  push(piece: Uint8Array): void {
    for (let i = 0; i < piece.length; i++) {
      const byte = piece[i]!;
      const digit = DIGIT_OF[byte]!;
      if (digit !== NO_DIGIT && !this.#isReturned) this.#addDigit(digit);
      else if (byte === LINE_FEED) this.#endLine();
      else if (byte === RETURN && !this.#isReturned) this.#isReturned = true;
      else throw this.#refusal('holds something else');
    }
  }

  /** The table, of exactly the size it has to be. A file that is not sorted is sorted now, a tenth of a second a million. */
  finish(): Uint32Array {
    this.#endLine();
    const table = this.#table.slice(0, 2 * this.#count);
    if (!this.#isSorted) new BigUint64Array(table.buffer).sort();
    return table;
  }

  #addDigit(digit: number): void {
    if (this.#digits < WORD_DIGITS) this.#high = ((this.#high << 4) | digit) >>> 0;
    else if (this.#digits < 2 * WORD_DIGITS) this.#low = ((this.#low << 4) | digit) >>> 0;
    this.#digits++;
  }

  #endLine(): void {
    if (this.#digits !== 0 && this.#digits !== DIGITS) throw this.#refusal(`has ${this.#digits} digits`);
    if (this.#digits === DIGITS) this.#addId();
    this.#digits = 0;
    this.#high = 0;
    this.#low = 0;
    this.#isReturned = false;
    this.#line++;
  }

  #addId(): void {
    if (this.#count === this.#idsMax) throw new RangeError(`holds more than ${this.#idsMax} ids`);
    const at = 2 * this.#count;
    if (at === this.#table.length) this.#grow();
    const table = this.#table;
    table[at + HIGH] = this.#high;
    table[at + LOW] = this.#low;
    this.#count++;
    if (at === 0) return;
    const order = this.#high - table[at - 2 + HIGH]! || this.#low - table[at - 2 + LOW]!;
    if (order < 0) this.#isSorted = false;
  }

  #grow(): void {
    const larger = new Uint32Array(Math.min(2 * this.#idsMax, 2 * this.#table.length));
    larger.set(this.#table);
    this.#table = larger;
  }

  #refusal(what: string): RangeError {
    return new RangeError(
      `line ${this.#line} ${what}; expected the ${DIGITS} hex digits of a SHA-256 on every line. Are the ids hashed?`,
    );
  }
}
