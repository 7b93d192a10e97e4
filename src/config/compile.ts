/**
 * `Config` and run-time state to a frozen `Snapshot`. Pure and deterministic. A config that `parse.ts` accepted
 * compiles; this file checks nothing that users could get wrong.
 */
import type { Experiment } from '../experiment/model.ts';
import { evaluationOrder } from '../experiment/prerequisite.ts';
import { type RouteMatch, RouteTable } from '../routing/match.ts';
import { pathParameters } from '../routing/path-parameters.ts';
import { compileAccess } from './admin-access.ts';
import { compileAnalyses } from './compile-analysis.ts';
import { compileBreaker, patient } from './compile-breaker.ts';
import { compileCache, fieldsDecidingOf } from './compile-cache.ts';
import { compileClassify } from './compile-classify.ts';
import { compileDecisions } from './compile-decisions.ts';
import { compileDns } from './compile-dns.ts';
import { compileExperiment } from './compile-experiment.ts';
import { compileExposures, compileTracing } from './compile-exposures.ts';
import { compileFailures } from './compile-failures.ts';
import { compileFaults } from './compile-fault.ts';
import { compileIdentity, compileStickyKeys } from './compile-identity.ts';
import { compileLayers } from './compile-layers.ts';
import { compileMirrors } from './compile-mirror.ts';
import { compileOverload } from './compile-overload.ts';
import { compilePropagation } from './compile-propagation.ts';
import { compileFailover, compileRetries, compileRetryBudget, DEFAULT_FAILOVER } from './compile-retry.ts';
import { compileSegments } from './compile-segment.ts';
import { compileStickyIssues } from './compile-sticky.ts';
import { compileListenerTls } from './compile-tls.ts';
import { compileTrust } from './compile-trust.ts';
import { compileUpstream } from './compile-upstream.ts';
import { deepFreeze } from './freeze.ts';
import { configHash } from './hash.ts';
import type { RuntimeState } from './runtime.ts';
import type { Config, RouteConfig } from './schema.ts';
import type { Direction, ListenerSettings, Route, RouteExperiment, Snapshot, Upstream } from './snapshot.ts';
import { compileTokens } from './tokens.ts';

const CONNECTIONS_MAX = 10_000;

/**
 * @param config With its secrets read in, see `secrets.ts`.
 * @param version Greater than any before it in this process.
 */
export function compile(config: Config, runtime: RuntimeState, version: number): Snapshot {
  const upstreams = new Map<string, Upstream>(
    Object.entries(config.upstreams).map(([name, upstream]) => [name, compileUpstream(name, upstream)]),
  );
  const layering = compileLayers(config);
  const segments = compileSegments(config.segments);
  const experiments = new Map<string, Experiment>(
    Object.entries(config.experiments).map(([name, experiment]) => [
      name,
      compileExperiment(name, experiment, runtime.experiments.get(name) ?? null, { layering, segments }),
    ]),
  );
  const context = { config, upstreams, experiments, rules: new Map<string, RouteRules>() };
  return deepFreeze({
    version,
    hash: configHash(config),
    service: config.service,
    workers: config.workers,
    nodeInternals: config.nodeInternals,
    listeners: listeners(config),
    upstreams,
    experiments,
    decidingFields: fieldsDecidingOf(experiments.values(), config),
    analyses: compileAnalyses(config, experiments, runtime),
    ...layering,
    routes: { inbound: routeTable('inbound', context), outbound: routeTable('outbound', context) },
    faults: compileFaults(config),
    overload: compileOverload(config),
    mirrors: compileMirrors(config),
    ...settings(config),
  });
}

interface Context {
  readonly config: Config;
  readonly upstreams: ReadonlyMap<string, Upstream>;
  readonly experiments: ReadonlyMap<string, Experiment>;
  /** By all that the file says of a route but its name and its match: of thousands of routes most say the same. */
  readonly rules: Map<string, RouteRules>;
}

type RouteRules = Omit<Route, 'name' | 'index' | 'direction' | 'hosts' | 'parameters'>;

function listeners(config: Config): ListenerSettings[] {
  if (config.listeners !== undefined) {
    return config.listeners.map(({ socketMode, tls, trust, ...listener }) => ({
      ...listener,
      socketMode: socketMode === undefined ? null : Number.parseInt(socketMode, 8),
      tls: tls === undefined ? null : compileListenerTls(tls),
      trust: compileTrust(trust),
    }));
  }
  const common = {
    connectionsMax: CONNECTIONS_MAX,
    proxyProtocol: false,
    socketMode: null,
    tls: null,
    trust: compileTrust(undefined),
  };
  const inbound: ListenerSettings = {
    name: 'inbound',
    direction: 'inbound',
    address: { kind: 'tcp', host: '0.0.0.0', port: 15106 },
    ...common,
  };
  const outbound: ListenerSettings = {
    name: 'outbound',
    direction: 'outbound',
    address: { kind: 'tcp', host: '127.0.0.1', port: 15101 },
    ...common,
  };
  const hasOutbound = config.routes?.some((route) => route.direction === 'outbound') === true;
  return hasOutbound ? [inbound, outbound] : [inbound];
}

/** As a route has it that says nothing of caches. */
const WITHOUT_POLICY: RouteConfig['cache'] = { vary: 'auto', private: false };

/** What is used when there is one upstream and no route: everything goes there, with every experiment on it. */
function declaredRoutes(config: Config): readonly RouteConfig[] {
  if (config.routes !== undefined) return config.routes;
  const match: RouteConfig['match'] = { path: { kind: 'prefix', value: '/' } };
  const experiments = Object.keys(config.experiments);
  const common = { streaming: false, cache: WITHOUT_POLICY, failover: DEFAULT_FAILOVER };
  return [{ name: 'all', direction: 'inbound', match, experiments, ...common }];
}

function routeTable(direction: Direction, context: Context): RouteTable<Route> {
  const routes = declaredRoutes(context.config).filter((route) => route.direction === direction);
  return new RouteTable(
    routes.map((route, index) => {
      const match: RouteMatch = {
        hosts: route.match.host ?? [],
        path: route.match.path,
        methods: route.match.method ?? [],
      };
      return { match, value: compileRoute(route, index, context) };
    }),
  );
}

function compileRoute(route: RouteConfig, index: number, context: Context): Route {
  const { name: _, match, ...rest } = route;
  const key = JSON.stringify(rest);
  const rules = context.rules.get(key) ?? compileRouteRules(route, context);
  context.rules.set(key, rules);
  return {
    name: route.name,
    index,
    direction: route.direction,
    hosts: match.host ?? [],
    parameters: pathParameters(match.path),
    ...rules,
  };
}

function compileRouteRules(route: RouteConfig, context: Context): RouteRules {
  const upstream = required(
    context.upstreams,
    route.upstream ?? Object.keys(context.config.upstreams)[0] ?? '',
  );
  const experiments = route.experiments.map((name) =>
    compileRouteExperiment(name, { upstream, isStreaming: route.streaming, config: route }, context),
  );
  const assigned = experiments.map(({ experiment }) => experiment);
  const order = evaluationOrder(assigned, context.experiments);
  return {
    upstream,
    experiments,
    order,
    cache: compileCache(route.cache, order ?? assigned, context.config),
    isStreaming: route.streaming,
    retry: compileRetries(route.retries),
    failover: compileFailover(route.failover),
    failures: compileFailures(route.failures),
  };
}

function compileRouteExperiment(
  name: string,
  route: Pick<Route, 'upstream' | 'isStreaming'> & { readonly config: RouteConfig },
  context: Context,
): RouteExperiment {
  const experiment = required(context.experiments, name);
  const config = context.config.experiments[name];
  if (config === undefined) throw new RangeError(`no experiment ${name}`);
  const { tunnelIdle } = context.config.timeouts;
  const variants = experiment.variants.map((variant) => {
    const breaker = compileBreaker(config, variant.name);
    return {
      upstream: variant.upstream === null ? route.upstream : required(context.upstreams, variant.upstream),
      breaker: route.isStreaming && breaker !== null ? patient(breaker, tunnelIdle) : breaker,
    };
  });
  return { experiment, variants, failures: compileFailures(route.config.failures, config.failures) };
}

function settings(config: Config) {
  const { timeouts, limits, accessLog, admin, drain } = config;
  return {
    timeouts: {
      requestHeadMs: timeouts.requestHead,
      idleMs: timeouts.idle,
      stallMs: timeouts.stall,
      connectMs: timeouts.connect,
      firstByteMs: timeouts.firstByte,
      requestMs: timeouts.request,
      upstreamIdleMs: timeouts.upstreamIdle,
      tunnelIdleMs: timeouts.tunnelIdle,
      tunnelMaxMs: timeouts.tunnelMax,
      halfClosedMs: timeouts.halfClosed,
    },
    deadlines: { header: config.deadlines.header ?? null, isGrpcHeeded: config.deadlines.grpc },
    retryBudget: compileRetryBudget(config.retryBudget),
    limits: {
      headMaxBytes: limits.head,
      targetMaxBytes: limits.target,
      fieldsMax: limits.fields,
      bodyMaxBytes: limits.body,
      replayMaxBytes: limits.replay,
    },
    forwarding: { ...config.forwarding },
    propagation: compilePropagation(config),
    tokens: compileTokens(config),
    identity: compileIdentity(config.identity),
    stickyKeys: compileStickyKeys(config.stickyKeys),
    stickyIssues: compileStickyIssues(config),
    accessLog: { enabled: accessLog.enabled, file: accessLog.file ?? null },
    exposures: compileExposures(config),
    tracing: compileTracing(config),
    decisions: compileDecisions(config.decisions),
    rules: '',
    admin: { address: admin.address, probeAddress: admin.probeAddress, ...compileAccess(config) },
    drain: { delayMs: drain.delay, timeoutMs: drain.timeout },
    classifier: compileClassify(config.classify),
    dns: compileDns(config.dns),
    stateFile: config.stateFile ?? null,
  };
}

function required<T>(map: ReadonlyMap<string, T>, name: string): T {
  const value = map.get(name);
  if (value === undefined) throw new RangeError(`no ${JSON.stringify(name)} in the configuration`);
  return value;
}
