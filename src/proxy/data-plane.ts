/**
 * The data plane: the listeners, and everything that remembers between requests. Takes one Snapshot after another
 * and binds each into a Plan; pools and breakers whose names stay are kept, so a reload forgets nothing.
 * Never reads files, never decides about a request.
 */
import type { Clock, Random } from '../base/clock.ts';
import type { JwtSettings } from '../config/compile-identity.ts';
import type { Direction, ListenerSettings, RouteVariant, Snapshot, Upstream } from '../config/snapshot.ts';
import { Framing } from '../http1/framing.ts';
import { Head } from '../http1/head.ts';
import { FreshIds } from '../propagation/fresh-ids.ts';
import type { MemorySettings } from '../propagation/memory.ts';
import type { Breaker, BreakerView, Transition } from '../resilience/breaker.ts';
import type { BreakerMemory } from '../resilience/breaker-view.ts';
import type { ScopedFault } from '../resilience/fault.ts';
import type { ForceKind } from '../resilience/mode.ts';
import type { ClaimSource } from '../routing/attributes.ts';
import type { AccessLog } from '../telemetry/access-log.ts';
import type { Recorder } from '../telemetry/collection/recorder.ts';
import type { DecisionLog } from '../telemetry/decision-log.ts';
import type { Exposures } from '../telemetry/exposure.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics, RequestSeries } from '../telemetry/metrics.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import { Breakers, type Remembered } from './breakers.ts';
import { CacheWatch } from './cache-watch.ts';
import { Certificates } from './certificates.ts';
import { ClaimReaders } from './claim-reader.ts';
import { ContextMemory, type Contexts, type OtherMemories } from './context-memory.ts';
import { Deadlines, eachTick, TICK_MS } from './deadlines.ts';
import { Inquiry } from './decision.ts';
import { fitToDescriptors } from './descriptors.ts';
import { DnsNames } from './dns-names.ts';
import type { Downstream } from './downstream.ts';
import { Faults } from './faults.ts';
import { HealthChecks, healthKey } from './health-checks.ts';
import { Limits } from './limits.ts';
import { type Binding, Listener } from './listener.ts';
import { Mirrors } from './mirrors.ts';
import { type Memory, Plan } from './plan.ts';
import type { Pool } from './pool.ts';
import { Pools, type UpstreamView } from './pools.ts';
import { LargeBuffers } from './read-buffer.ts';
import { RetryBudgets } from './retry-budgets.ts';
import type { Taps } from './taps.ts';
import type { UpstreamGroup } from './upstream-group.ts';
import { Burst } from './writer.ts';

export interface DataPlaneOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly accessLog: Pick<AccessLog, 'record'> | null;
  readonly exposures: Pick<Exposures, 'isDue' | 'record'> | null;
  /** Absent: no request becomes a span. */
  readonly tracing?: Pick<Tracing, 'begin' | 'end'> | null;
  /** Absent: nothing is recorded. */
  readonly decisions?: DecisionLog | null;
  /** Called for each change of a breaker's state. */
  readonly onTransition: (transition: Transition) => void;
  /** The breakers are those of several processes; see `resilience/sharing.ts`. */
  readonly isShared?: boolean;
  /** What is known of the breaker of this name from before; null: nothing. */
  readonly remembered?: (name: string) => Remembered | null;
  /** The endpoints are checked elsewhere, which tells of it by `heedHealth`. */
  readonly isCheckedElsewhere?: boolean;
  /** Where several processes remember what requests carry. */
  readonly otherMemories?: OtherMemories | null;
  /** Takes down what becomes of the requests of experiments that are analysed; absent: nobody does. */
  readonly recorder?: Recorder | null;
  /** Called at the end of each tick. */
  readonly onTick?: () => void;
}

export class DataPlane implements Memory {
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly accessLog: Pick<AccessLog, 'record'> | null;
  readonly exposures: Pick<Exposures, 'isDue' | 'record'> | null;
  readonly tracing: Pick<Tracing, 'begin' | 'end'> | null;
  readonly decisions: DecisionLog | null;
  readonly recorder: Recorder | null;
  readonly deadlines: Deadlines;
  readonly ids: FreshIds;
  readonly burst = new Burst();
  readonly largeBuffers = new LargeBuffers();
  /** Shared by all connections: a head, and what is asked of it, is used up in the call that parsed it. */
  readonly requestHead = new Head();
  readonly requestFraming = new Framing();
  readonly responseHead = new Head();
  readonly responseFraming = new Framing();
  readonly inquiry: Inquiry;
  readonly cacheWatch: CacheWatch;
  /** Requests that no route matched. */
  readonly unrouted: Readonly<Record<Direction, RequestSeries>>;
  readonly certificates: Certificates;
  readonly limits: Limits;
  readonly mirrors = new Mirrors(this);
  /** Names of endpoints, kept resolved. */
  readonly names: DnsNames;
  /** Null: made elsewhere. */
  readonly health: HealthChecks | null;
  readonly retryBudgets = new RetryBudgets();
  /** The Snapshot in force, bound. */
  plan: Plan;
  /** What is done to requests on purpose; null: nothing. */
  faults: Faults | null = null;
  /** Who watches requests end; null: nobody. */
  taps: Taps | null = null;
  isDraining = false;
  /** The time of a drain is over: what is still under way is cut, and not by its client. */
  isCutting = false;
  readonly #onTick: (() => void) | undefined;
  readonly #pools = new Pools(this);
  readonly #breakers: Breakers;
  readonly #contexts: ContextMemory;
  readonly #claims: ClaimReaders;
  #injected: readonly ScopedFault[] = [];
  #listeners: Listener[] = [];
  #ticker: NodeJS.Timeout | null = null;

  constructor(snapshot: Snapshot, options: DataPlaneOptions) {
    this.clock = options.clock;
    this.random = options.random;
    this.ids = new FreshIds(options.random);
    this.inquiry = new Inquiry(this.requestHead, options.random);
    this.metrics = options.metrics;
    this.log = options.log;
    this.cacheWatch = new CacheWatch(options.metrics, options.log);
    this.accessLog = options.accessLog;
    this.exposures = options.exposures;
    this.tracing = options.tracing ?? null;
    this.decisions = options.decisions ?? null;
    this.recorder = options.recorder ?? null;
    this.#breakers = new Breakers(options);
    this.#onTick = options.onTick;
    this.deadlines = new Deadlines(options.clock);
    const own = { ...options, deadlines: this.deadlines, metrics: options.metrics.health };
    this.names = new DnsNames(snapshot.dns, own);
    this.health =
      options.isCheckedElsewhere === true
        ? null
        : new HealthChecks({ ...own, onChange: (unhealthy) => this.heedHealth(unhealthy) });
    this.#contexts = new ContextMemory(options, options.metrics.contexts, options.otherMemories ?? null);
    this.unrouted = {
      inbound: this.metrics.requests('inbound', '', '', ''),
      outbound: this.metrics.requests('outbound', '', '', ''),
    };
    this.certificates = new Certificates(options.log);
    this.limits = new Limits(options);
    this.#claims = new ClaimReaders(this.clock, this.metrics.identity);
    this.plan = this.#bind(snapshot);
  }

  /** Use another Snapshot from the next request on. Listeners stay as they were opened, certificates apart. */
  adopt(snapshot: Snapshot): void {
    this.names.adopt(snapshot.dns);
    this.plan = this.#bind(snapshot);
    this.#each(({ exchange }) => exchange.tunnel?.heed(snapshot));
    for (const listener of this.#listeners) {
      const settings = snapshot.listeners.find(({ name }) => name === listener.settings.name);
      if (settings !== undefined) listener.adopt(settings);
    }
  }

  /** Open the listeners and start the clock; rejects when one cannot be bound, and then none stays open. */
  async start(bindingOf?: (settings: ListenerSettings) => Binding): Promise<void> {
    const listeners = this.plan.snapshot.listeners.map((settings) => new Listener(settings, this));
    fitToDescriptors(listeners, this.plan.snapshot, this.log);
    try {
      for (const listener of listeners) await listener.listen(bindingOf?.(listener.settings));
    } catch (error) {
      for (const listener of listeners) listener.close();
      throw error;
    }
    this.#listeners = listeners;
    this.#ticker = eachTick(() => this.#tick());
  }

  get listeners(): readonly Listener[] {
    return this.#listeners;
  }

  /**
   * Finish: every response from now on closes its connection, nothing more is accepted, and idle connections get a
   * moment for the request that may be on its way. Resolves when all are gone or after `timeoutMs`, when the rest is
   * cut; answers how many were.
   */
  async drain(timeoutMs: number): Promise<number> {
    this.isDraining = true;
    await this.#acceptBacklog();
    for (const listener of this.#listeners) listener.close();
    const endMs = this.clock.now() + timeoutMs;
    const idleUntilMs = Math.min(endMs, this.clock.now() + IDLE_GRACE_MS);
    while (this.#connectionCount() > 0 && this.clock.now() < endMs) {
      this.#each(({ exchange }) => exchange.tunnel?.close('drain'));
      if (this.clock.now() >= idleUntilMs) this.#cutIdle();
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    const cut = this.#connectionCount();
    this.isCutting = true;
    this.#cutAll();
    return cut;
  }

  /** Release everything. Connections that are left are cut. */
  stop(): void {
    if (this.#ticker !== null) clearInterval(this.#ticker);
    this.#ticker = null;
    for (const listener of this.#listeners) listener.close();
    this.health?.close();
    this.names.close();
    this.mirrors.close();
    this.#cutAll();
    this.#pools.retire();
  }

  // What the plan binds to (Memory).

  group(upstream: Upstream): UpstreamGroup {
    return this.#pools.group(upstream);
  }

  breaker(name: string, variant: RouteVariant): Breaker | null {
    if (variant.breaker === null) return null;
    return this.#breakers.get(name, variant.breaker);
  }

  /** The breakers by name, for whoever shares them with other processes. */
  get shared(): ReadonlyMap<string, Breaker> {
    return this.#breakers.all;
  }

  contexts(settings: MemorySettings | null): Contexts | null {
    return this.#contexts.of(settings);
  }

  claims(settings: JwtSettings | null): ClaimSource | null {
    return this.#claims.for(settings);
  }

  // What is learned of endpoints.

  /** Keys (`healthKey`) of those that are not well, from now on. */
  heedHealth(unhealthy: ReadonlySet<string>): void {
    this.#pools.heedHealth(unhealthy);
  }

  /** A connection of `pool` was made with `host`, one of the addresses that its endpoint has. */
  connected(pool: Pool, host: string): void {
    this.#pools.connected(pool, host);
  }

  // What the admin API sees.

  /** What the request with one of these ids carries, as the value of its field; '' for nothing. */
  carried(traceparent: string, requestId: string): string {
    const contexts = this.contexts(this.plan.snapshot.propagation.join);
    return contexts?.find(traceparent, requestId, this.clock.now()).text ?? '';
  }

  breakers(): BreakerView[] {
    return this.#breakers.views();
  }

  isOpen(breaker: string): boolean {
    return this.#breakers.all.get(breaker)?.isBarred === true;
  }

  upstreams(): UpstreamView[] {
    return this.#pools.views(this.plan.snapshot);
  }

  /** Force a breaker open; false: there is none of this name. */
  trip(name: string, forMs: number, reason: string): boolean {
    return this.force(name, 'open', forMs, reason);
  }

  /** Force a breaker for a time; false: there is none of this name. */
  force(name: string, kind: ForceKind, forMs: number, reason: string): boolean {
    return this.#breakers.force(name, kind, forMs, reason);
  }

  /** Close a breaker by hand; false: there is none of this name. */
  reset(name: string, reason: string): boolean {
    return this.#breakers.reset(name, reason);
  }

  /** Breakers that have something to keep over a restart, by name. */
  keepBreakers(): Map<string, BreakerMemory> {
    return this.#breakers.memories();
  }

  /** Do this to requests, and what the configuration says, from the next one on; what was said before is over. */
  inject(faults: readonly ScopedFault[]): void {
    this.#injected = faults;
    this.faults = Faults.of([...this.plan.snapshot.faults, ...faults], this);
  }

  /** These endpoints get nothing new from now on; those of before are back. */
  drainEndpoints(drained: readonly { readonly upstream: string; readonly endpoint: string }[]): void {
    this.#pools.heedDrained(new Set(drained.map(({ upstream, endpoint }) => healthKey(upstream, endpoint))));
  }

  /** Requests under way. */
  inFlight(): number {
    let count = 0;
    this.#each((connection) => {
      if (connection.exchange.isActive) count++;
    });
    return count;
  }

  #bind(snapshot: Snapshot): Plan {
    this.limits.adopt(snapshot.overload);
    this.mirrors.adopt(snapshot);
    const plan = new Plan(snapshot, this);
    this.#pools.adopt(snapshot);
    this.certificates.adopt(snapshot);
    this.retryBudgets.adopt(snapshot);
    this.faults = Faults.of([...snapshot.faults, ...this.#injected], this);
    this.#breakers.forgetUnwanted();
    return plan;
  }

  /** Closing a listener resets what the kernel has accepted and we have not: take it all first. */
  async #acceptBacklog(): Promise<void> {
    const endMs = this.clock.now() + BACKLOG_MAX_MS;
    let before = -1;
    while (before !== this.#acceptedCount() && this.clock.now() < endMs) {
      before = this.#acceptedCount();
      // Each turn of the event loop accepts what is pending, and a second one what came in behind a first signal.
      for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #acceptedCount(): number {
    return this.#listeners.reduce((count, listener) => count + listener.accepted, 0);
  }

  #tick(): void {
    if (this.#ticker === null) return;
    this.deadlines.sweep();
    this.limits.tick(this.deadlines.nowMs);
    this.burst.tick();
    this.certificates.check(this.clock.wallMs());
    const nowMs = this.clock.now();
    this.#breakers.tick(nowMs);
    this.#pools.tick(nowMs);
    this.#contexts.hear();
    this.#onTick?.();
  }

  #connectionCount(): number {
    return this.#listeners.reduce((count, listener) => count + listener.open, 0);
  }

  /** Those without a request: nobody misses them. */
  #cutIdle(): void {
    for (const listener of this.#listeners) listener.cutArrivals();
    this.#each((connection) => connection.isIdle && connection.destroy());
  }

  #cutAll(): void {
    for (const listener of this.#listeners) listener.cutArrivals();
    this.#each((connection) => connection.destroy());
  }

  #each(visit: (connection: Downstream) => void): void {
    for (const listener of this.#listeners)
      for (const connection of [...listener.connections]) visit(connection);
  }
}

/** Clients that connect without end must not keep a drain from beginning. */
const BACKLOG_MAX_MS = 250;

/** A request may already be on the wire of a connection that looks idle: this long it is still waited for. */
const IDLE_GRACE_MS = 500;
