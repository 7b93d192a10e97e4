/** Runs a wire case on the codec alone: request bytes in, the messages for the upstream or the refusal out. */
import { Body, type Framing } from '../../src/http1/framing.ts';
import type { Head } from '../../src/http1/head.ts';
import { RequestFacts } from '../../src/proxy/request-facts.ts';
import { type ForwardingSettings, forwardRequest } from '../../src/routing/forward.ts';
import { ForwardedLines } from '../../src/routing/forwarded-lines.ts';
import { type MessageReader, readMessages } from './codec.ts';
import { canonical, canonicalBeginning, WIRE_LIMITS, type WireCase } from './wire.ts';

/** As in proxy/relay.ts. */
const CHUNK_LIMITS = { extensionMaxBytes: 1024, trailerMaxBytes: 8192 };
const UNTOUCHED: ForwardingSettings = {
  forwardedFor: 'off',
  forwardedProto: 'off',
  forwardedHost: 'off',
  via: false,
  requestId: false,
  traceparent: false,
};

export interface CodecResult {
  /** Canonical messages, complete ones only. */
  readonly messages: readonly string[];
  readonly refusal: string | null;
}

/** The request side of a case, in pieces that end at `cuts`. */
export function runRequest(bytes: Buffer, cuts: readonly number[] = []): CodecResult {
  return resultOf(
    readMessages('request', bytes, cuts, {
      limits: WIRE_LIMITS,
      chunkLimits: CHUNK_LIMITS,
      onHead: forwardUntouched,
    }),
  );
}

/** The response side of a case: bodies and refusals; its heads are the business of the exchange. */
export function runResponse(
  wireCase: WireCase,
  cuts: readonly number[] = [],
): CodecResult & { readonly bodies: readonly string[]; readonly statuses: readonly number[] } {
  const method = /^[A-Z]+/.exec(wireCase.upstream)?.[0] ?? 'GET';
  const options = { limits: WIRE_LIMITS, chunkLimits: CHUNK_LIMITS, methodOf: () => method };
  const reader = readMessages('response', wireCase.response!, cuts, options);
  if (wireCase.isUpstreamClosing) reader.end();
  return {
    ...resultOf(reader),
    statuses: reader.messages.map(({ status }) => status),
    bodies: reader.messages.map(({ data, trailers, isComplete }) => `${isComplete}:${data}:${trailers}`),
  };
}

function resultOf(reader: MessageReader): CodecResult {
  const complete = reader.messages.filter(({ isComplete }) => isComplete);
  return {
    messages: complete.map(
      ({ forwarded, data, trailers }) =>
        `${forwarded}${data}${trailers === '' ? '' : `\r\n${trailers.slice(0, -2)}`}`,
    ),
    refusal: reader.refusal?.code ?? null,
  };
}

/** The head as it is sent on when everything is switched off that adds fields. */
export function forwardUntouched(head: Head, framing: Framing): string {
  return forwardRequest(head, UNTOUCHED, {
    forwarded: new ForwardedLines('127.0.0.1', 'http'),
    isChunked: framing.kind === Body.chunked,
    replaced: [],
    ownNames: ['x-experiment', 'x-experiment-override', 'x-experiment-explain'],
    fields: '',
    defaultHost: 'app',
    isUpgrade: isUpgradeAsked(head),
  });
}

const facts = new RequestFacts();
function isUpgradeAsked(head: Head): boolean {
  facts.read(head, 0);
  return facts.isUpgradeAsked;
}

/** What the case says that the upstream sees, in the same form. */
export function expectedUpstream(wireCase: WireCase): readonly string[] {
  const { messages, rest } = canonical(wireCase.upstream);
  if (rest === '') return messages;
  if (!wireCase.isEarly)
    throw new Error(`${wireCase.name}: the upstream block is not made of complete messages`);
  return [...messages, canonicalBeginning(rest)];
}
