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
  request.requestId = head.first(Field.requestId) >= 0 ? head.header('x-request-id')! : '';
  request.traceparent = head.first(Field.traceparent) >= 0 ? head.header('traceparent')! : '';
  const isIdNeeded = forwarding.requestId && request.requestId === '';
  const isTraceNeeded = forwarding.traceparent && !isTraceparent(request.traceparent);
  if (isIdNeeded || isTraceNeeded) ids.advance();
  if (isIdNeeded) {
    if (head.first(Field.requestId) >= 0) replaced = [...replaced, 'x-request-id'];
    request.requestId = ids.requestId;
    if (!isTraceNeeded) fields += ids.requestIdLine;
  }
  const { malformed } = exchange.plan;
  if (exchange.plane.tracing !== null) beginSpan(exchange, isTraceNeeded);
  if (isTraceNeeded) {
    if (request.traceparent !== '') {
      replaced = [...replaced, 'traceparent'];
      malformed.traceparent.value++;
    }
    // It belongs to the trace that could not be read, or to none.
    if (head.first(Field.tracestate) >= 0) replaced = [...replaced, 'tracestate'];
    if (request.span === null) {
      request.traceparent = ids.traceparent;
      fields += isIdNeeded ? ids.lines : ids.traceparentLine;
    } else if (isIdNeeded) fields += ids.requestIdLine;
  } else if (forwarding.traceparent && head.first(Field.tracestate) >= 0) {
    if (!isTracestate(head.header('tracestate')!)) {
      replaced = [...replaced, 'tracestate'];
      malformed.tracestate.value++;
    }
  }
  if (request.span !== null && forwarding.traceparent) {
    if (!isTraceNeeded) replaced = [...replaced, 'traceparent'];
    request.traceparent = request.span.traceparent;
    fields += `traceparent: ${request.traceparent}\r\n`;
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
  const traceparent = isFresh ? plane.ids.traceparent : request.traceparent;
  if (isFresh || isTraceparent(traceparent)) request.span ??= plane.tracing!.begin(traceparent, isFresh);
}

const NO_NAMES: readonly string[] = [];

function ownNames(propagation: PropagationSettings): readonly string[] {
  const { header, overrideHeader, explainHeader, tokenHeader } = propagation;
  return [header, overrideHeader, explainHeader, tokenHeader];
}
