/**
 * The whole codec over one direction of one connection: pieces of bytes in, messages out. What the proxy does with
 * sockets, without them: parse a head, read its framing, take its body, go on with the next message.
 */
import { ChunkDecoder, type ChunkLimits } from '../../src/http1/decode.ts';
import { Body, Framing, requestFraming, responseFraming } from '../../src/http1/framing.ts';
import { Head, type HeadLimits, parseRequestHead, parseResponseHead } from '../../src/http1/head.ts';
import { CHUNK_LIMITS, LIMITS } from './http1.ts';

export interface Message {
  /** The head as it came, with its empty line. */
  readonly head: string;
  readonly method: string;
  readonly target: string;
  readonly status: number;
  readonly versionMinor: number;
  readonly fields: readonly string[];
  readonly isClose: boolean;
  readonly isKeepAlive: boolean;
  readonly bodyKind: string;
  /** What `onHead` made of it. */
  readonly forwarded: string;
  data: string;
  trailers: string;
  isComplete: boolean;
}

export interface ReaderOptions {
  readonly limits?: HeadLimits;
  readonly chunkLimits?: ChunkLimits;
  /** For responses: the method of the request that message n answers. */
  readonly methodOf?: (index: number) => string;
  /** Sees each head while its bytes are there. */
  readonly onHead?: (head: Head, framing: Framing) => string;
}

/** Bytes that lie around every piece; none of them may ever be read. */
const PADDING_BYTES = 48;
const EMPTY = Buffer.alloc(0);
const HOSTILE = Buffer.alloc(PADDING_BYTES, ' HTTP/1.1\r\nHost: hostile\r\n\r\n0\r\n\r\n', 'latin1');

/** Shared, as the proxy shares it: a head is used up before another one is parsed. */
const sharedHead = new Head();

export class MessageReader {
  readonly messages: Message[] = [];
  refusal: { readonly code: string; readonly detail: string } | null = null;
  readonly #isRequest: boolean;
  readonly #options: ReaderOptions;
  readonly #framing = new Framing();
  #chunks: ChunkDecoder | null = null;
  #pending: Buffer = EMPTY;
  #remaining = 0;

  constructor(direction: 'request' | 'response', options: ReaderOptions = {}) {
    this.#isRequest = direction === 'request';
    this.#options = options;
  }

  get #decoder(): ChunkDecoder {
    this.#chunks ??= new ChunkDecoder();
    return this.#chunks;
  }

  get #current(): Message | undefined {
    const last = this.messages.at(-1);
    return last?.isComplete === false ? last : undefined;
  }

  /** Bytes that are here and belong to no message yet. */
  get pendingBytes(): number {
    return this.#pending.length;
  }

  push(piece: Buffer): void {
    if (this.refusal !== null) return;
    const length = this.#pending.length + piece.length;
    const bytes = Buffer.allocUnsafe(length + 2 * PADDING_BYTES);
    HOSTILE.copy(bytes, 0);
    HOSTILE.copy(bytes, length + PADDING_BYTES);
    this.#pending.copy(bytes, PADDING_BYTES);
    piece.copy(bytes, PADDING_BYTES + this.#pending.length);
    const end = PADDING_BYTES + length;
    let at = PADDING_BYTES;
    while (this.refusal === null && at < end) {
      const before = at;
      at = this.#current === undefined ? this.#takeHead(bytes, at, end) : this.#takeBody(bytes, at, end);
      if (at === before) break;
    }
    this.#pending = at < end ? Buffer.from(bytes.subarray(at, end)) : EMPTY;
    bytes.fill(0x58);
  }

  /** The connection is closed. */
  end(): void {
    const current = this.#current;
    if (current?.bodyKind === 'untilClose') current.isComplete = true;
  }

  #takeHead(bytes: Buffer, start: number, end: number): number {
    const head = sharedHead;
    const limits = this.#options.limits ?? LIMITS;
    const parse = this.#isRequest ? parseRequestHead : parseResponseHead;
    const after = parse(head, bytes, start, end, limits);
    if (after === 0) return start;
    if (after < 0) {
      this.refusal = { code: head.failure, detail: head.failureDetail };
      return start;
    }
    if (head.end !== after || head.start < start) throw new Error('the head ends somewhere else');
    const method = this.#options.methodOf?.(this.messages.length) ?? 'GET';
    const isFramed = this.#isRequest
      ? requestFraming(head, this.#framing)
      : responseFraming(head, method, this.#framing);
    if (!isFramed) {
      this.refusal = { code: this.#framing.failure!, detail: this.#framing.failureDetail };
      return start;
    }
    this.messages.push(this.#newMessage(head));
    this.#remaining = this.#framing.length;
    if (this.#framing.kind === Body.chunked) this.#decoder.reset(this.#options.chunkLimits ?? CHUNK_LIMITS);
    return after;
  }

  #newMessage(head: Head): Message {
    const fields = [];
    for (let i = 0; i < head.count; i++)
      fields.push(`${head.text(head.nameStart[i]!, head.nameEnd[i]!)}: ${head.value(i)}`);
    return {
      head: head.text(head.start, head.end),
      method: head.method,
      target: this.#isRequest ? head.text(head.targetStart, head.targetEnd) : '',
      status: head.status,
      versionMinor: head.versionMinor,
      fields,
      isClose: head.isClose,
      isKeepAlive: head.isKeepAlive,
      bodyKind: (['none', 'length', 'chunked', 'untilClose'] as const)[this.#framing.kind],
      forwarded: this.#options.onHead?.(head, this.#framing) ?? '',
      data: '',
      trailers: '',
      isComplete: this.#framing.kind === Body.none,
    };
  }

  #takeBody(bytes: Buffer, start: number, end: number): number {
    const current = this.#current!;
    if (current.bodyKind === 'chunked') return this.#takeChunks(current, bytes, start, end);
    const to = current.bodyKind === 'length' ? Math.min(end, start + this.#remaining) : end;
    current.data += bytes.latin1Slice(start, to);
    this.#remaining -= to - start;
    current.isComplete = current.bodyKind === 'length' && this.#remaining === 0;
    return to;
  }

  #takeChunks(current: Message, bytes: Buffer, start: number, end: number): number {
    const decoder = this.#decoder;
    const after = decoder.feed(bytes, start, end);
    for (let i = 0; i < decoder.rangeCount; i++)
      current.data += bytes.latin1Slice(decoder.ranges[2 * i], decoder.ranges[2 * i + 1]);
    if (decoder.failure !== null) {
      this.refusal = {
        code: this.#isRequest ? 'chunk_malformed' : 'upstream_malformed',
        detail: decoder.failure,
      };
    } else if (decoder.isDone) {
      current.trailers = decoder.trailers;
      current.isComplete = true;
    }
    return after;
  }
}

/** Feeds `bytes` in pieces that end at `cuts`. */
export function readMessages(
  direction: 'request' | 'response',
  bytes: Buffer,
  cuts: readonly number[] = [],
  options: ReaderOptions = {},
): MessageReader {
  const reader = new MessageReader(direction, options);
  let at = 0;
  for (const end of [...new Set([...cuts, bytes.length])].sort((a, b) => a - b)) {
    reader.push(bytes.subarray(at, end));
    at = end;
  }
  return reader;
}

/** What must not depend on the cuts. */
export function summary(reader: MessageReader): object {
  return { messages: reader.messages, refusal: reader.refusal };
}
