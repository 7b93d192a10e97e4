/**
 * Chunked bodies: where the data is, and where the body ends. Finds ranges in the bytes it is given and copies
 * nothing but trailers. Chunk extensions are checked and dropped, as RFC 9112 section 7.1.1 asks.
 *
 * Every byte of the framing is compared with what it must be, above all the two after a chunk (CVE-2025-43859).
 * The outcome does not depend on how the bytes are cut.
 */
import { FIELD_NAMES, Field } from './field.ts';
import { CLASS, COLON, CR, HEX, HEX_VALUE, isSpace, LF, SEMICOLON, TOKEN, VALUE } from './grammar.ts';

export interface ChunkLimits {
  /**
   * How many bytes of chunk extensions may come beyond the bytes of data so far: a client that sends one byte of
   * data with a long extension, for ever, costs more than it should (CVE-2023-39326).
   */
  readonly extensionMaxBytes: number;
  /** Bytes of the trailer section without its empty line. */
  readonly trailerMaxBytes: number;
  /** More names, lower case, that a trailer must not have. */
  readonly forbiddenTrailers?: readonly string[];
}

/** Pairs in `ranges`; a feed stops early when they are used up. */
const RANGES_MAX = 256;
/** 2^53 - 1 has 14 hex digits; two more for leading zeros. */
const SIZE_MAX_DIGITS = 16;

const State = {
  sizeFirst: 0,
  size: 1,
  extension: 2,
  sizeLf: 3,
  data: 4,
  dataCr: 5,
  dataLf: 6,
  lineStart: 7,
  name: 8,
  value: 9,
  lineLf: 10,
  lastLf: 11,
  done: 12,
  failed: 13,
} as const;

/** Fields that decide framing, routing, authentication or how content is processed (RFC 9110 section 6.5.1). */
const FORBIDDEN_TRAILERS: ReadonlySet<string> = new Set([
  ...FIELD_NAMES.slice(Field.host),
  'authorization',
  'content-encoding',
  'content-range',
  'content-type',
  'forwarded',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
  'x-real-ip',
]);
/** What is ours, and what the hop before us says of the client. */
const FORBIDDEN_PREFIXES = ['x-experiment', 'x-fairlead', 'x-forwarded-'] as const;

/** One chunked body after the other; a connection keeps one for each direction. */
export class ChunkDecoder {
  /** Offsets of data in the bytes of the last feed: start, end, start, end, ... */
  readonly ranges = new Int32Array(RANGES_MAX * 2);
  /** How many pairs the last feed left in `ranges`. */
  rangeCount = 0;
  /** Bytes of data in those ranges. */
  dataBytes = 0;
  /** Bytes of data since `reset`. */
  bodyBytes = 0;
  /** The last chunk and the trailer section are complete. */
  isDone = false;
  /** A sentence, when the body is malformed; nothing more may be fed then. */
  failure: string | null = null;
  /** The validated trailer lines, each with its CRLF, as latin1; complete when `isDone`. */
  trailers = '';

  #state: number = State.sizeFirst;
  #size = 0;
  #digits = 0;
  #extensionBytes = 0;
  #lineStart = 0;
  #limits: ChunkLimits = { extensionMaxBytes: 0, trailerMaxBytes: 0 };

  /** Begins a new body. */
  reset(limits: ChunkLimits): void {
    this.#limits = limits;
    this.rangeCount = 0;
    this.dataBytes = 0;
    this.bodyBytes = 0;
    this.isDone = false;
    this.failure = null;
    this.trailers = '';
    this.#state = State.sizeFirst;
    this.#size = 0;
    this.#digits = 0;
    this.#extensionBytes = 0;
    this.#lineStart = 0;
  }

  /**
   * Consumes bytes[start, end). Answers the offset up to which they are consumed: `end`; or the end of the body; or
   * less when `ranges` is full, and then the caller takes the ranges and feeds the rest; or where it went wrong.
   */
  feed(bytes: Buffer, start: number, end: number): number {
    this.rangeCount = 0;
    this.dataBytes = 0;
    let at = start;
    while (at < end && this.#state < State.done) {
      if (this.#state === State.data) {
        if (this.rangeCount === RANGES_MAX) return at;
        at = this.#takeData(at, end);
      } else {
        if (this.#state >= State.lineStart) this.#takeTrailer(bytes[at]!);
        else this.#takeFraming(bytes[at]!);
        if (this.#state !== State.failed) at++;
      }
    }
    return at;
  }

  #takeData(start: number, end: number): number {
    const taken = Math.min(this.#size, end - start);
    this.ranges[this.rangeCount * 2] = start;
    this.ranges[this.rangeCount * 2 + 1] = start + taken;
    this.rangeCount++;
    this.dataBytes += taken;
    this.bodyBytes += taken;
    this.#size -= taken;
    if (this.#size === 0) this.#state = State.dataCr;
    return start + taken;
  }

  /** One byte of a size line or of the line end after a chunk. */
  #takeFraming(byte: number): void {
    switch (this.#state) {
      case State.sizeFirst:
      case State.size:
        this.#takeSize(byte);
        return;
      case State.extension:
        if (byte === CR) this.#state = State.sizeLf;
        else if ((CLASS[byte]! & VALUE) === 0)
          this.#fail('a chunk extension holds a control character or a bare line feed');
        else if (++this.#extensionBytes > this.#limits.extensionMaxBytes)
          this.#fail('the chunk extensions are longer than allowed');
        return;
      case State.sizeLf:
        if (byte === LF) this.#beginChunk();
        else this.#fail('a chunk size is not followed by CRLF');
        return;
      case State.dataCr:
        if (byte === CR) this.#state = State.dataLf;
        else this.#fail('the data of a chunk is not followed by CRLF');
        return;
      default:
        if (byte === LF) this.#state = State.sizeFirst;
        else this.#fail('the data of a chunk is not followed by CRLF');
    }
  }

  #takeSize(byte: number): void {
    if ((CLASS[byte]! & HEX) !== 0) {
      this.#size = this.#size * 16 + HEX_VALUE[byte]!;
      this.#state = State.size;
      if (++this.#digits > SIZE_MAX_DIGITS || this.#size > Number.MAX_SAFE_INTEGER)
        this.#fail('a chunk size is larger than 2^53 - 1');
    } else if (this.#state === State.sizeFirst) this.#fail('a chunk size is not hexadecimal');
    else if (byte === CR) this.#state = State.sizeLf;
    else if (byte === SEMICOLON) this.#state = State.extension;
    else this.#fail('a chunk size is not hexadecimal');
  }

  #beginChunk(): void {
    this.#digits = 0;
    this.#extensionBytes = Math.max(0, this.#extensionBytes - this.#size);
    this.#state = this.#size === 0 ? State.lineStart : State.data;
  }

  /** One byte of the trailer section, which is copied to `trailers` without its empty line. */
  #takeTrailer(byte: number): void {
    const isEmptyLine = this.#state === State.lastLf || (this.#state === State.lineStart && byte === CR);
    if (!isEmptyLine && this.trailers.length >= this.#limits.trailerMaxBytes) {
      this.#fail('the trailers are longer than allowed');
      return;
    }
    const before = this.#state;
    this.#takeTrailerByte(byte);
    if (isEmptyLine || this.#state === State.failed) return;
    this.trailers += String.fromCharCode(byte);
    if (before === State.name && this.#state === State.value) this.#checkName();
    else if (before === State.lineLf) this.#lineStart = this.trailers.length;
  }

  #takeTrailerByte(byte: number): void {
    switch (this.#state) {
      case State.lineStart:
        if (byte === CR) this.#state = State.lastLf;
        else if ((CLASS[byte]! & TOKEN) !== 0) this.#state = State.name;
        else this.#fail(isSpace(byte) ? 'a trailer line begins with a space' : 'a trailer has no valid name');
        return;
      case State.name:
        if (byte === COLON) this.#state = State.value;
        else if ((CLASS[byte]! & TOKEN) === 0)
          this.#fail('a trailer name is not a token followed by a colon');
        return;
      case State.value:
        if (byte === CR) this.#state = State.lineLf;
        else if ((CLASS[byte]! & VALUE) === 0)
          this.#fail('a trailer value holds a control character or a bare line feed');
        return;
      case State.lineLf:
        if (byte === LF) this.#state = State.lineStart;
        else this.#fail('a trailer line does not end with CRLF');
        return;
      default:
        if (byte === LF) this.#finish();
        else this.#fail('the trailer section does not end with CRLF');
    }
  }

  /** Looks at the name that has just been completed. */
  #checkName(): void {
    const name = this.trailers.slice(this.#lineStart, -1).toLowerCase();
    const isForbidden =
      FORBIDDEN_TRAILERS.has(name) ||
      FORBIDDEN_PREFIXES.some((prefix) => name.startsWith(prefix)) ||
      this.#limits.forbiddenTrailers?.includes(name) === true;
    if (isForbidden) this.#fail('a trailer has a name that must not be in trailers');
  }

  #finish(): void {
    this.#state = State.done;
    this.isDone = true;
  }

  #fail(reason: string): void {
    this.failure = reason;
    this.#state = State.failed;
  }
}
