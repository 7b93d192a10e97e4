/**
 * One message as the proxy really sends it on: the codec reads the head, `routing/forward.ts` writes it, and
 * `proxy/relay.ts` writes the body as its bytes come. No sockets; nothing is decided about it.
 */
import { Body, Framing, requestFraming, responseFraming } from '../../src/http1/framing.ts';
import { Head, parseRequestHead, parseResponseHead } from '../../src/http1/head.ts';
import { BodyRelay } from '../../src/proxy/relay.ts';
import { isSentChunked } from '../../src/proxy/response-head.ts';
import {
  type ForwardingSettings,
  forwardRequest,
  forwardResponse,
  type RequestFacts,
} from '../../src/routing/forward.ts';
import { CHUNK_LIMITS, LIMITS } from './http1.ts';

export interface Forwarded {
  /** Latin1; the whole message when `isComplete`. */
  readonly text: string;
  readonly isComplete: boolean;
  /** Only the end of the connection ends it. */
  readonly isEndedByClose: boolean;
  /** Bytes of what came in that belong to it. */
  readonly size: number;
}

const head = new Head();
const framing = new Framing();

/** The first request in `bytes`, or null when its head is refused or incomplete. `cuts`: offsets in its body. */
export function forwardedRequest(
  bytes: Buffer,
  cuts: readonly number[],
  settings: ForwardingSettings,
  facts: Omit<RequestFacts, 'isChunked'>,
): Forwarded | null {
  const at = parseRequestHead(head, bytes, 0, bytes.length, LIMITS);
  if (at <= 0 || !requestFraming(head, framing)) return null;
  const isChunked = framing.kind === Body.chunked;
  const text = forwardRequest(head, settings, { ...facts, isChunked });
  return withBody(text, isChunked, bytes, at, cuts);
}

export interface ClientFacts {
  readonly method: string;
  readonly versionMinor: 0 | 1;
  readonly isClose: boolean;
  readonly fields: string;
}

/** The first response in `bytes`, which the upstream closes behind, as a client of that kind gets it. */
export function forwardedResponse(
  bytes: Buffer,
  cuts: readonly number[],
  client: ClientFacts,
): Forwarded | null {
  const at = parseResponseHead(head, bytes, 0, bytes.length, LIMITS);
  if (at <= 0 || head.status < 200 || !responseFraming(head, client.method, framing)) return null;
  const isChunked = isSentChunked(client.versionMinor, framing);
  const isByClose = framing.kind === Body.untilClose || framing.kind === Body.chunked;
  const isEndedByClose = !isChunked && isByClose;
  const isClose = client.isClose || isEndedByClose;
  const isKeptAlive10 = client.versionMinor === 0 && !isClose;
  const { fields } = client;
  const text = forwardResponse(head, {
    isChunked,
    isClose,
    isKeptAlive10,
    isUpgrade: false,
    replaced: null,
    fields,
  });
  return { ...withBody(text, isChunked, bytes, at, cuts), isEndedByClose };
}

function withBody(
  text: string,
  isChunkedOut: boolean,
  bytes: Buffer,
  start: number,
  cuts: readonly number[],
): Forwarded {
  const relay = new BodyRelay();
  relay.begin(framing, isChunkedOut, CHUNK_LIMITS);
  const pieces: (string | Buffer)[] = [];
  const isOver = () => relay.isDone || relay.failure !== null;
  let at = start;
  for (const end of [...cuts, bytes.length].sort((a, b) => a - b)) {
    if (end <= at || isOver()) continue;
    // What is read lies in a buffer that the next read overwrites.
    const shared = Buffer.from(bytes.subarray(at, end));
    let from = 0;
    while (from < shared.length && !isOver()) {
      const piece = relay.take(shared, from, shared.length, Number.POSITIVE_INFINITY);
      if (piece !== null && relay.failure === null) pieces.push(piece);
      from = relay.consumedTo;
    }
    shared.fill(0x58);
    at += from;
  }
  if (relay.isUntilClose) pieces.push(relay.finish() ?? '');
  const body = pieces.map((piece) => (typeof piece === 'string' ? piece : piece.toString('latin1'))).join('');
  return { text: text + body, isComplete: relay.isDone, isEndedByClose: false, size: at };
}
