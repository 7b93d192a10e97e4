/**
 * Which variant a described request would get, and every step of why: the same functions as the request path, in the
 * same order, with their trace kept. Pure but for the entropy it is handed; takes no place in a breaker.
 */
import { createHmac } from 'node:crypto';
import type { Random } from '../base/clock.ts';
import type { Direction, Route, Snapshot } from '../config/snapshot.ts';
import { reasonText } from '../experiment/assign.ts';
import { bucketNumber } from '../experiment/bucket-number.ts';
import { cookiesIn, describedAttributes } from '../experiment/described-request.ts';
import { evaluate } from '../experiment/evaluate.ts';
import type { Assignment, Experiment, RequestAttributes } from '../experiment/model.ts';
import { variantNamed } from '../experiment/override.ts';
import type { TokenFields } from '../identity/carrier.ts';
import { writeBaggage } from '../propagation/baggage.ts';
import { type Carried, writeExperimentHeader } from '../propagation/header.ts';
import { parameterOf } from '../routing/path-parameters.ts';
import { type DescribedToken, describedSticky, describedToken } from './explain-identity.ts';
import { type Decided, type IsOpen, type Served, servedOn } from './explain-served.ts';
import { type DescribedTrust, describedTrust } from './explain-trust.ts';

export interface DescribedRequest {
  readonly direction: Direction;
  readonly method: string;
  /** With port or without; '' when there is none. */
  readonly host: string;
  readonly path: string;
  /** Without the `?`. */
  readonly query: string;
  /** Names in lower case; several of one name are already joined. */
  readonly headers: ReadonlyMap<string, string>;
  /** As a client certificate would have it; null: there is none. */
  readonly clientIdentity: string | null;
  /** Null: not known. */
  readonly clientAddress: string | null;
  /** The name of the listener it comes to; the first of its direction unless given. */
  readonly listener?: string | undefined;
}

export interface ExperimentExplanation {
  readonly experiment: string;
  /** A sentence for each question that was asked, in order. */
  readonly steps: readonly string[];
  readonly assigned: string;
  readonly reason: string;
  /** Where the unit was read and what it is, hashed unless it was asked for; null when none was read. */
  readonly unit: { readonly source: string; readonly hash: string; readonly value?: string } | null;
  /** In [0, 1,000,000); null when the split was not asked. */
  readonly slot: number | null;
  readonly upstream: string;
  readonly breaker: string;
  /** The variant that answers. */
  readonly served: string;
  /** Why it is not the one assigned; null: it is. */
  readonly servedBecause: Served['because'];
}

/** An experiment that is not on the route, and that one on it requires. */
export interface RequiredExplanation {
  readonly experiment: string;
  readonly steps: readonly string[];
  readonly assigned: string;
  readonly reason: string;
}

export interface Explanation {
  readonly request: {
    readonly direction: Direction;
    readonly method: string;
    readonly host: string;
    readonly path: string;
  };
  readonly route: { readonly name: string; readonly upstream: string } | null;
  /** Experiment and variant as the caller sent them, known here or not. */
  readonly carried: readonly {
    readonly experiment: string;
    readonly variant: string | null;
    readonly isKnown: boolean;
  }[];
  /** Said about the carried context when something is wrong with it. */
  readonly notes: readonly string[];
  readonly experiments: readonly ExperimentExplanation[];
  readonly required: readonly RequiredExplanation[];
  /** Where the request goes; of a file, if no breaker is open; null without a route, or when the answer is 503. */
  readonly upstream: { readonly name: string; readonly endpoints: readonly string[] } | null;
  /** What the upstream request would carry. */
  readonly forwarded: Readonly<Record<string, string>>;
}

const HASH_DIGITS = 16;

export interface ExplainContext {
  /** Only asked for experiments whose unit is the request. */
  readonly random: Random;
  /** For experiments with dates: milliseconds since the epoch. */
  readonly wallMs: number;
  readonly showUnit: boolean;
  /** The breakers of a running sidecar; null or absent: there is none. */
  readonly isOpen?: IsOpen;
}

export function explainRequest(
  snapshot: Snapshot,
  request: DescribedRequest,
  { showUnit, isOpen = null, ...sources }: ExplainContext,
): Explanation {
  const route = snapshot.routes[request.direction].match(request.host, request.path, request.method);
  const { method, host, path, direction } = request;
  const token = describedToken(snapshot, fieldsOf(request), sources.wallMs);
  const attributes = attributesOf(request, route, token);
  const trust = describedTrust(snapshot, request, attributes, sources.wallMs);
  const { carried, overrides, ignoresRoutingKeys } = trust;
  const steps = new Map<Experiment, string[]>();
  const sticky = describedSticky(snapshot, route, attributes, sources.wallMs);
  const excluded = snapshot.classifier?.classOf(attributes) ?? null;
  const given = {
    request: attributes,
    context: carried,
    overrides,
    sticky,
    excluded,
    ignoresRoutingKeys,
    ...sources,
  };
  const assignments = evaluate(orderOf(route), given, { steps });
  const decided = (route?.experiments ?? []).map((planned) => ({
    planned,
    assignment: assignments.get(planned.experiment)!,
  }));
  const outcome = route === null ? null : servedOn(route, decided, isOpen);
  const onRoute = new Set(decided.map(({ planned }) => planned.experiment));
  return {
    request: { direction, method, host, path },
    route: route === null ? null : { name: route.name, upstream: route.upstream.name },
    carried: (carried?.members ?? []).map(({ name, variant }) => ({
      experiment: name,
      variant,
      isKnown: snapshot.experiments.has(name),
    })),
    notes: [...trust.notes, ...notesOf(carried, route), ...token.notes, ...refusalOf(outcome)],
    experiments: decided.map((one, index) =>
      explanationOf(one, snapshot, {
        steps: steps.get(one.planned.experiment)!,
        served: outcome!.served[index]!,
        showUnit,
      }),
    ),
    required: [...assignments.values()].flatMap((assignment) =>
      onRoute.has(assignment.experiment)
        ? []
        : [
            {
              experiment: assignment.experiment.name,
              steps: steps.get(assignment.experiment)!,
              assigned: assignment.variant.name,
              reason: reasonText(assignment),
            },
          ],
    ),
    upstream: destination(outcome),
    forwarded: forwarded(snapshot, trust, decided, outcome),
  };
}

/** The experiments of the route, and what they require. */
function orderOf(route: Route | null): readonly Experiment[] {
  return route?.order ?? route?.experiments.map(({ experiment }) => experiment) ?? [];
}

function explanationOf(
  { planned, assignment }: Decided,
  snapshot: Snapshot,
  {
    steps,
    served,
    showUnit,
  }: { readonly steps: readonly string[]; readonly served: Served; readonly showUnit: boolean },
): ExperimentExplanation {
  const { experiment, variant, unit } = assignment;
  return {
    experiment: experiment.name,
    steps,
    assigned: variant.name,
    reason: reasonText(assignment),
    unit:
      unit === null
        ? null
        : {
            source: assignment.unitSource ?? '',
            hash: createHmac('sha256', snapshot.exposures.key)
              .update(unit)
              .digest('hex')
              .slice(0, HASH_DIGITS),
            ...(showUnit ? { value: unit } : {}),
          },
    slot: assignment.slot === -1 ? null : assignment.slot,
    upstream: planned.variants[variant.index]?.upstream.name ?? '',
    breaker: breakerText(served, assignment),
    served: served.variant,
    servedBecause: served.because,
  };
}

function breakerText({ breaker }: Served, { variant, experiment }: Assignment): string {
  const { fallback } = experiment;
  const instead = variant.index === fallback.index ? 'the answer is 503' : `${fallback.name} serves`;
  if (breaker === 'unknown') return `when it is open, ${instead}`;
  return breaker === 'open' ? `open, so ${instead}` : breaker;
}

type Outcome = ReturnType<typeof servedOn> | null;

function destination(outcome: Outcome): Explanation['upstream'] {
  if (outcome === null || outcome.isUnavailable) return null;
  const { name, endpoints } = outcome.upstream;
  return { name, endpoints: endpoints.map((endpoint) => endpoint.id) };
}

function refusalOf(outcome: Outcome): string[] {
  return outcome?.isUnavailable
    ? ['the breaker of a last resort is open, so the answer is 503 breaker_open']
    : [];
}

function forwarded(
  snapshot: Snapshot,
  { carried, baggage: before, isKeptIn }: DescribedTrust,
  decided: readonly Decided[],
  outcome: Outcome,
): Record<string, string> {
  if (isKeptIn) return {};
  const members = decided
    .filter(({ assignment }) => assignment.isCarried)
    .map(({ assignment }) => ({ name: assignment.experiment.name, variant: assignment.variant.name }));
  const header = writeExperimentHeader(carried, members);
  const baggage = snapshot.propagation.baggage ? writeBaggage(before, members) : '';
  return {
    ...(header === '' ? {} : { [snapshot.propagation.header]: header }),
    ...(baggage === '' ? {} : { baggage }),
    ...bucketsOf(decided, outcome),
  };
}

/** What a neighbouring Envoy is told, by the field that it reads. */
function bucketsOf(decided: readonly Decided[], outcome: Outcome): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [index, { assignment }] of decided.entries()) {
    const { experiment, slot } = assignment;
    const served = variantNamed(experiment, outcome?.served[index]?.variant ?? '');
    if (experiment.bucketHeader === null || served === null) continue;
    const bucket = bucketNumber(experiment, served, slot);
    if (bucket !== null) fields[experiment.bucketHeader] = String(bucket);
  }
  return fields;
}

function notesOf(carried: Carried | null, route: Route | null): string[] {
  const notes: string[] = [];
  if (carried?.isMalformed) notes.push('the experiment header is not an RFC 9651 dictionary and is ignored');
  if (carried?.isTruncated) notes.push('the carried context is over its bounds and is cut');
  if (route === null) notes.push('no route matches, so the answer is 404 route_not_found');
  else if (route.experiments.length === 0) notes.push('no experiment is on this route');
  return notes;
}

function fieldsOf({ headers }: DescribedRequest): TokenFields {
  const cookies = cookiesIn(headers.get('cookie') ?? null);
  return {
    header: (name) => headers.get(name) ?? null,
    cookie: (name) => cookies.get(name) ?? null,
  };
}

function attributesOf(
  request: DescribedRequest,
  route: Route | null,
  { claim }: DescribedToken,
): RequestAttributes {
  const { method, path, headers, clientIdentity, clientAddress } = request;
  const parameters = route?.parameters ?? null;
  return describedAttributes({
    method,
    path,
    headers,
    cookies: cookiesIn(headers.get('cookie') ?? null),
    query: new URLSearchParams(request.query),
    pathParameters: {
      get: (name) => (parameters === null ? null : parameterOf(parameters, path, name)),
    },
    clientIdentity,
    clientAddress,
    claim,
  });
}
