/**
 * The numbers of this process. The request path counts into plain fields that it looked up once (`requests`,
 * `assignments`, ...); the registry reads them when it is scraped. `docs/metrics.md` documents every name.
 *
 * Labels are names out of the config and words out of fixed lists: never ids, raw paths or field values. Label
 * sets are capped; past the cap they share one overflow set, and `fairlead_series_overflow_total` counts.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Metric, Registry } from '@prometheus-io/client';
import type { ErrorCode } from '../base/error.ts';
import type { Reason } from '../experiment/model.ts';
import { AdminMetrics } from './admin-metrics.ts';
import { AnalysisMetrics } from './analysis-metrics.ts';
import { BreakerMetrics } from './breaker-metrics.ts';
import { ConnectionMetrics } from './connection-metrics.ts';
import { ContextMetrics } from './context-metrics.ts';
import { EndpointMetrics } from './endpoint-metrics.ts';
import { EvaluationMetrics } from './evaluation-metrics.ts';
import { registerExperiments } from './experiment-families.ts';
import type { FamilySamples, Sample } from './exposition.ts';
import { registerFamilies } from './families.ts';
import { FaultMetrics } from './fault-metrics.ts';
import { HealthMetrics } from './health-metrics.ts';
import { Histogram, OVERHEAD_BUCKETS } from './histogram.ts';
import { IdentityMetrics } from './identity-metrics.ts';
import { LabelBudget, LabelSets } from './label-sets.ts';
import { type LiveCounts, liveCounts } from './live-counts.ts';
import { MirrorMetrics } from './mirror-metrics.ts';
import { OverloadMetrics } from './overload-metrics.ts';
import { ALL_FORMATS, type PageFormat } from './page.ts';
import { PipelineMetrics } from './pipeline-metrics.ts';
import { collectProcessMetrics } from './process-metrics.ts';
import { RecoveryMetrics } from './recovery-metrics.ts';
import { registerRollouts } from './rollout-families.ts';
import { Counter, ProcessCounters, RequestSeries } from './series.ts';
import type {
  BreakerSample,
  BreakerTransition,
  EndpointSample,
  ExperimentSample,
  ListenerSample,
  RolloutSample,
  WorkerSample,
} from './sources.ts';
import { TrafficMetrics } from './traffic-metrics.ts';
import { TrustMetrics } from './trust-metrics.ts';
import { registerTunnels } from './tunnel-families.ts';
import { TunnelSeries } from './tunnel-series.ts';
import { registerWorkers } from './worker-families.ts';

export type { Counter, RequestSeries } from './series.ts';
export type { TunnelSeries } from './tunnel-series.ts';

/** 10,000 sets of request metrics are about 30 MB and a page of 20 MB: the most a sidecar should ever reach. */
const LABEL_SETS_MAX = 10_000;

/** Formatting this much takes about a quarter of a millisecond. */
const TURN_CHARS = 16 * 1024;

export interface MetricsOptions {
  /** Version of Fairlead and of Node, for `fairlead_build_info`. */
  readonly version: string;
  readonly node: string;
  readonly labelSetsMax?: number;
  /** Whether the process's own metrics (memory, file descriptors, event-loop delay) are collected too. */
  readonly isProcessIncluded?: boolean;
}

/** The result of a reload, as the page shows it. */
export interface ReloadFacts {
  readonly ok: boolean;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly issues?: readonly { readonly severity: string }[];
  /** Parts of the config that wait for a restart. */
  readonly restartNeeded?: readonly string[];
}

export class Metrics {
  readonly formats = ALL_FORMATS;
  readonly counters = new ProcessCounters();
  readonly connections: ConnectionMetrics;
  readonly trust: TrustMetrics;
  readonly traffic: TrafficMetrics;
  readonly contexts: ContextMetrics;
  readonly evaluations: EvaluationMetrics;
  readonly identity: IdentityMetrics;
  readonly overload: OverloadMetrics;
  readonly mirrors: MirrorMetrics;
  readonly endpoints: EndpointMetrics;
  readonly health: HealthMetrics;
  readonly recoveries: RecoveryMetrics;
  readonly faults: FaultMetrics;
  readonly breakers: BreakerMetrics;
  readonly admin: AdminMetrics;
  readonly analysis: AnalysisMetrics;
  readonly pipeline = new PipelineMetrics();
  readonly #registry = new Registry();
  readonly #budget: LabelBudget;
  readonly #requests: LabelSets<RequestSeries>;
  readonly #overhead: LabelSets<Histogram>;
  readonly #tunnels: LabelSets<TunnelSeries>;
  readonly #assignments: LabelSets<Counter>;
  readonly #fallbacks: LabelSets<Counter>;
  readonly #retries: LabelSets<Counter>;
  readonly #localAnswers: LabelSets<Counter>;
  readonly #reloads: LabelSets<Counter>;
  #breakers: () => Iterable<BreakerSample> = () => [];
  #endpoints: () => Iterable<EndpointSample> = () => [];
  #listeners: () => Iterable<ListenerSample> = () => [];
  #experiments: () => Iterable<ExperimentSample> = () => [];
  #rollouts: () => Iterable<RolloutSample> = () => [];
  #workers: () => WorkerSample | null = () => null;
  #config: { hash: string; version: number } | null = null;
  #isLastReloadOk: boolean | null = null;
  #lastGoodReloadMs: number | null = null;
  #warnings = 0;
  #restartsNeeded = 0;
  #isReady = false;

  constructor(options: MetricsOptions) {
    const budget = new LabelBudget(options.labelSetsMax ?? LABEL_SETS_MAX);
    const counter = (...names: string[]) => new LabelSets(names, budget, () => new Counter());
    this.#budget = budget;
    this.connections = new ConnectionMetrics(budget);
    this.trust = new TrustMetrics(budget);
    this.traffic = new TrafficMetrics(budget);
    this.contexts = new ContextMetrics(budget);
    this.evaluations = new EvaluationMetrics(budget);
    this.identity = new IdentityMetrics(budget);
    this.overload = new OverloadMetrics(budget);
    this.mirrors = new MirrorMetrics(budget);
    this.endpoints = new EndpointMetrics(budget);
    this.health = new HealthMetrics(budget);
    this.recoveries = new RecoveryMetrics(budget);
    this.faults = new FaultMetrics(budget);
    this.breakers = new BreakerMetrics(budget);
    this.admin = new AdminMetrics(budget);
    this.analysis = new AnalysisMetrics(budget);
    this.#overhead = new LabelSets(['direction', 'route'], budget, () => new Histogram(OVERHEAD_BUCKETS));
    this.#requests = new LabelSets(['direction', 'route', 'experiment', 'variant'], budget, (values) => {
      const [direction = '', route = ''] = values;
      return new RequestSeries(this.#overhead.get(direction, route));
    });
    this.#tunnels = new LabelSets(
      ['direction', 'route', 'experiment', 'variant'],
      budget,
      () => new TunnelSeries(),
    );
    this.#assignments = counter('experiment', 'variant', 'reason');
    this.#fallbacks = counter('experiment', 'cause');
    this.#retries = counter('route', 'cause');
    this.#localAnswers = counter('code');
    this.#reloads = counter('result');
    this.#registerAll(options);
  }

  /**
   * The series of one label set. `variant` is the one that served. A request in no experiment has both empty;
   * one in several is recorded in the series of each. Look it up once and keep it.
   */
  requests(direction: string, route: string, experiment: string, variant: string): RequestSeries {
    return this.#requests.get(direction, route, experiment, variant);
  }

  /** The tunnels of one label set, which is that of `requests`. Looked up once for a tunnel. */
  tunnels(direction: string, route: string, experiment: string, variant: string): TunnelSeries {
    return this.#tunnels.get(direction, route, experiment, variant);
  }

  /** Assignments made, by why; look it up once and keep it. */
  assignments(experiment: string, variant: string, reason: Reason): Counter {
    return this.#assignments.get(experiment, variant, reason);
  }

  /** Requests that were assigned a variant and served by another one, by why (`breaker`, `failover`, ...). */
  fallbacks(experiment: string, cause: string): Counter {
    return this.#fallbacks.get(experiment, cause);
  }

  /** Second tries of a request, by the failure of the first. */
  retries(route: string, cause: string): Counter {
    return this.#retries.get(route, cause);
  }

  /** Requests that Fairlead answered itself. */
  localAnswers(code: ErrorCode): Counter {
    return this.#localAnswers.get(code);
  }

  /** Counts a breaker's change of state. */
  breakerTransition(transition: BreakerTransition): void {
    this.breakers.moved(transition);
  }

  /** Where the states of the breakers are read at each scrape. */
  setBreakerSource(source: () => Iterable<BreakerSample>): void {
    this.#breakers = source;
  }

  /** Where the connections to the upstreams are read at each scrape. */
  setEndpointSource(source: () => Iterable<EndpointSample>): void {
    this.#endpoints = source;
  }

  /** Where the accepted connections are read at each scrape. */
  setListenerSource(source: () => Iterable<ListenerSample>): void {
    this.#listeners = source;
  }

  /** Where the experiments are read at each scrape. */
  setExperimentSource(source: () => Iterable<ExperimentSample>): void {
    this.#experiments = source;
  }

  /** Where the rollouts are read at each scrape. */
  setRolloutSource(source: () => Iterable<RolloutSample>): void {
    this.#rollouts = source;
  }

  /** Where the state of the worker processes is read at each scrape. */
  setWorkerSource(source: () => WorkerSample): void {
    this.#workers = source;
  }

  /** Counts a reload, good or bad. */
  reloaded(facts: ReloadFacts): void {
    this.#reloads.get(facts.ok ? 'success' : 'failure').value++;
    this.#isLastReloadOk = facts.ok;
    if (!facts.ok) return;
    this.#lastGoodReloadMs = facts.atMs;
    this.#warnings = facts.issues?.filter(({ severity }) => severity === 'warning').length ?? 0;
    this.#restartsNeeded = facts.restartNeeded?.length ?? 0;
  }

  /** Says which config is in force: `Snapshot.hash` and `Snapshot.version`. */
  configured(hash: string, version: number): void {
    this.#config = { hash, version };
  }

  /** Says what /readyz answers. */
  setReady(isReady: boolean): void {
    this.#isReady = isReady;
  }

  /**
   * The page. Family by family, with a turn of the event loop after each large one:
   * `registry.metrics()` would format the whole page at once, and requests would wait for it.
   * @param withOthers what to show for a family, given this process's own samples; its own unless given
   */
  async render(
    format: PageFormat = 'prometheus',
    withOthers?: (family: FamilySamples) => readonly Sample[],
  ): Promise<string> {
    const isOpen = format === 'openmetrics';
    const writer = isOpen ? new Registry(Registry.OPENMETRICS_CONTENT_TYPE) : this.#registry;
    const parts: string[] = [];
    for (const metric of this.#registered()) {
      const shown = withOthers === undefined ? metric : await replaceValues(metric, withOthers);
      const part = await writer.getMetricsAsString((isOpen ? renamed(shown) : shown) as unknown as Metric);
      parts.push(part);
      if (part.length > TURN_CHARS) await nextTurn();
    }
    return isOpen ? `${parts.join('\n')}\n# EOF\n` : `${parts.join('\n\n')}\n`;
  }

  /** The samples of this process, family by family, for another one that renders the page. */
  async *samples(): AsyncGenerator<FamilySamples> {
    for (const metric of this.#registered()) yield samplesIn(await metric.get());
  }

  /** The samples of some families of this process, in the order of the names. */
  async samplesOf(names: readonly string[]): Promise<FamilySamples[]> {
    const wanted = this.#registered().filter(({ name }) => names.includes(name));
    return Promise.all(wanted.map(async (metric) => samplesIn(await metric.get())));
  }

  /** What goes on in this process: what is behind the families of requests, without making samples of it. */
  live(): Promise<LiveCounts> {
    return liveCounts(this.#requests.entries());
  }

  /** Names of all families, for the test that compares them with `docs/metrics.md`. */
  names(): string[] {
    return this.#registered().map((metric) => metric.name);
  }

  #registered(): readonly Registered[] {
    return this.#registry.getMetricsAsArray() as unknown as readonly Registered[];
  }

  #registerAll(options: MetricsOptions): void {
    registerFamilies(this.#registry, {
      build: { version: options.version, node: options.node },
      budget: this.#budget,
      counters: this.counters,
      requests: this.#requests,
      overhead: this.#overhead,
      assignments: this.#assignments,
      fallbacks: this.#fallbacks,
      retries: this.#retries,
      localAnswers: this.#localAnswers,
      reloads: this.#reloads,
      breakers: () => this.#breakers(),
      endpoints: () => this.#endpoints(),
      listeners: () => this.#listeners(),
      state: () => ({
        config: this.#config,
        isLastReloadOk: this.#isLastReloadOk,
        lastGoodReloadMs: this.#lastGoodReloadMs,
        warnings: this.#warnings,
        restartsNeeded: this.#restartsNeeded,
        isReady: this.#isReady,
      }),
    });
    this.connections.register(this.#registry);
    this.trust.register(this.#registry);
    this.traffic.register(this.#registry);
    this.contexts.register(this.#registry);
    this.evaluations.register(this.#registry);
    this.identity.register(this.#registry);
    this.overload.register(this.#registry);
    this.mirrors.register(this.#registry);
    this.endpoints.register(this.#registry);
    this.health.register(this.#registry);
    this.recoveries.register(this.#registry);
    this.faults.register(this.#registry);
    this.breakers.register(this.#registry, () => this.#breakers());
    this.pipeline.register(this.#registry);
    this.admin.register(this.#registry);
    this.analysis.register(this.#registry);
    registerTunnels(this.#registry, this.#tunnels);
    registerExperiments(this.#registry, () => this.#experiments());
    registerRollouts(this.#registry, () => this.#rollouts());
    registerWorkers(this.#registry, () => this.#workers());
    if (options.isProcessIncluded !== false) collectProcessMetrics(this.#registry);
  }
}

/** What the registry asks of everything that is registered; its types name the library's own classes only. */
interface Registered {
  readonly name: string;
  get(): Promise<RegisteredSamples>;
}

interface RegisteredSamples {
  readonly name: string;
  readonly type: string;
  readonly aggregator?: string;
  readonly values: readonly Sample[];
}

/** In OpenMetrics a family of counters is called what its samples are, without `_total`. */
function renamed(metric: Pick<Registered, 'get'>): Pick<Registered, 'get'> {
  return {
    get: async () => {
      const family = await metric.get();
      return family.type === 'counter' ? { ...family, name: family.name.replace(/_total$/, '') } : family;
    },
  };
}

function samplesIn({ name, type, aggregator, values }: RegisteredSamples): FamilySamples {
  return {
    name,
    aggregator: aggregator === 'first' || aggregator === 'max' ? aggregator : 'sum',
    isCounted: type !== 'gauge',
    values,
  };
}

/** A metric that formats like `metric`, with other samples. */
async function replaceValues(
  metric: Registered,
  withOthers: (family: FamilySamples) => readonly Sample[],
): Promise<Pick<Registered, 'get'>> {
  const own = await metric.get();
  const values = withOthers(samplesIn(own));
  return { get: () => Promise.resolve({ ...own, values }) };
}
