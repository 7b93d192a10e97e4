/**
 * One body on its way through: bytes as received go in, what to write comes out. Checks every byte of the framing,
 * re-chunks instead of passing chunk framing on (so no extension, odd line end or surplus byte gets through), and
 * knows when the body is complete. Never holds a body: what comes in goes out in the same call.
 */
import { ChunkDecoder, type ChunkLimits } from '../http1/decode.ts';
import { chunkHead, lastChunk } from '../http1/encode.ts';
import { Body, type Framing } from '../http1/framing.ts';
import { room } from './slab.ts';

/** Up to this many bytes a latin1 string is cheaper to write than a copied Buffer, and joins the head in one write. */
export const STRING_MAX_BYTES = 4096;

/** "FFFFFFFF\r\n" before the data and "\r\n" behind it. */
const CHUNK_HEAD_MAX_BYTES = 10;

/** So many chunks in one read are no way to send a body: 64 KiB of chunks of one byte take a millisecond and more. */
const CRUMBS_MIN = 512;

/** What to write: a latin1 string, or bytes that nobody else will change. */
export type Piece = string | Buffer;

export class BodyRelay {
  isDone = true;
  /** What is wrong with the framing of what came in, or null. */
  failure: string | null = null;
  /** Body bytes passed on, framing not counted. */
  bytes = 0;
  /** What was taken last was so many small chunks that it took far longer than its bytes tell. */
  isCrumbly = false;
  #kind: number = Body.none;
  #remaining = 0;
  #isChunkedOut = false;
  #decoder: ChunkDecoder | null = null;

  /** `isChunkedOut`: the receiving side gets chunked framing; otherwise the bare bytes. */
  begin(framing: Framing, isChunkedOut: boolean, limits: ChunkLimits): void {
    this.#kind = framing.kind;
    this.#remaining = framing.kind === Body.length ? framing.length : 0;
    this.#isChunkedOut = isChunkedOut;
    this.isDone = framing.kind === Body.none || (framing.kind === Body.length && framing.length === 0);
    this.failure = null;
    this.bytes = 0;
    this.isCrumbly = false;
    if (framing.kind === Body.chunked) {
      this.#decoder ??= new ChunkDecoder();
      this.#decoder.reset(limits);
    }
  }

  /** Bytes of a body with a length that are still to come. */
  get remaining(): number {
    return this.#remaining;
  }

  /** Lines behind the body, each with its end; '' for none, or not yet. */
  get trailers(): string {
    return this.#kind === Body.chunked ? this.#decoder!.trailers : '';
  }

  /** True when only the end of the connection ends this body. */
  get isUntilClose(): boolean {
    return this.#kind === Body.untilClose;
  }

  /**
   * Bytes [start, end) came in; `consumedTo` tells how far they belong to this body. Null: nothing to write yet.
   * `viewMinBytes`: see `pieceOf`. `from`: where the head in front begins that goes out with it just as it came; not for
   * bodies that are chunked on either side.
   */
  consumedTo = 0;
  take(bytes: Buffer, start: number, end: number, viewMinBytes: number, from = start): Piece | null {
    if (this.#kind === Body.chunked) return this.#takeChunked(bytes, start, end);
    let to = end;
    if (this.#kind === Body.length) {
      to = Math.min(end, start + this.#remaining);
      this.#remaining -= to - start;
      this.isDone = this.#remaining === 0;
    }
    this.consumedTo = to;
    const length = to - start;
    if (length === 0) return null;
    this.bytes += length;
    if (this.#isChunkedOut) return `${chunkHead(length)}${bytes.latin1Slice(start, to)}\r\n`;
    return pieceOf(bytes, from, to, viewMinBytes);
  }

  /** The connection ended. For a body until close that is the end; what to write for it, or null for nothing. */
  finish(): string | null {
    this.isDone = true;
    return this.#isChunkedOut ? lastChunk('') : null;
  }

  #takeChunked(bytes: Buffer, start: number, end: number): Piece | null {
    const decoder = this.#decoder!;
    let piece: Piece | null = null;
    let at = start;
    let chunks = 0;
    while (at < end && !decoder.isDone) {
      const before = at;
      at = decoder.feed(bytes, at, end);
      if (decoder.failure !== null) {
        this.failure = decoder.failure;
        break;
      }
      chunks += decoder.rangeCount;
      if (decoder.dataBytes > 0) piece = join(piece, this.#encode(bytes));
      if (at === before && decoder.dataBytes === 0) break;
    }
    this.consumedTo = at;
    this.isCrumbly = chunks > CRUMBS_MIN;
    if (this.failure === null && decoder.isDone) {
      this.isDone = true;
      if (this.#isChunkedOut) piece = join(piece, lastChunk(decoder.trailers));
    }
    return piece;
  }

  /** The data ranges the decoder found, gathered into one piece: many small chunks go out as one. */
  #encode(bytes: Buffer): Piece {
    const decoder = this.#decoder!;
    const length = decoder.dataBytes;
    this.bytes += length;
    const head = this.#isChunkedOut ? chunkHead(length) : '';
    if (length <= STRING_MAX_BYTES) {
      let text = head;
      for (let i = 0; i < decoder.rangeCount; i++)
        text += bytes.latin1Slice(decoder.ranges[2 * i], decoder.ranges[2 * i + 1]);
      return this.#isChunkedOut ? `${text}\r\n` : text;
    }
    const out = room(length + CHUNK_HEAD_MAX_BYTES + 2);
    let to = out.write(head, 0, 'latin1');
    for (let i = 0; i < decoder.rangeCount; i++) {
      to += bytes.copy(out, to, decoder.ranges[2 * i], decoder.ranges[2 * i + 1]);
    }
    if (this.#isChunkedOut) to += out.write('\r\n', to, 'latin1');
    return out.subarray(0, to);
  }
}

/**
 * Bytes [start, end) as something to write. Most are read into a buffer that the next read overwrites, so they are
 * copied; from `viewMinBytes` on whoever owns the buffer sees to it that they stay.
 */
function pieceOf(bytes: Buffer, start: number, end: number, viewMinBytes: number): Piece {
  const length = end - start;
  if (length <= STRING_MAX_BYTES) return bytes.latin1Slice(start, end);
  if (length >= viewMinBytes) return bytes.subarray(start, end);
  const copy = room(length);
  bytes.copy(copy, 0, start, end);
  return copy;
}

function join(first: Piece | null, second: Piece): Piece {
  if (first === null) return second;
  if (typeof first === 'string' && typeof second === 'string') return first + second;
  return Buffer.concat([toBuffer(first), toBuffer(second)]);
}

function toBuffer(piece: Piece): Buffer {
  return typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece;
}
