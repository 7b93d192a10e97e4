/**
 * What of a described request its listener would believe: the gate of the request path itself, over a head made from
 * the description. Nothing is counted anywhere that lasts.
 */
import type { ListenerSettings, Snapshot } from '../config/snapshot.ts';
import type { RequestAttributes } from '../experiment/model.ts';
import { type Overrides, parseOverride } from '../experiment/override.ts';
import { Head, parseRequestHead } from '../http1/head.ts';
import { withoutMalformed } from '../propagation/baggage.ts';
import { type Carried, readCarried } from '../propagation/header.ts';
import { UNKNOWN_ADDRESS } from '../proxy/peer.ts';
import { gateFor, UNTRUSTED } from '../proxy/trust-gate.ts';
import { tokenPlan, trustPlan } from '../proxy/trust-plan.ts';
import { LabelBudget } from '../telemetry/label-sets.ts';
import { TrustMetrics } from '../telemetry/trust-metrics.ts';
import type { DescribedRequest } from './explain-request.ts';

export interface DescribedTrust {
  readonly carried: Carried | null;
  /** As it would go on, without what is not believed. */
  readonly baggage: string | null;
  readonly overrides: Overrides | null;
  readonly ignoresRoutingKeys: boolean;
  /** Nothing of ours may go to the host of the request. */
  readonly isKeptIn: boolean;
  readonly notes: readonly string[];
}

const WORDS: Readonly<Record<(typeof UNTRUSTED)[number], string>> = {
  header: 'the experiment header',
  baggage: 'our baggage',
  explain: 'the wish for reasons',
  token: 'the token',
  override: 'the override header',
  cookie: 'the override cookie',
};

/** More than any label set of one listener. */
const LABEL_SETS_MAX = 100;

export function describedTrust(
  snapshot: Snapshot,
  request: DescribedRequest,
  attributes: RequestAttributes,
  wallMs: number,
): DescribedTrust {
  const listener = listenerOf(snapshot, request);
  const metrics = new TrustMetrics(new LabelBudget(LABEL_SETS_MAX));
  const plan =
    listener === null
      ? null
      : trustPlan(listener, snapshot, tokenPlan(snapshot), {
          metrics: { trust: metrics },
          clock: { wallMs: () => wallMs },
        });
  const address = request.clientAddress ?? UNKNOWN_ADDRESS;
  const gate = gateFor(plan, { address, scheme: 'http', identity: request.clientIdentity });
  const head = gate === null ? null : headOf(request);
  if (gate === null || head === null) return asSent(snapshot, request, attributes);
  gate.open(head, attributes, 0);
  const { header, baggage, vouched, overrides, mayOverride } = gate;
  const isKeptIn = plan!.internalHosts !== null && !plan!.internalHosts.has(request.host);
  const notes = UNTRUSTED.filter((what) => metrics.untrusted(listener!.name, what).value > 0).map(
    (what) => `${WORDS[what]} is not believed at listener ${listener!.name}, so it is ignored and stripped`,
  );
  for (const { purpose, result } of metrics.tokensSeen())
    notes.push(`a signed ${purpose} is ${result === 'accepted' ? 'believed' : `refused: ${result}`}`);
  if (isKeptIn) notes.push('the host is not internal, so nothing of ours goes there');
  return {
    carried: vouched ?? readCarried(header, baggage),
    baggage: baggage === null ? null : withoutMalformed(baggage),
    overrides,
    ignoresRoutingKeys: !mayOverride,
    isKeptIn,
    notes,
  };
}

function listenerOf({ listeners }: Snapshot, request: DescribedRequest): ListenerSettings | null {
  const { listener: name = null, direction } = request;
  const isMeant = (one: ListenerSettings) =>
    name === null ? one.direction === direction : one.name === name;
  return listeners.find(isMeant) ?? null;
}

function asSent(
  { propagation }: Snapshot,
  { headers }: DescribedRequest,
  attributes: RequestAttributes,
): DescribedTrust {
  const { header, overrideHeader, overrideCookie } = propagation;
  const baggage = propagation.baggage ? (headers.get('baggage') ?? null) : null;
  return {
    carried: readCarried(headers.get(header) ?? null, baggage),
    baggage: baggage === null ? null : withoutMalformed(baggage),
    overrides: parseOverride(attributes.header(overrideHeader), attributes.cookie(overrideCookie)),
    ignoresRoutingKeys: false,
    isKeptIn: false,
    notes: [],
  };
}

/** Null when it cannot be a request; then there is nothing to believe either. */
function headOf({ method, host, headers }: DescribedRequest): Head | null {
  let text = `${method} / HTTP/1.1\r\nhost: ${host === '' ? 'none' : host}\r\n`;
  for (const [name, value] of headers) if (name !== 'host') text += `${name}: ${value}\r\n`;
  const bytes = Buffer.from(`${text}\r\n${'\0'.repeat(16)}`, 'latin1');
  const head = new Head();
  const limits = { headMaxBytes: bytes.length, targetMaxBytes: 16, fieldsMax: headers.size + 1 };
  return parseRequestHead(head, bytes, 0, bytes.length - 16, limits) > 0 ? head : null;
}
