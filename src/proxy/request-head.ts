/** The upstream's request head for an exchange: the ids it carries or is given, its context, and the forwarding rules. */

import type { PropagationSettings } from '../config/snapshot.ts';
import { Field } from '../http1/field.ts';
import { Body, type Framing } from '../http1/framing.ts';
import type { Head } from '../http1/head.ts';
import { isTraceparent, newTraceparent } from '../propagation/trace.ts';
import { forwardRequest } from '../routing/forward.ts';
import type { Exchange } from './exchange.ts';

/** Bytes of an `x-request-id` of our making, and so half its hex digits. */
const REQUEST_ID_BYTES = 16;

/** Writes the head to send, and notes the request's ids on the exchange. `head` is only read. */
export function requestHead(exchange: Exchange, head: Head, framing: Framing): string {
  const { forwarding, propagation } = exchange.plan.snapshot;
  const { random } = exchange.plane;
  let { fields, replaced } = exchange.decision;
  if (exchange.decision.count > 0) {
    exchange.request.isExplainAsked = head.header(propagation.explainHeader) === '1';
  }
  exchange.request.requestId = head.first(Field.requestId) >= 0 ? head.header('x-request-id')! : '';
  if (forwarding.requestId && exchange.request.requestId === '') {
    if (head.first(Field.requestId) >= 0) replaced = [...replaced, 'x-request-id'];
    exchange.request.requestId = random.hex(REQUEST_ID_BYTES);
    fields += `x-request-id: ${exchange.request.requestId}\r\n`;
  }
  exchange.request.traceparent = head.first(Field.traceparent) >= 0 ? head.header('traceparent')! : '';
  if (forwarding.traceparent && !isTraceparent(exchange.request.traceparent)) {
    // The trace state belongs to the trace that could not be read.
    if (exchange.request.traceparent !== '') replaced = [...replaced, 'traceparent', 'tracestate'];
    exchange.request.traceparent = newTraceparent(random);
    fields += `traceparent: ${exchange.request.traceparent}\r\n`;
  }
  return forwardRequest(head, forwarding, {
    clientAddress: exchange.downstream.peer.address,
    scheme: exchange.downstream.peer.scheme,
    isChunked: framing.kind === Body.chunked,
    replaced,
    ownNames: head.hasOtherOptions ? ownNames(exchange.plan.snapshot.propagation) : NO_NAMES,
    fields,
    defaultHost: exchange.decision.group!.upstream.name,
    isUpgrade: exchange.request.isUpgradeAsked,
  });
}

const NO_NAMES: readonly string[] = [];

function ownNames({ header, overrideHeader, explainHeader }: PropagationSettings): readonly string[] {
  return [header, overrideHeader, explainHeader];
}
