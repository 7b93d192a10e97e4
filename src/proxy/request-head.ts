/** The upstream's request head for an exchange: the ids it carries or is given, its context, and the forwarding rules. */

import type { PropagationSettings } from '../config/snapshot.ts';
import { Field } from '../http1/field.ts';
import { Body, type Framing } from '../http1/framing.ts';
import type { Head } from '../http1/head.ts';
import { isTraceparent, isTracestate } from '../propagation/trace.ts';
import { forwardRequest } from '../routing/forward.ts';
import type { Exchange } from './exchange.ts';

/** Writes the head to send, and notes the request's ids on the exchange. `head` is only read. */
export function requestHead(exchange: Exchange, head: Head, framing: Framing): string {
  const { forwarding, propagation } = exchange.plan.snapshot;
  const { ids } = exchange.plane;
  let { fields, replaced } = exchange.decision;
  if (exchange.decision.count > 0) {
    exchange.request.isExplainAsked =
      exchange.decision.mayExplain && head.header(propagation.explainHeader) === '1';
  }
  const { hints } = exchange.decision.route!;
  if (hints !== null) {
    replaced = [...replaced, ...hints.names];
    if (!exchange.decision.isKeptIn) fields += hints.lines(exchange.decision);
  }
  if (exchange.expiry.names.length > 0) replaced = [...replaced, ...exchange.expiry.names];
  const { request } = exchange;
  const receivedId = head.first(Field.requestId) >= 0 ? head.header('x-request-id')! : '';
  const received = head.first(Field.traceparent) >= 0 ? head.header('traceparent')! : '';
  request.receiveIds(receivedId, received);
  const isIdNeeded = forwarding.requestId && receivedId === '';
  const isTraceNeeded = forwarding.traceparent && !isTraceparent(received);
  let lines = '';
  if (isIdNeeded || isTraceNeeded) {
    ids.advance();
    lines = ids.lines;
    request.giveIds(lines, isIdNeeded, isTraceNeeded);
  }
  if (isIdNeeded && head.first(Field.requestId) >= 0) replaced = [...replaced, 'x-request-id'];
  const { malformed } = exchange.plan;
  if (exchange.plane.tracing !== null) beginSpan(exchange, isTraceNeeded);
  // A span has a line of its own.
  const isTraceAdded = isTraceNeeded && request.span === null;
  if (isIdNeeded) fields += isTraceAdded ? lines : ids.requestIdLine;
  else if (isTraceAdded) fields += ids.traceparentLine;
  if (isTraceNeeded) {
    if (received !== '') {
      replaced = [...replaced, 'traceparent'];
      malformed.traceparent.value++;
    }
    // It belongs to the trace that could not be read, or to none.
    if (head.first(Field.tracestate) >= 0) replaced = [...replaced, 'tracestate'];
  } else if (forwarding.traceparent && head.first(Field.tracestate) >= 0) {
    if (!isTracestate(head.header('tracestate')!)) {
      replaced = [...replaced, 'tracestate'];
      malformed.tracestate.value++;
    }
  }
  if (request.span !== null && forwarding.traceparent) {
    if (!isTraceNeeded) replaced = [...replaced, 'traceparent'];
    const { traceparent } = request.span;
    request.receiveIds(receivedId, traceparent);
    fields += `traceparent: ${traceparent}\r\n`;
  }
  const { remembers } = exchange.decision.route!;
  if (remembers !== null)
    remembers.store(request.traceparent, request.requestId, exchange.decision.carriedText, request.startedMs);
  return forwardRequest(head, forwarding, {
    forwarded: exchange.downstream.forwarded,
    isChunked: framing.kind === Body.chunked,
    replaced,
    ownNames: head.hasOtherOptions ? ownNames(exchange.plan.snapshot.propagation) : NO_NAMES,
    fields,
    defaultHost: exchange.decision.group!.upstream.name,
    isUpgrade: exchange.request.isUpgradeAsked,
  });
}

/** Once for a request, however often its head is written. */
function beginSpan({ plane, request }: Exchange, isFresh: boolean): void {
  const { traceparent } = request;
  if (isFresh || isTraceparent(traceparent)) request.span ??= plane.tracing!.begin(traceparent, isFresh);
}

const NO_NAMES: readonly string[] = [];

function ownNames(propagation: PropagationSettings): readonly string[] {
  const { header, overrideHeader, explainHeader, tokenHeader } = propagation;
  return [header, overrideHeader, explainHeader, tokenHeader];
}
