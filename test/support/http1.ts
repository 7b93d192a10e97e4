/**
 * Running the HTTP/1.1 codec in tests: text in, a plain object out. Every parse happens in the middle of a larger
 * buffer whose other bytes are hostile, so a read outside [start, end) changes an outcome.
 */
import { ChunkDecoder, type ChunkLimits } from '../../src/http1/decode.ts';
import { Framing, requestFraming, responseFraming } from '../../src/http1/framing.ts';
import { Head, type HeadLimits, parseRequestHead, parseResponseHead } from '../../src/http1/head.ts';

export const LIMITS: HeadLimits = { headMaxBytes: 65_536, targetMaxBytes: 8192, fieldsMax: 100 };
export const CHUNK_LIMITS: ChunkLimits = { extensionMaxBytes: 64, trailerMaxBytes: 256 };

/** What may lie behind the bytes in a shared buffer: each would complete or break a head that is read too far. */
const SURROUNDINGS = ['\r\n\r\n', 'X: y\r\n\r\n', '\0', 'a', ' HTTP/1.1\r\nHost: b\r\n\r\n', '0'] as const;
const PADDING_BYTES = 64;

export interface ParsedHead {
  readonly kind: 'head';
  readonly method: string;
  readonly target: string;
  readonly targetForm: string;
  readonly path: string;
  readonly query: string | null;
  readonly authority: string | null;
  readonly versionMinor: number;
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly options: readonly string[];
  readonly body: string;
  /** Bytes after the head. */
  readonly rest: number;
}

export type Outcome =
  | ParsedHead
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string }
  | { readonly kind: 'incomplete' };

/** The outcome of a request head, after its framing was read too. */
export function request(text: string | Buffer, limits: HeadLimits = LIMITS): Outcome {
  return inEverySurrounding(text, (bytes, start, end) => requestIn(new Head(), bytes, start, end, limits));
}

/** The outcome of a response head, after its framing was read too. */
export function response(text: string | Buffer, method = 'GET', limits: HeadLimits = LIMITS): Outcome {
  return inEverySurrounding(text, (bytes, start, end) =>
    responseIn(new Head(), bytes, start, end, method, limits),
  );
}

export function requestIn(
  head: Head,
  bytes: Buffer,
  start: number,
  end: number,
  limits: HeadLimits = LIMITS,
): Outcome {
  const after = parseRequestHead(head, bytes, start, end, limits);
  if (after <= 0) return unfinished(head, after);
  const framing = new Framing();
  if (!requestFraming(head, framing))
    return { kind: 'refused', code: framing.failure!, detail: framing.failureDetail };
  return read(head, framing, end - after);
}

export function responseIn(
  head: Head,
  bytes: Buffer,
  start: number,
  end: number,
  method: string,
  limits = LIMITS,
): Outcome {
  const after = parseResponseHead(head, bytes, start, end, limits);
  if (after <= 0) return unfinished(head, after);
  const framing = new Framing();
  if (!responseFraming(head, method, framing))
    return { kind: 'refused', code: framing.failure!, detail: framing.failureDetail };
  return read(head, framing, end - after);
}

function unfinished(head: Head, after: number): Outcome {
  if (after === 0) return { kind: 'incomplete' };
  return { kind: 'refused', code: head.failure, detail: head.failureDetail };
}

function read(head: Head, framing: Framing, rest: number): ParsedHead {
  const fields: [string, string][] = [];
  for (let i = 0; i < head.count; i++)
    fields.push([head.text(head.nameStart[i]!, head.nameEnd[i]!), head.value(i)]);
  const options: string[] = [];
  if (head.isClose) options.push('close');
  if (head.isKeepAlive) options.push('keep-alive');
  if (head.isUpgrade) options.push('upgrade');
  if (head.hasOtherOptions) options.push('other');
  const isRequest = head.method !== '';
  return {
    kind: 'head',
    method: head.method,
    target: isRequest ? head.text(head.targetStart, head.targetEnd) : '',
    targetForm: head.targetForm,
    path: isRequest ? head.text(head.pathStart, head.pathEnd) : '',
    query: head.queryStart < 0 ? null : head.text(head.queryStart, head.targetEnd),
    authority:
      isRequest && head.targetForm === 'absolute' ? head.text(head.authorityStart, head.authorityEnd) : null,
    versionMinor: head.versionMinor,
    status: head.status,
    reason: isRequest ? '' : head.text(head.reasonStart, head.reasonEnd),
    fields,
    options,
    body: ['none', `length ${framing.length}`, 'chunked', 'untilClose'][framing.kind]!,
    rest,
  };
}

function inEverySurrounding(
  text: string | Buffer,
  parse: (bytes: Buffer, start: number, end: number) => Outcome,
): Outcome {
  const message = typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
  const outcomes = SURROUNDINGS.map((surrounding) => {
    const bytes = Buffer.alloc(message.length + 2 * PADDING_BYTES, surrounding, 'latin1');
    message.copy(bytes, PADDING_BYTES);
    return parse(bytes, PADDING_BYTES, PADDING_BYTES + message.length);
  });
  const first = JSON.stringify(outcomes[0]);
  for (const [i, outcome] of outcomes.entries()) {
    if (JSON.stringify(outcome) === first) continue;
    throw new Error(
      `bytes outside the range were read: ${first} beside ${JSON.stringify(outcome)} (${JSON.stringify(SURROUNDINGS[i])})`,
    );
  }
  return outcomes[0]!;
}

/**
 * The final outcome when the bytes arrive cut at `cuts`: parsed again from the start after every piece, as the
 * proxy does, until something is certain.
 */
export function requestInPieces(text: Buffer, cuts: readonly number[], limits: HeadLimits = LIMITS): Outcome {
  const head = new Head();
  for (const end of [...new Set([...cuts, text.length])].sort((a, b) => a - b)) {
    const outcome = requestIn(head, text, 0, end, limits);
    if (outcome.kind === 'refused') return outcome;
    if (outcome.kind === 'head') return { ...outcome, rest: text.length - end + outcome.rest };
  }
  return { kind: 'incomplete' };
}

export interface DecodedBody {
  readonly data: string;
  readonly trailers: string;
  readonly isDone: boolean;
  readonly failure: string | null;
  /** Bytes consumed in all. */
  readonly consumed: number;
}

/** A chunked body, fed in pieces that end at `cuts`. */
export function decode(
  text: string | Buffer,
  cuts: readonly number[] = [],
  limits: ChunkLimits = CHUNK_LIMITS,
): DecodedBody {
  const message = typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
  const decoder = new ChunkDecoder();
  decoder.reset(limits);
  let data = '';
  let at = 0;
  for (const end of [...new Set([...cuts, message.length])].sort((a, b) => a - b)) {
    while (at < end && !decoder.isDone && decoder.failure === null) {
      // A piece lies in a buffer of its own, with hostile bytes around it.
      const piece = Buffer.alloc(end - at + 2 * PADDING_BYTES, '0\r\n\r\n', 'latin1');
      message.copy(piece, PADDING_BYTES, at, end);
      const after = decoder.feed(piece, PADDING_BYTES, PADDING_BYTES + end - at);
      for (let i = 0; i < decoder.rangeCount; i++)
        data += piece.latin1Slice(decoder.ranges[2 * i], decoder.ranges[2 * i + 1]);
      at += after - PADDING_BYTES;
    }
  }
  return {
    data,
    trailers: decoder.isDone ? decoder.trailers : '',
    isDone: decoder.isDone,
    failure: decoder.failure,
    consumed: at,
  };
}

/** Every place where a message of that many bytes can be cut. */
export function everyCut(length: number): number[] {
  return Array.from({ length: length + 1 }, (_, i) => i);
}
