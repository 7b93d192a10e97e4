/**
 * The Snapshot bound to what remembers: per route, experiment and variant the pools, the breaker and the counters,
 * so that a request finds each with one property read. Made once per Snapshot; what it binds outlives it.
 */
import type { Clock } from '../base/clock.ts';
import { breakerName } from '../config/breakers.ts';
import type { JwtSettings } from '../config/compile-identity.ts';
import type {
  Direction,
  Route,
  RouteExperiment,
  RouteVariant,
  Snapshot,
  Upstream,
} from '../config/snapshot.ts';
import type { Experiment, Variant } from '../experiment/model.ts';
import type { ChunkLimits } from '../http1/decode.ts';
import type { Head } from '../http1/head.ts';
import { writeBaggage } from '../propagation/baggage.ts';
import { writeExperimentHeader } from '../propagation/header.ts';
import type { MemorySettings } from '../propagation/memory.ts';
import type { Breaker } from '../resilience/breaker.ts';
import type { FailureRule } from '../resilience/failure-rule.ts';
import { type ClaimSource, pathOf } from '../routing/attributes.ts';
import { NOT_FOUND } from '../routing/path-table.ts';
import type { Collector, Recorder } from '../telemetry/collection/recorder.ts';
import type { ContextField } from '../telemetry/context-metrics.ts';
import type { Counter, Metrics } from '../telemetry/metrics.ts';
import type { Contexts } from './context-memory.ts';
import { Exclusion } from './exclusion.ts';
import { type Failover, failoverPlan } from './failover-plan.ts';
import type { HedgeRule } from './hedge.ts';
import { Interned } from './interned.ts';
import type { Limits } from './limits.ts';
import type { Mirrors } from './mirrors.ts';
import { OutboundCalls } from './outbound-calls.ts';
import {
  ExperimentCounters,
  ExperimentPlan,
  type Judged,
  RoutePlan,
  type RouteRules,
  type RouteTimeouts,
  type VariantRules,
  VariantTarget,
} from './route-plan.ts';
import { stickyPlanFor } from './sticky-plan.ts';
import { TimeFields } from './time-fields.ts';
import { type TrustPlan, tokenPlan, trustPlan } from './trust-plan.ts';
import type { UpstreamGroup } from './upstream-group.ts';
import { hintsOf } from './upstream-hints.ts';

export type {
  ExperimentPlan,
  FallbackCause,
  Judged,
  RoutePlan,
  RouteTimeouts,
  VariantTarget,
} from './route-plan.ts';

/** Extensions are dropped, and trailers are few: nobody needs more of either. */
const CHUNK_LIMITS = { extensionMaxBytes: 1024, trailerMaxBytes: 8192 };

/** What the plan binds the Snapshot to. */
export interface Memory {
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly metrics: Metrics;
  /** What requests carry, by their ids; null: that is not remembered. */
  contexts(settings: MemorySettings | null): Contexts | null;
  /** Reads the tokens of requests; null: nobody does. */
  claims(settings: JwtSettings | null): ClaimSource | null;
  group(upstream: Upstream): UpstreamGroup;
  breaker(name: string, variant: RouteVariant): Breaker | null;
  readonly limits: Limits;
  /** Null: nothing is analysed here. */
  readonly recorder: Pick<Recorder, 'collector'> | null;
  readonly mirrors: Mirrors;
}

export class Plan {
  readonly snapshot: Snapshot;
  /** Of requests and of responses. */
  readonly requestChunks: ChunkLimits;
  readonly responseChunks: ChunkLimits;
  /** Reads how long a request may take; null: no field says it. */
  readonly timeFields: TimeFields | null;
  /** Fields that were left out, whole or in part. */
  readonly malformed: Readonly<Record<ContextField, Counter>>;
  /** By `Route.index`. */
  readonly #routes: Readonly<Record<Direction, readonly RoutePlan[]>>;
  readonly #trust = new Map<string, TrustPlan | null>();

  constructor(snapshot: Snapshot, memory: Memory) {
    this.snapshot = snapshot;
    this.timeFields = TimeFields.of(snapshot.deadlines);
    const { header, overrideHeader, explainHeader, tokenHeader } = snapshot.propagation;
    const forbiddenTrailers = [header, overrideHeader, explainHeader, tokenHeader];
    this.responseChunks = { ...CHUNK_LIMITS, forbiddenTrailers };
    // An upstream that takes trailers for fields would see another user than the one the variant was chosen for.
    const deciding = [...forbiddenTrailers, ...snapshot.decidingFields];
    this.requestChunks = { ...CHUNK_LIMITS, forbiddenTrailers: deciding };
    const { contexts } = memory.metrics;
    this.malformed = {
      experiment: contexts.malformed('experiment'),
      baggage: contexts.malformed('baggage'),
      traceparent: contexts.malformed('traceparent'),
      tracestate: contexts.malformed('tracestate'),
    };
    const tokens = tokenPlan(snapshot);
    for (const listener of snapshot.listeners)
      this.#trust.set(listener.name, trustPlan(listener, snapshot, tokens, memory));
    const planning = { snapshot, memory, shared: new Shared(snapshot, memory.metrics) };
    const plans = (direction: Direction) =>
      snapshot.routes[direction].all.map((route) => planRoute(route, planning));
    this.#routes = { inbound: plans('inbound'), outbound: plans('outbound') };
  }

  /** How the trust of a listener is kept; null: there is nothing to keep. */
  trustOf(listener: string): TrustPlan | null {
    return this.#trust.get(listener) ?? null;
  }

  /** Is a request body of so many bytes more than may be? */
  isTooLarge(bytes: number): boolean {
    const { bodyMaxBytes } = this.snapshot.limits;
    return bodyMaxBytes > 0 && bytes > bodyMaxBytes;
  }

  /** The route for a request, or null. */
  match(direction: Direction, head: Head): RoutePlan | null {
    const table = this.snapshot.routes[direction];
    const index = table.indexOf(table.hasHosts ? (head.host() ?? '') : '', pathOf(head), head.method);
    return index === NOT_FOUND ? null : this.#routes[direction][index]!;
  }
}

/**
 * Strings that are written again and again: each once, however many routes have it, and not as references to the
 * parts it was put together from, which would be put together anew at each write.
 */
class FlatTexts {
  readonly #texts = new Map<string, string>();

  of(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    const flat = Buffer.from(text, 'latin1').latin1Slice();
    this.#texts.set(text, flat);
    return flat;
  }
}

/** What is made once for all routes of a Snapshot. */
class Shared {
  readonly texts = new FlatTexts();
  readonly routes = new Interned<RouteRules>();
  readonly variants = new Interned<VariantRules>();
  readonly judged = new Interned<Judged>();
  readonly failovers = new Interned<Failover>();
  readonly streaming: RouteTimeouts;
  readonly exclusion: Exclusion | null;
  readonly #counters = new Map<string, ExperimentCounters>();
  readonly #metrics: Metrics;

  constructor({ timeouts, classifier }: Snapshot, metrics: Metrics) {
    // Of a stream only silence is limited, as that of a tunnel is.
    const { tunnelIdleMs } = timeouts;
    this.streaming = { firstByteMs: tunnelIdleMs, stallMs: tunnelIdleMs, requestMs: 0 };
    this.exclusion = classifier === null ? null : new Exclusion(classifier, metrics);
    this.#metrics = metrics;
  }

  counters(experiment: Experiment): ExperimentCounters {
    const known = this.#counters.get(experiment.name);
    if (known !== undefined) return known;
    const counters = new ExperimentCounters(experiment, this.#metrics);
    this.#counters.set(experiment.name, counters);
    return counters;
  }
}

interface Planning {
  readonly snapshot: Snapshot;
  readonly memory: Memory;
  readonly shared: Shared;
}

function planRoute(route: Route, planning: Planning): RoutePlan {
  const { snapshot, memory, shared } = planning;
  const contexts = memory.contexts(snapshot.propagation.join);
  const { isStreaming, order, parameters, cache } = route;
  const failover = failoverPlan(route);
  const experiments = route.experiments.map((experiment) => planExperiment(route, experiment, planning));
  const assigned = order ?? route.experiments.map(({ experiment }) => experiment);
  const rules: RouteRules = {
    isStreaming,
    order,
    parameters,
    cache,
    timeouts: isStreaming ? shared.streaming : snapshot.timeouts,
    retry: route.retry,
    failover: failover === null ? null : shared.failovers.of(failover),
    hedge: hedgeRule(route, memory.metrics),
    isBudgeted: route.retry.on !== null || (failover !== null && failover.budget !== null),
    group: memory.group(route.upstream),
    admission: memory.limits.admission(route),
    isCollected: experiments.some(({ collector }) => collector !== null),
    mirror: memory.mirrors.ofRoute(route, experiments),
    clock: assigned.some(({ schedule }) => schedule !== null) ? memory.clock : null,
    claims: memory.claims(snapshot.identity),
    sticky: stickyPlanFor(route, snapshot, memory),
    exclusion: shared.exclusion,
    hints: hintsOf(route),
    refusesUnknown: route.experiments.some(({ experiment }) => experiment.refusesUnknown),
    judged: shared.judged.of({ slowThresholdMs: Number.POSITIVE_INFINITY, failures: route.failures }),
    fieldRules: fieldRulesOf(route),
    remembers: route.direction === 'inbound' ? contexts : null,
    calls:
      route.direction === 'outbound' && contexts !== null
        ? new OutboundCalls(route, contexts, memory.metrics.contexts, snapshot.propagation.internalHosts)
        : null,
  };
  const series = memory.metrics.requests(route.direction, route.name, '', '');
  return new RoutePlan(route, experiments, series, shared.routes.of(rules));
}

/** The rules of a route that look at fields. */
function fieldRulesOf({ failures, experiments }: Route): FailureRule[] | null {
  const rules = new Set([failures, ...experiments.map((experiment) => experiment.failures)]);
  const looking = [...rules].filter(({ fields }) => fields.length > 0);
  return looking.length === 0 ? null : looking;
}

function hedgeRule({ retry, name }: Route, metrics: Metrics): HedgeRule | null {
  const afterMs = retry.hedgeAfterMs;
  return afterMs === 0 ? null : { afterMs, counters: metrics.recoveries.hedges(name) };
}

function planExperiment(route: Route, planned: RouteExperiment, planning: Planning): ExperimentPlan {
  const { memory, shared } = planning;
  const { experiment } = planned;
  const targets = planned.variants.map((routeVariant, index): VariantTarget => {
    const variant = experiment.variants[index]!;
    return new VariantTarget(
      variantRules(planned, variant, routeVariant, planning),
      memory.breaker(breakerName(route.name, experiment.name, variant.name), routeVariant),
      memory.metrics.requests(route.direction, route.name, experiment.name, variant.name),
    );
  });
  const collector = collectorFor(route, experiment, planning);
  const plan = new ExperimentPlan(targets, collector, shared.counters(experiment));
  for (const target of targets)
    target.breaker?.compareWith(target === plan.fallback ? null : plan.fallback.breaker);
  return plan;
}

function variantRules(
  { experiment, failures }: RouteExperiment,
  variant: Variant,
  { upstream, breaker }: RouteVariant,
  { snapshot, memory, shared }: Planning,
): VariantRules {
  const members = [{ name: experiment.name, variant: variant.name }];
  return shared.variants.of({
    variant,
    group: memory.group(upstream),
    limits: memory.limits.ofVariant(experiment.name, variant.name, upstream),
    slowThresholdMs: breaker?.slow?.thresholdMs ?? Number.POSITIVE_INFINITY,
    failures,
    contextFields: shared.texts.of(contextFields(snapshot, members)),
    contextText: shared.texts.of(writeExperimentHeader(null, members)),
  });
}

function collectorFor(
  route: Route,
  { name, epoch, variants }: Experiment,
  { snapshot, memory }: Planning,
): Collector | null {
  const analysis = snapshot.analyses.get(name);
  if (analysis === undefined || memory.recorder === null) return null;
  const { digest, measures } = analysis;
  const shares = variants.map(({ weightPpm }) => weightPpm);
  return memory.recorder.collector({ experiment: name, route: route.name, digest, epoch, shares, measures });
}

function contextFields(snapshot: Snapshot, members: readonly { name: string; variant: string }[]): string {
  const { header, baggage } = snapshot.propagation;
  const line = `${header}: ${writeExperimentHeader(null, members)}\r\n`;
  return baggage ? `${line}baggage: ${writeBaggage(null, members)}\r\n` : line;
}
