/**
 * The composition root: builds every object of a sidecar once, connects them, and takes them down again in order.
 * Nothing else in the program knows both the data plane and the control plane.
 */

import { Audit } from '../admin/audit.ts';
import type { DataPlaneView } from '../admin/ports.ts';
import { buildAdmin, buildProbes, listen } from '../admin/server.ts';
import { type Clock, type Random, systemClock, systemRandom } from '../base/clock.ts';
import type { Snapshot, SocketAddress } from '../config/snapshot.ts';
import { ConfigWatcher } from '../control/reload.ts';
import { ConfigInvalidError, ControlState, type ReloadResult } from '../control/state.ts';
import { DataPlane } from '../proxy/data-plane.ts';
import type { Transition } from '../resilience/breaker.ts';
import { type Log, silentLog } from '../telemetry/log.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { openAccessLog, openExposures, openLog } from '../telemetry/open.ts';
import { Exit, type Io } from './io.ts';
import { buildInfo } from './version.ts';

export interface SidecarOptions {
  readonly configFile: string;
  /** Overrides of the config, `FAIRLEAD_...`; the process's unless given. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Nothing on stderr: whoever starts it talks to people itself. */
  readonly isQuiet?: boolean;
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
  const random: Random = systemRandom;
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
  const service = { service: snapshot.service, metrics };
  const opened = options.isQuiet === true ? { log: silentLog, sink: null } : openLog(service);
  const { log } = opened;
  audit = new Audit(log, clock);
  for (const event of pending) audit.onControlEvent(event);
  const accessLog = openAccessLog({ ...service, log }, snapshot.accessLog);
  const exposures = openExposures({ ...service, log }, snapshot.exposures);
  const plane = new DataPlane(snapshot, {
    clock,
    random,
    metrics,
    log,
    accessLog: accessLog?.accessLog ?? null,
    exposures: exposures?.exposures ?? null,
    onTransition: (transition) => onTransition(transition, metrics, log),
  });
  const life = new Life(plane);
  connectMetrics(metrics, plane, control);
  control.subscribe((next) => {
    plane.adopt(next);
    metrics.configured(next.hash, next.version);
  });
  const reload = async (cause: 'file' | 'signal' | 'admin'): Promise<ReloadResult> => {
    const result = await control.reload(cause);
    metrics.reloaded(result);
    return result;
  };
  const port = {
    get snapshot() {
      return control.snapshot;
    },
    get lastReload() {
      return control.lastReload;
    },
    view: () => control.view(),
    reload,
    change: control.change.bind(control),
  };
  const servers: { close(): Promise<unknown> }[] = [];
  const addresses: Record<string, SocketAddress> = {};
  let watcher: ConfigWatcher | null = null;
  const release = async (): Promise<void> => {
    watcher?.close();
    plane.stop();
    await Promise.all(servers.map((server) => server.close()));
    await control.flush();
    await Promise.all([accessLog?.sink.close(), exposures?.sink.close(), opened.sink?.close()]);
  };
  try {
    const { address, probeAddress } = snapshot.admin;
    if (address !== null) {
      const admin = await buildAdmin({ control: port, dataPlane: life, metrics, audit, log });
      servers.push(admin);
      addresses.admin = bound(address, await listen(admin, address));
    }
    if (probeAddress !== null) {
      const probes = await buildProbes({ dataPlane: life, metrics, log });
      servers.push(probes);
      addresses.probes = bound(probeAddress, await listen(probes, probeAddress));
    }
    await plane.start();
    watcher = await ConfigWatcher.start({ files: () => control.files, onChange: () => reload('file') });
  } catch (error) {
    await release();
    throw error;
  }
  for (const listener of plane.listeners) addresses[listener.settings.name] = listener.address;
  life.isStarted = true;
  metrics.setReady(true);
  log.info(
    { addresses, hash: snapshot.hash },
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
        metrics.setReady(false);
        await drain(life, plane, control.snapshot, log);
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

/** The data plane as the admin API sees it, with the state of the process's life. */
class Life implements DataPlaneView {
  isStarted = false;
  isStopping = false;
  readonly #plane: DataPlane;

  constructor(plane: DataPlane) {
    this.#plane = plane;
  }

  isReady(): boolean {
    return this.isStarted && !this.isStopping;
  }

  breakers() {
    return this.#plane.breakers();
  }

  upstreams() {
    return this.#plane.upstreams().map(({ name, endpoints }) => ({
      name,
      endpoints: endpoints.map(({ open, ...endpoint }) => ({ ...endpoint, active: open - endpoint.idle })),
    }));
  }

  trip(name: string, forMs: number, reason: string): boolean {
    return this.#plane.trip(name, forMs, reason);
  }

  reset(name: string, reason: string): boolean {
    return this.#plane.reset(name, reason);
  }

  inFlight(): number {
    return this.#plane.inFlight();
  }
}

/** Not ready at once, still accepting for `delayMs` while the word spreads, then only finishing what is under way. */
async function drain(life: Life, plane: DataPlane, snapshot: Snapshot, log: Log): Promise<void> {
  const { delayMs, timeoutMs } = snapshot.drain;
  life.isStopping = true;
  log.info(
    { delayMs, timeoutMs },
    `draining: accepting for ${delayMs} ms, then up to ${timeoutMs} ms for ${plane.inFlight()} requests`,
  );
  if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
  const cut = await plane.drain(timeoutMs);
  if (cut > 0) log.warn({ cut }, `drained with ${cut} connections cut after ${timeoutMs} ms`);
  else log.info({}, 'drained: every request was finished');
}

function connectMetrics(metrics: Metrics, plane: DataPlane, control: ControlState): void {
  const { snapshot } = control;
  metrics.configured(snapshot.hash, snapshot.version);
  metrics.reloaded({ ok: true, atMs: control.lastReload.atMs });
  metrics.setBreakerSource(() => plane.breakers());
  metrics.setEndpointSource(() =>
    plane
      .upstreams()
      .flatMap(({ name, endpoints }) =>
        endpoints.map(({ id, open, idle }) => ({ upstream: name, endpoint: id, active: open - idle, idle })),
      ),
  );
  metrics.setListenerSource(() =>
    plane.listeners.map(({ settings, connections }) => ({
      listener: settings.name,
      connections: connections.size,
    })),
  );
}

function onTransition(transition: Transition, metrics: Metrics, log: Log): void {
  metrics.breakerTransition(transition);
  const { breaker, from, to, reason } = transition;
  const sentence = `breaker ${breaker}: ${from} -> ${to}: ${reason}`;
  if (to === 'open') log.warn({ transition }, sentence);
  else log.info({ transition }, sentence);
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
