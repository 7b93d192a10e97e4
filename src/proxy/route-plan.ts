/**
 * What a route, an experiment on it and a variant of that are bound to, as requests read it. Of thousands of routes most
 * differ in little more than their names: what is the same for many is one object, which stays in the processor's cache,
 * and what each has for itself is a line or two of memory.
 */
import type { Clock } from '../base/clock.ts';
import type { Route } from '../config/snapshot.ts';
import type { Experiment, Reason, Variant } from '../experiment/model.ts';
import type { Breaker } from '../resilience/breaker.ts';
import type { FailureRule } from '../resilience/failure-rule.ts';
import type { RetrySettings } from '../resilience/retry.ts';
import type { ClaimSource } from '../routing/attributes.ts';
import type { Collector } from '../telemetry/collection/recorder.ts';
import type { Counter, Metrics, RequestSeries } from '../telemetry/metrics.ts';
import type { Contexts } from './context-memory.ts';
import type { Exclusion } from './exclusion.ts';
import type { Failover } from './failover-plan.ts';
import type { HedgeRule } from './hedge.ts';
import type { Admission, VariantLimits } from './limits.ts';
import type { RouteMirror } from './mirrors.ts';
import type { OutboundCalls } from './outbound-calls.ts';
import type { StickyPlan } from './sticky-plan.ts';
import type { UpstreamGroup } from './upstream-group.ts';
import type { UpstreamHints } from './upstream-hints.ts';

/** Why an assigned variant was not served. */
export type FallbackCause = 'breaker' | 'conflict' | 'failover' | 'overload' | 'rate-limit';

/** By what the outcome of a call is judged. */
export interface Judged {
  /** The breaker's slow threshold, Infinity without one. */
  readonly slowThresholdMs: number;
  readonly failures: FailureRule;
}

/** What a variant of an experiment is on every route that says the same of it. */
export interface VariantRules extends Judged {
  readonly variant: Variant;
  readonly group: UpstreamGroup;
  /** What may be under way and come in; null: whatever does. */
  readonly limits: VariantLimits | null;
  /** The context lines when this is all there is to carry: the usual case. */
  readonly contextFields: string;
  /** And as the value of the experiment field alone. */
  readonly contextText: string;
}

/** A variant of an experiment on a route. */
export class VariantTarget implements VariantRules {
  readonly #rules: VariantRules;
  readonly breaker: Breaker | null;
  readonly series: RequestSeries;

  constructor(rules: VariantRules, breaker: Breaker | null, series: RequestSeries) {
    this.#rules = rules;
    this.breaker = breaker;
    this.series = series;
  }

  get variant(): Variant {
    return this.#rules.variant;
  }

  get group(): UpstreamGroup {
    return this.#rules.group;
  }

  get limits(): VariantLimits | null {
    return this.#rules.limits;
  }

  get slowThresholdMs(): number {
    return this.#rules.slowThresholdMs;
  }

  get failures(): FailureRule {
    return this.#rules.failures;
  }

  get contextFields(): string {
    return this.#rules.contextFields;
  }

  get contextText(): string {
    return this.#rules.contextText;
  }
}

/** What is counted of the assignments of an experiment, on all routes. */
export class ExperimentCounters {
  readonly experiment: Experiment;
  readonly #metrics: Pick<Metrics, 'assignments' | 'fallbacks'>;
  readonly #assigned: Partial<Record<Reason, Counter>>[];
  readonly #fellBack: Partial<Record<FallbackCause, Counter>> = {};

  constructor(experiment: Experiment, metrics: Pick<Metrics, 'assignments' | 'fallbacks'>) {
    this.experiment = experiment;
    this.#metrics = metrics;
    this.#assigned = experiment.variants.map(() => ({}));
  }

  /** Found without building a key, since it is asked for on every request. */
  assigned({ index, name }: Variant, reason: Reason): Counter {
    const ofVariant = this.#assigned[index]!;
    ofVariant[reason] ??= this.#metrics.assignments(this.experiment.name, name, reason);
    return ofVariant[reason];
  }

  fellBack(cause: FallbackCause): Counter {
    this.#fellBack[cause] ??= this.#metrics.fallbacks(this.experiment.name, cause);
    return this.#fellBack[cause];
  }
}

const NO_MORE: readonly VariantTarget[] = [];

/** An experiment on a route. */
export class ExperimentPlan {
  // Without lists on the way: each would be two more lines of memory, fetched anew, for every request.
  readonly #counters: ExperimentCounters;
  readonly #first: VariantTarget;
  readonly fallback: VariantTarget;
  /** Takes down what becomes of its requests; null: it is not analysed. */
  readonly collector: Collector | null;
  /** The one after it on the route. */
  next: ExperimentPlan | null = null;
  readonly #second: VariantTarget;
  /** What is after the second, which few have. */
  readonly #more: readonly VariantTarget[];

  /** @param targets in the order of `experiment.variants`, at least two */
  constructor(targets: readonly VariantTarget[], collector: Collector | null, counters: ExperimentCounters) {
    this.#counters = counters;
    this.#first = targets[0]!;
    this.fallback = targets[counters.experiment.fallback.index]!;
    this.collector = collector;
    this.#second = targets[1]!;
    this.#more = targets.length > 2 ? targets.slice(2) : NO_MORE;
  }

  get experiment(): Experiment {
    return this.#counters.experiment;
  }

  /** In the order of `experiment.variants`. */
  get targets(): readonly VariantTarget[] {
    return [this.#first, this.#second, ...this.#more];
  }

  target({ index }: Variant): VariantTarget {
    if (index === 0) return this.#first;
    return index === 1 ? this.#second : this.#more[index - 2]!;
  }

  assigned(variant: Variant, reason: Reason): Counter {
    return this.#counters.assigned(variant, reason);
  }

  fellBack(cause: FallbackCause): Counter {
    return this.#counters.fellBack(cause);
  }
}

/** The first of those of a route, and with it the others. */
function chained(plans: readonly ExperimentPlan[]): ExperimentPlan | null {
  for (const [index, plan] of plans.entries()) plan.next = plans[index + 1] ?? null;
  return plans[0] ?? null;
}

/** What a request on a route may take, in milliseconds; 0: no limit. See `Timeouts` of the Snapshot. */
export interface RouteTimeouts {
  readonly firstByteMs: number;
  readonly stallMs: number;
  readonly requestMs: number;
}

/** What a route says, as every other one that says the same does. */
export interface RouteRules extends Pick<Route, 'isStreaming' | 'order' | 'parameters' | 'cache'> {
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

/** A route. */
export class RoutePlan implements RouteRules {
  readonly #rules: RouteRules;
  /** Its first experiment, which knows the next; null: it has none. */
  readonly experiments: ExperimentPlan | null;
  /** For requests in no experiment. */
  readonly series: RequestSeries;
  readonly route: Route;

  constructor(
    route: Route,
    experiments: readonly ExperimentPlan[],
    series: RequestSeries,
    rules: RouteRules,
  ) {
    this.#rules = rules;
    this.experiments = chained(experiments);
    this.series = series;
    this.route = route;
  }

  get timeouts(): RouteTimeouts {
    return this.#rules.timeouts;
  }

  get retry(): RetrySettings {
    return this.#rules.retry;
  }

  get failover(): Failover | null {
    return this.#rules.failover;
  }

  get hedge(): HedgeRule | null {
    return this.#rules.hedge;
  }

  get isBudgeted(): boolean {
    return this.#rules.isBudgeted;
  }

  get group(): UpstreamGroup {
    return this.#rules.group;
  }

  get admission(): Admission | null {
    return this.#rules.admission;
  }

  get isCollected(): boolean {
    return this.#rules.isCollected;
  }

  get clock(): Pick<Clock, 'wallMs'> | null {
    return this.#rules.clock;
  }

  get claims(): ClaimSource | null {
    return this.#rules.claims;
  }

  get sticky(): StickyPlan | null {
    return this.#rules.sticky;
  }

  get exclusion(): Exclusion | null {
    return this.#rules.exclusion;
  }

  get hints(): UpstreamHints | null {
    return this.#rules.hints;
  }

  get refusesUnknown(): boolean {
    return this.#rules.refusesUnknown;
  }

  get judged(): Judged {
    return this.#rules.judged;
  }

  get fieldRules(): readonly FailureRule[] | null {
    return this.#rules.fieldRules;
  }

  get remembers(): Contexts | null {
    return this.#rules.remembers;
  }

  get mirror(): RouteMirror | null {
    return this.#rules.mirror;
  }

  get calls(): OutboundCalls | null {
    return this.#rules.calls;
  }

  get isStreaming(): boolean {
    return this.#rules.isStreaming;
  }

  get order(): Route['order'] {
    return this.#rules.order;
  }

  get parameters(): Route['parameters'] {
    return this.#rules.parameters;
  }

  get cache(): Route['cache'] {
    return this.#rules.cache;
  }
}
