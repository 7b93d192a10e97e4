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
import type { Experiment, Reason, Variant } from '../experiment/model.ts';
import type { ChunkLimits } from '../http1/decode.ts';
import type { Head } from '../http1/head.ts';
import { writeBaggage } from '../propagation/baggage.ts';
import { writeExperimentHeader } from '../propagation/header.ts';
import type { MemorySettings } from '../propagation/memory.ts';
import type { Breaker } from '../resilience/breaker.ts';
import type { FailureRule } from '../resilience/failure-rule.ts';
import type { RetrySettings } from '../resilience/retry.ts';
import { type ClaimSource, pathOf } from '../routing/attributes.ts';
import type { Collector, Recorder } from '../telemetry/collection/recorder.ts';
import type { ContextField } from '../telemetry/context-metrics.ts';
import type { Counter, Metrics, RequestSeries } from '../telemetry/metrics.ts';
import type { Contexts } from './context-memory.ts';
import { Exclusion } from './exclusion.ts';
import { type Failover, failoverPlan } from './failover-plan.ts';
import type { HedgeRule } from './hedge.ts';
import type { Admission, Limits, VariantLimits } from './limits.ts';
import type { Mirrors, RouteMirror } from './mirrors.ts';
import { OutboundCalls } from './outbound-calls.ts';
import { type StickyPlan, stickyPlanFor } from './sticky-plan.ts';
import { TimeFields } from './time-fields.ts';
import { type TrustPlan, tokenPlan, trustPlan } from './trust-plan.ts';
import type { UpstreamGroup } from './upstream-group.ts';
import { hintsOf, type UpstreamHints } from './upstream-hints.ts';

/** Why an assigned variant was not served. */
export type FallbackCause = 'breaker' | 'conflict' | 'failover' | 'overload' | 'rate-limit';

/** By what the outcome of a call is judged. */
export interface Judged {
  /** The breaker's slow threshold, Infinity without one. */
  readonly slowThresholdMs: number;
  readonly failures: FailureRule;
}

/** A variant of an experiment on a route. */
export interface VariantTarget extends Judged {
  readonly variant: Variant;
  readonly group: UpstreamGroup;
  readonly breaker: Breaker | null;
  /** What may be under way and come in; null: whatever does. */
  readonly limits: VariantLimits | null;
  readonly series: RequestSeries;
  /** The context lines when this is all there is to carry: the usual case. */
  readonly contextFields: string;
  /** And as the value of the experiment field alone. */
  readonly contextText: string;
}

export interface ExperimentPlan {
  readonly experiment: Experiment;
  /** In the order of `experiment.variants`. */
  readonly targets: readonly VariantTarget[];
  readonly fallback: VariantTarget;
  /** Counter of assignments; looked up without building a key, since it is asked for on every request. */
  assigned(variant: Variant, reason: Reason): Counter;
  fellBack(cause: FallbackCause): Counter;
  /** Takes down what becomes of its requests; null: it is not analysed. */
  readonly collector: Collector | null;
}

/** What a request on a route may take, in milliseconds; 0: no limit. See `Timeouts` of the Snapshot. */
export interface RouteTimeouts {
  readonly firstByteMs: number;
  readonly stallMs: number;
  readonly requestMs: number;
}

export interface RoutePlan {
  readonly route: Route;
  readonly timeouts: RouteTimeouts;
  /** What is tried again. */
  readonly retry: RetrySettings;
  /** When the fallback serves what another variant has failed; null: never. */
  readonly failover: Failover | null;
  /** When a second attempt is made beside a late one; null: never. */
  readonly hedge: HedgeRule | null;
  /** Its requests are what budgets are shares of. */
  readonly isBudgeted: boolean;
  readonly group: UpstreamGroup;
  /** What stands before its requests; null: nothing. */
  readonly admission: Admission | null;
  readonly experiments: readonly ExperimentPlan[];
  /** One of them is analysed. */
  readonly isCollected: boolean;
  /** Null: no experiment that is assigned here has dates. */
  readonly clock: Pick<Clock, 'wallMs'> | null;
  /** Reads the tokens of requests; null: nobody does. */
  readonly claims: ClaimSource | null;
  /** Null: no experiment that is assigned here is sticky. */
  readonly sticky: StickyPlan | null;
  /** Keeps out what is nobody's request; null: nothing is kept out. */
  readonly exclusion: Exclusion | null;
  /** What it tells its upstream beside the context; null: nothing. */
  readonly hints: UpstreamHints | null;
  /** An experiment refuses whoever carries a variant that is not here. */
  readonly refusesUnknown: boolean;
  /** For requests in no experiment. */
  readonly series: RequestSeries;
  readonly judged: Judged;
  /** What looks at fields of answers for failures; null: nothing does. */
  readonly fieldRules: readonly FailureRule[] | null;
  /** Inbound: remembers what each request carries. Null: nothing is remembered. */
  readonly remembers: Contexts | null;
  /** Sends some of its requests to candidates as well; null: none. */
  readonly mirror: RouteMirror | null;
  /** Outbound: gives it to the calls that belong to them. Null: they carry what they come with. */
  readonly calls: OutboundCalls | null;
}

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
  readonly chunkLimits: ChunkLimits;
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
    this.chunkLimits = { ...CHUNK_LIMITS, forbiddenTrailers };
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
    const texts = new FlatTexts();
    const plans = (direction: Direction) =>
      snapshot.routes[direction].all.map((route) => planRoute(route, snapshot, memory, texts));
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
    const route = table.match(table.hasHosts ? (head.host() ?? '') : '', pathOf(head), head.method);
    return route === null ? null : this.#routes[direction][route.index]!;
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

function planRoute(route: Route, snapshot: Snapshot, memory: Memory, texts: FlatTexts): RoutePlan {
  const { timeouts } = snapshot;
  const contexts = memory.contexts(snapshot.propagation.join);
  const failover = failoverPlan(route);
  const experiments = route.experiments.map((experiment) =>
    planExperiment(route, experiment, { snapshot, memory, texts }),
  );
  // Of a stream only silence is limited, as that of a tunnel is.
  const { tunnelIdleMs } = timeouts;
  const assigned = route.order ?? route.experiments.map(({ experiment }) => experiment);
  const streaming: RouteTimeouts = { firstByteMs: tunnelIdleMs, stallMs: tunnelIdleMs, requestMs: 0 };
  return {
    route,
    timeouts: route.isStreaming ? streaming : timeouts,
    retry: route.retry,
    failover,
    hedge: hedgeRule(route, memory.metrics),
    isBudgeted: route.retry.on !== null || (failover !== null && failover.budget !== null),
    group: memory.group(route.upstream),
    admission: memory.limits.admission(route),
    experiments,
    isCollected: experiments.some(({ collector }) => collector !== null),
    mirror: memory.mirrors.ofRoute(route, experiments),
    clock: assigned.some(({ schedule }) => schedule !== null) ? memory.clock : null,
    claims: memory.claims(snapshot.identity),
    sticky: stickyPlanFor(route, snapshot, memory),
    exclusion: exclusion(snapshot, memory.metrics),
    hints: hintsOf(route),
    refusesUnknown: route.experiments.some(({ experiment }) => experiment.refusesUnknown),
    series: memory.metrics.requests(route.direction, route.name, '', ''),
    judged: { slowThresholdMs: Number.POSITIVE_INFINITY, failures: route.failures },
    fieldRules: fieldRulesOf(route),
    remembers: route.direction === 'inbound' ? contexts : null,
    calls:
      route.direction === 'outbound' && contexts !== null
        ? new OutboundCalls(route, contexts, memory.metrics.contexts, snapshot.propagation.internalHosts)
        : null,
  };
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

function exclusion({ classifier }: Snapshot, metrics: Metrics): Exclusion | null {
  return classifier === null ? null : new Exclusion(classifier, metrics);
}

function planExperiment(
  route: Route,
  planned: RouteExperiment,
  { snapshot, memory, texts }: { snapshot: Snapshot; memory: Memory; texts: FlatTexts },
): ExperimentPlan {
  const { experiment } = planned;
  const targets = planned.variants.map((routeVariant, index): VariantTarget => {
    const variant = experiment.variants[index]!;
    const members = [{ name: experiment.name, variant: variant.name }];
    return {
      variant,
      group: memory.group(routeVariant.upstream),
      breaker: memory.breaker(breakerName(route.name, experiment.name, variant.name), routeVariant),
      limits: memory.limits.ofVariant(experiment.name, variant.name, routeVariant.upstream),
      slowThresholdMs: routeVariant.breaker?.slow?.thresholdMs ?? Number.POSITIVE_INFINITY,
      failures: planned.failures,
      series: memory.metrics.requests(route.direction, route.name, experiment.name, variant.name),
      contextFields: texts.of(contextFields(snapshot, members)),
      contextText: texts.of(writeExperimentHeader(null, members)),
    };
  });
  const fallback = targets[experiment.fallback.index]!;
  for (const target of targets) target.breaker?.compareWith(target === fallback ? null : fallback.breaker);
  const assigned = experiment.variants.map((): Partial<Record<Reason, Counter>> => ({}));
  const fellBack: Partial<Record<FallbackCause, Counter>> = {};
  return {
    experiment,
    targets,
    fallback,
    collector: collectorFor(route, experiment, { snapshot, memory }),
    assigned({ index, name }, reason) {
      assigned[index]![reason] ??= memory.metrics.assignments(experiment.name, name, reason);
      return assigned[index]![reason];
    },
    fellBack(cause) {
      fellBack[cause] ??= memory.metrics.fallbacks(experiment.name, cause);
      return fellBack[cause];
    },
  };
}

function collectorFor(
  route: Route,
  { name, epoch, variants }: Experiment,
  { snapshot, memory }: { snapshot: Snapshot; memory: Memory },
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
