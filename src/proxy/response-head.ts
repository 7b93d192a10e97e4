/** The response head for the client: the forwarding rules, and what the sidecar adds and reads of its own. */
import { reasonText } from '../experiment/assign.ts';
import { Field } from '../http1/field.ts';
import { Body, type Framing } from '../http1/framing.ts';
import type { Head } from '../http1/head.ts';
import { cacheLines } from '../routing/cache-policy.ts';
import { editedResponse, forwardResponse, type ResponseFacts } from '../routing/forward.ts';
import { measureHead } from './collection.ts';
import type { Exchange } from './exchange.ts';
import { servedText } from './served-text.ts';

const BARE: ResponseFacts = {
  isChunked: false,
  isClose: false,
  isKeptAlive10: false,
  isUpgrade: false,
  replaced: null,
  fields: '',
};

/** A 1xx as it is passed on. */
export function informationalHead(head: Head): string {
  return forwardResponse(head, BARE);
}

/** The 101 that opens a tunnel. */
export function upgradeHead(exchange: Exchange, head: Head): string {
  return forwardResponse(head, {
    ...BARE,
    isUpgrade: true,
    replaced: replacedBy(exchange),
    fields: responseFields(exchange, head),
  });
}

/** Does a body that came with this framing go to the client chunked? An HTTP/1.0 client gets the bare bytes. */
export function isSentChunked(versionMinor: number, framing: Framing): boolean {
  return versionMinor === 1 && (framing.kind === Body.chunked || framing.kind === Body.untilClose);
}

/** The final head; null: just as it came. `isClose`: the client's connection ends behind this response. */
export function responseHead(
  exchange: Exchange,
  head: Head,
  framing: Framing,
  isClose: boolean,
): string | null {
  const { versionMinor } = exchange.request;
  return editedResponse(head, {
    isChunked: isSentChunked(versionMinor, framing),
    isClose,
    isKeptAlive10: versionMinor === 0 && !isClose,
    isUpgrade: false,
    replaced: replacedBy(exchange),
    fields: responseFields(exchange, head),
  });
}

/** The hint for caches is ours: that of a sidecar further up says what served there. */
function replacedBy({ decision }: Exchange): string | null {
  return decision.count === 0 ? null : decision.route!.cache.keyHint;
}

/** Lines to add to the response head, '' for none: what is sticky, what caches are told, what a tester asked for. */
function responseFields(exchange: Exchange, head: Head): string {
  const { decision } = exchange;
  if (decision.count === 0) return '';
  if (decision.route!.isCollected) measureHead(exchange, head);
  const { cache } = decision.route!;
  if (cache.keyHint !== null || head.first(Field.xFairleadVariant) >= 0)
    exchange.plane.cacheWatch.look(decision, head, exchange.plane.deadlines.nowMs);
  // A 304 updates what caches have stored (RFC 9111 section 4.3.4), and that is not one client's.
  const sticky = head.status === 304 ? '' : decision.stickyFields();
  const told = sticky === '' ? cache : { ...cache, isPrivate: true };
  let fields = sticky + cacheLines(told, exchange.request.method, head);
  if (exchange.request.isExplainAsked) fields += `x-experiment-reason: ${reasons(exchange)}\r\n`;
  if (exchange.request.isExplainAsked || exchange.plan.snapshot.propagation.responseVariant) {
    fields += `x-fairlead-variant: ${servedText(decision.participations, decision.count)}\r\n`;
  }
  if (cache.keyHint !== null)
    fields += `${cache.keyHint}: ${servedText(decision.participations, decision.count)}\r\n`;
  return fields;
}

/** `ranking=split:0.0731`, and `;served=control;cause=breaker` when another variant answered (RFC 9651 dictionary). */
function reasons(exchange: Exchange): string {
  const { participations, count } = exchange.decision;
  const fault = exchange.attempt.faults?.done ? `;fault="${exchange.attempt.faults.done}"` : '';
  return participations
    .slice(0, count)
    .map(({ assignment, served, cause }) => {
      const other = cause === null ? '' : `;served=${served!.variant.name};cause=${cause}`;
      return `${assignment!.experiment.name}=${reasonText(assignment!)}${other}${fault}`;
    })
    .join(', ');
}

/** Half a second before the upstream drops an idle connection, by its own `Keep-Alive: timeout=` in seconds. */
const KEEP_ALIVE_MARGIN_MS = 500;

/** How long the upstream says it keeps an idle connection, in milliseconds; Infinity when it does not say. */
export function upstreamIdleMs(head: Head): number {
  if (head.first(Field.keepAlive) < 0) return Number.POSITIVE_INFINITY;
  const match = /(?:^|[,\s])timeout=(\d{1,6})(?:[,\s]|$)/.exec(head.header('keep-alive')!);
  return match === null
    ? Number.POSITIVE_INFINITY
    : Math.max(0, Number(match[1]) * 1000 - KEEP_ALIVE_MARGIN_MS);
}
