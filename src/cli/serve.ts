/**
 * The composition root: builds every object of a sidecar once, connects them, and takes them down again in order.
 * Nothing else in the program knows both the control plane and what carries the traffic.
 */

import { availableParallelism } from 'node:os';
import { Audit } from '../admin/audit.ts';
import { readPage } from '../admin/page-files.ts';
import type { DataPlaneView, ForceKind } from '../admin/ports.ts';
import { buildAdmin, buildProbes, listen } from '../admin/server.ts';
import { type Clock, systemClock, systemRandom } from '../base/clock.ts';
import type { Config } from '../config/schema.ts';
import type { Snapshot, SocketAddress } from '../config/snapshot.ts';
import { BreakerHistory } from '../control/breaker-history.ts';
import { ConfigHistory } from '../control/config-history.ts';
import { DrainedEndpoints } from '../control/drained-endpoints.ts';
import { ExperimentResults } from '../control/experiment-results.ts';
import { FaultRegistry } from '../control/fault-registry.ts';
import { ConfigWatcher } from '../control/reload.ts';
import { StaleWatch } from '../control/stale-watch.ts';
import { ConfigInvalidError, ControlState, type ReloadResult } from '../control/state.ts';
import { descriptorsMax, sideConnections } from '../proxy/descriptors.ts';
import type { Transition } from '../resilience/breaker.ts';
import { type Log, silentLog } from '../telemetry/log.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { openLog } from '../telemetry/open-log.ts';
import { ALL_FORMATS, type PageFormat, PLAIN_ONLY } from '../telemetry/page.ts';
import { lossDoubts, openAnalysis } from './analysis-support.ts';
import { BreakerSupport } from './breaker-support.ts';
import { DescribedIdentity } from './described-identity.ts';
import { experimentSamples } from './experiment-samples.ts';
import { liveExplainer } from './explain-live.ts';
import { HeapTidying } from './heap-tidying.ts';
import { Exit, type Io } from './io.ts';
import { packagePath } from './package-root.ts';
import { openRollouts } from './rollout-support.ts';
import type { Traffic, TrafficContext } from './traffic.ts';
import { buildInfo } from './version.ts';

export interface SidecarOptions {
  readonly configFile: string;
  /** Overrides of the config, `FAIRLEAD_...`; the process's unless given. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Nothing on stderr: whoever starts it talks to people itself. */
  readonly isQuiet?: boolean;
  /** Of the built page; the package's own unless given. */
  readonly pageFolder?: string;
}

export interface Sidecar {
  /** Where it listens, as bound: by listener name, and `admin` and `probes`. */
  readonly addresses: Readonly<Record<string, SocketAddress>>;
  readonly snapshot: Snapshot;
  reload(cause: 'signal' | 'admin'): Promise<ReloadResult>;
  /** Drain, flush and release everything; a second call waits for the first. */
  stop(): Promise<void>;
}

/**
 * Starts a sidecar; resolves when it accepts requests.
 * @throws ConfigInvalidError when the config is not valid; the system's error when an address cannot be bound
 */
export async function startSidecar(options: SidecarOptions): Promise<Sidecar> {
  const clock: Clock = systemClock;
  const metrics = new Metrics(buildInfo());
  const pending: Parameters<Audit['onControlEvent']>[0][] = [];
  let audit: Audit | null = null;
  const control = await ControlState.open({
    file: options.configFile,
    environment: options.environment ?? process.env,
    clock,
    onEvent: (event) => (audit === null ? void pending.push(event) : audit.onControlEvent(event)),
  });
  const { snapshot } = control;
  const opened =
    options.isQuiet === true
      ? { log: silentLog, sink: null }
      : openLog({ service: snapshot.service, metrics });
  const { log } = opened;
  audit = new Audit(log, clock, auditSettings(control.rules.config));
  for (const event of pending) audit.onControlEvent(event);
  const writeLog = (lines: string): boolean => opened.sink?.write(lines) ?? false;
  const onEvent = (event: Parameters<Audit['onControlEvent']>[0]) => audit.onControlEvent(event);
  const breakers = new BreakerSupport({ control, clock, metrics, log, onEvent });
  const moves = new BreakerHistory(clock);
  const moved = (transition: Transition): void => {
    moves.moved(transition);
    breakers.moved(transition);
  };
  const watched = { remembered: breakers.remembered, moved };
  const collection = await openAnalysis({ control, clock, metrics, log });
  const { analysis } = collection;
  const traffic = await openTraffic({ control, clock, metrics, log, writeLog, breakers: watched, analysis });
  analysis.setRefresh(() => traffic.tellCollected());
  breakers.start(() => traffic.keepBreakers());
  const life = new Life(traffic);
  const tidying = new HeapTidying(() => traffic.inFlight() === 0);
  const faults = new FaultRegistry({
    clock,
    onChange: (all) => traffic.inject(all),
    onEvent: (event) => audit.onControlEvent(event),
  });
  const rollouts = openRollouts({
    ...{ control, clock, traffic, onEvent },
    webhooks: breakers.webhooks,
    results: (name) => results.ofAnalysis(name),
  });
  metrics.setRolloutSource(() =>
    rollouts.list().map(({ experiment, state: { phase, step } }) => ({ experiment, phase, step: step + 1 })),
  );
  const results = new ExperimentResults({
    ...{ source: analysis, snapshot: () => control.snapshot, clock },
    doubts: () => lossDoubts(traffic.exposureLoss()),
  });
  metrics.analysis.setTrustSource(() => results.trust());
  const drained = new DrainedEndpoints((all) => traffic.drainEndpoints(all));
  metrics.configured(snapshot.hash, snapshot.version);
  metrics.reloaded(control.lastReload);
  const experiments = () => experimentSamples(control, clock.wallMs());
  metrics.setExperimentSource(experiments);
  metrics.admin.setAuditSource(() => audit.status);
  const staleness = new StaleWatch({
    stale: () => experiments().flatMap(({ experiment, isStale }) => (isStale ? [experiment] : [])),
    onStale: (experiment) =>
      log.warn(
        { experiment },
        `the experiment ${experiment} is stale: it has been running for longer than staleAfter; conclude it, or say that it may run for longer`,
      ),
  });
  control.subscribe((next, previous) => {
    breakers.prepare();
    traffic.adopt(next);
    breakers.adopted(next, previous);
    metrics.configured(next.hash, next.version);
    staleness.look();
  });
  const config = new ConfigHistory(control, clock);
  const reload = async (cause: 'file' | 'signal' | 'admin'): Promise<ReloadResult> => {
    const result = await control.reload(cause);
    metrics.reloaded(result);
    tidying.soon();
    return result;
  };
  const port = {
    get snapshot() {
      return control.snapshot;
    },
    get runtime() {
      return control.runtime;
    },
    get lastReload() {
      return control.lastReload;
    },
    view: () => ({ ...control.view(), ...traffic.describe() }),
    reload,
    change: control.change.bind(control),
    preview: control.preview.bind(control),
  };
  const page = {
    // Who asks for the other format gets what only that has: which traces to look at.
    formats: snapshot.tracing === null ? PLAIN_ONLY : ALL_FORMATS,
    evaluations: metrics.evaluations,
    admin: metrics.admin,
    render: (format: PageFormat) => {
      metrics.setReady(life.isReady());
      return traffic.renderMetrics(format);
    },
  };
  const servers: { close(): Promise<unknown> }[] = [];
  const addresses: Record<string, SocketAddress> = {};
  let watcher: ConfigWatcher | null = null;
  const release = async (): Promise<void> => {
    watcher?.close();
    tidying.close();
    staleness.close();
    faults.close();
    rollouts.close();
    await breakers.close();
    await traffic.stop();
    await collection.close();
    await Promise.all(servers.map((server) => server.close()));
    await control.flush();
    await audit.close();
    await opened.sink?.close();
  };
  try {
    const { address, probeAddress } = snapshot.admin;
    const connections = sideConnections(descriptorsMax());
    if (address !== null) {
      const identity = new DescribedIdentity(clock);
      const admin = await buildAdmin({
        control: port,
        dataPlane: life,
        identity,
        explain: liveExplainer(clock, systemRandom),
        faults,
        drained,
        rollouts,
        results,
        mirrors: { views: () => traffic.mirrors(), forget: (name) => traffic.forgetMirror(name) },
        live: {
          breakers: moves,
          config,
          counts: () => traffic.liveCounts(),
          tap: (query, take) => traffic.tap(query, take),
          version: buildInfo().version,
        },
        analysis,
        metrics: page,
        audit,
        log,
        clock,
        connectionsMax: connections.admin,
        page: readPage(options.pageFolder ?? packagePath('dist/page')),
      });
      servers.push(admin);
      addresses.admin = bound(address, await listen(admin, address));
    }
    if (probeAddress !== null) {
      const probes = await buildProbes({
        dataPlane: life,
        metrics: page,
        log,
        connectionsMax: connections.probes,
      });
      servers.push(probes);
      addresses.probes = bound(probeAddress, await listen(probes, probeAddress));
    }
    Object.assign(addresses, await traffic.start());
    watcher = await ConfigWatcher.start({ files: () => control.files, onChange: () => reload('file') });
  } catch (error) {
    await release();
    throw error;
  }
  life.isStarted = true;
  rollouts.open();
  tidying.soon();
  log.info(
    { addresses, hash: snapshot.hash, ...traffic.describe() },
    `fairlead ${buildInfo().version} is ready: ${describe(addresses)}`,
  );
  let stopping: Promise<void> | null = null;
  return {
    addresses,
    get snapshot() {
      return control.snapshot;
    },
    reload,
    stop: () => {
      stopping ??= (async () => {
        await drain(life, traffic, control.snapshot, log);
        await release();
      })();
      return stopping;
    },
  };
}

/** `fairlead run`: a sidecar until SIGTERM or SIGINT. */
export async function runCommand(options: { config: string }, io: Io): Promise<number> {
  let sidecar: Sidecar;
  try {
    sidecar = await startSidecar({ configFile: options.config, environment: io.env });
  } catch (error) {
    if (error instanceof ConfigInvalidError) {
      io.err(`${error.message}\n`);
      return Exit.configInvalid;
    }
    io.err(`fairlead cannot start: ${(error as Error).message}\n`);
    return Exit.unfit;
  }
  const onHangup = () => void sidecar.reload('signal');
  process.on('SIGHUP', onHangup);
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
  // A second signal is somebody who does not want to wait.
  process.once('SIGINT', () => process.exit(Exit.interrupted));
  await sidecar.stop();
  process.off('SIGHUP', onHangup);
  return Exit.ok;
}

/** Null: the audit trail is in memory. */
function auditSettings({ audit }: Config): ConstructorParameters<typeof Audit>[2] {
  if (audit === undefined) return null;
  const { file, maxBytes, keep, key = null } = audit;
  return { file: { file, maxBytes, keep }, key };
}

/** This process alone, or workers; what only one of them needs is not loaded for the other. */
async function openTraffic(context: TrafficContext): Promise<Traffic> {
  const { workers } = context.control.snapshot;
  const count = workers === 'auto' ? availableParallelism() : workers;
  if (count === 1) {
    const { singleProcess } = await import('./serve-single.ts');
    return singleProcess(context);
  }
  const { WorkerTraffic } = await import('./serve-primary.ts');
  return new WorkerTraffic(context, count);
}

/** The traffic as the admin API sees it, with the state of the process's life. */
class Life implements DataPlaneView {
  isStarted = false;
  isStopping = false;
  readonly #traffic: Traffic;

  constructor(traffic: Traffic) {
    this.#traffic = traffic;
  }

  isReady(): boolean {
    return this.isStarted && !this.isStopping && this.#traffic.isServing();
  }

  breakers() {
    return this.#traffic.breakers();
  }

  isOpen(breaker: string): boolean {
    return this.#traffic.isOpen(breaker);
  }

  upstreams() {
    return this.#traffic.upstreams();
  }

  overload() {
    return this.#traffic.overload();
  }

  force(name: string, kind: ForceKind, forMs: number, reason: string): boolean {
    return this.#traffic.force(name, kind, forMs, reason);
  }

  reset(name: string, reason: string): boolean {
    return this.#traffic.reset(name, reason);
  }

  inFlight(): number {
    return this.#traffic.inFlight();
  }

  carried(traceparent: string, requestId: string): string | Promise<string> {
    return this.#traffic.carried?.(traceparent, requestId) ?? '';
  }

  async refresh(): Promise<void> {
    await this.#traffic.refresh?.();
  }

  async settled(): Promise<void> {
    await this.#traffic.settled?.();
  }
}

/** Not ready at once, still accepting for `delayMs` while the word spreads, then only finishing what is under way. */
async function drain(life: Life, traffic: Traffic, snapshot: Snapshot, log: Log): Promise<void> {
  const { delayMs, timeoutMs } = snapshot.drain;
  life.isStopping = true;
  await life.refresh();
  log.info(
    { delayMs, timeoutMs },
    `draining: accepting for ${delayMs} ms, then up to ${timeoutMs} ms for ${traffic.inFlight()} requests`,
  );
  if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
  const cut = await traffic.drain(timeoutMs);
  if (cut > 0) log.warn({ cut }, `drained with ${cut} connections cut after ${timeoutMs} ms`);
  else log.info({}, 'drained: every request was finished');
}

function bound(address: SocketAddress, port: number): SocketAddress {
  return address.kind === 'unix' ? address : { ...address, port };
}

function describe(addresses: Readonly<Record<string, SocketAddress>>): string {
  return Object.entries(addresses)
    .map(
      ([name, address]) =>
        `${name} ${address.kind === 'unix' ? address.path : `${address.host}:${address.port}`}`,
    )
    .join(', ');
}
