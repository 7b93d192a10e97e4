/**
 * Traffic carried by worker processes: what `workers: N` means. This process, the primary, carries none. It keeps
 * the rules, the admin API and the metrics page, and looks after the workers.
 * docs/decisions/0007-workers.md says why it is done this way.
 */
import { chmodSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { systemRandom } from '../base/clock.ts';
import { breakersOf } from '../config/breakers.ts';
import type { Config } from '../config/schema.ts';
import type { ListenerSettings, Snapshot, SocketAddress } from '../config/snapshot.ts';
import type { EndpointName } from '../control/drained-endpoints.ts';
import { Certificates } from '../proxy/certificates.ts';
import { EndpointWatch } from '../proxy/endpoint-watch.ts';
import { removeStaleSocket } from '../proxy/unix-socket.ts';
import type { BreakerView } from '../resilience/breaker.ts';
import type { ScopedFault } from '../resilience/fault.ts';
import type { ForceKind } from '../resilience/mode.ts';
import type { OverloadView } from '../resilience/overload-view.ts';
import type { FamilySamples } from '../telemetry/exposition.ts';
import type { LiveCounts } from '../telemetry/live-counts.ts';
import type { Log } from '../telemetry/log.ts';
import type { MirrorView } from '../telemetry/mirror-view.ts';
import { openDecisionFile, openPipeline } from '../telemetry/open.ts';
import type { PageFormat } from '../telemetry/page.ts';
import type { Pipeline } from '../telemetry/pipeline/pipeline.ts';
import { Sink } from '../telemetry/sink.ts';
import type { OpenTap, TakeRecord, TapQuery } from '../telemetry/tap.ts';
import { BreakerExchange } from '../workers/breaker-exchange.ts';
import { Handover } from '../workers/handover.ts';
import type { WorkerLink } from '../workers/link.ts';
import { LiveTotals } from '../workers/live-totals.ts';
import type { Bindings, ToPrimary, ToWorker } from '../workers/messages.ts';
import { askMirrors } from '../workers/mirror-views.ts';
import { startProcess } from '../workers/process.ts';
import { SeriesCollector } from '../workers/series-collector.ts';
import { SeriesTotals } from '../workers/series-totals.ts';
import { openSharedRecords } from '../workers/shared-records.ts';
import { type Addresses, Supervisor } from '../workers/supervisor.ts';
import { TapRelay } from '../workers/tap-relay.ts';
import { WorkerStates } from '../workers/worker-states.ts';
import { packageFile } from './package-root.ts';
import { bindingOf, checkPorts } from './shared-ports.ts';
import { recordTransition, type Traffic, type TrafficContext } from './traffic.ts';
import { buildInfo } from './version.ts';

/** A worker that has not answered by then is busy or stuck; its last known values are shown. */
const ANSWER_MS = 500;
/** The answer to a change waits for a worker this long: «killed» said of an experiment should mean it. */
const SETTLED_MS = 5000;
/** Beats of the watch after which no connection is handed to a worker that says nothing, while others do. */
const SILENCE_MAX = 2;

export class WorkerTraffic implements Traffic {
  readonly #context: TrafficContext;
  readonly #count: number;
  /** Listeners, logs and shares are those of the start. */
  readonly #atStart: Config;
  readonly #listeners: readonly ListenerSettings[];
  readonly #supervisor: Supervisor;
  readonly #taps: TapRelay;
  readonly #exchange: BreakerExchange;
  readonly #totals = new SeriesTotals();
  readonly #live = new LiveTotals(ANSWER_MS);
  readonly #collector = new SeriesCollector(this.#totals);
  readonly #states = new WorkerStates(ANSWER_MS);
  readonly #handovers: Handover[] = [];
  readonly #stdout: Sink;
  /** Of the decision log. */
  readonly #decisions: Sink | null;
  /** Of the exposures; the workers tell it. */
  readonly #pipeline: Pipeline | null;
  /** Of `workers/shared-records.ts`. */
  readonly #sharedFile: number | null;
  /** For the page; the workers warn of those that end. */
  readonly #certificates: Certificates;
  /** Checks endpoints for all workers. */
  readonly #endpoints: EndpointWatch;
  #faults: readonly ScopedFault[] = [];
  #drained: readonly EndpointName[] = [];
  #turn = 0;

  constructor(context: TrafficContext, workers: number) {
    const { control, clock, metrics, log } = context;
    this.#context = context;
    this.#count = workers;
    this.#atStart = control.rules.config;
    this.#listeners = control.snapshot.listeners;
    this.#sharedFile = tryOpenShared(workers, log);
    this.#stdout = new Sink({ target: 1, dropped: metrics.counters.accessLogDropped });
    this.#pipeline = openPipeline(
      { service: control.snapshot.service, metrics, log },
      control.snapshot.exposures,
      { clock, random: systemRandom, version: buildInfo().version },
    );
    this.#decisions = openDecisionFile({ metrics, log }, control.snapshot.decisions);
    this.#supervisor = new Supervisor({
      workers,
      clock,
      log,
      startProcess: (events) =>
        startProcess(
          {
            entry: workerEntry(),
            output: { stdout: (lines) => this.#stdout.write(lines), stderr: context.writeLog },
            sharedFile: this.#sharedFile,
          },
          events,
        ),
      onLoaded: (link, first) => this.#tellToStart(link, first),
      onMessage: (link, message) => this.#receive(link, message),
      onServing: (link) => this.#exchange.adopted(link.worker, link.version),
      onGone: (link) => this.#forget(link.worker),
    });
    this.#taps = new TapRelay(clock, (message) => this.#tellAll(message));
    this.#exchange = new BreakerExchange({
      clock,
      random: systemRandom,
      send: (worker, message) => this.#supervisor.link(worker)?.send(message),
      onTransition: recordTransition(context),
      remembered: context.breakers.remembered,
    });
    this.#exchange.configure(breakersOf(control.snapshot), control.snapshot.version);
    this.#certificates = new Certificates(log);
    this.#certificates.adopt(control.snapshot);
    metrics.connections.setCertificateSource(() => this.#certificates.list);
    this.#endpoints = new EndpointWatch(control.snapshot, {
      ...{ clock, random: systemRandom, metrics, log },
      onChange: (unhealthy) => this.#tellAll({ kind: 'health', unhealthy: [...unhealthy] }),
    });
    metrics.setBreakerSource(() => {
      const nowMs = clock.now();
      return this.#exchange.breakers().map((one) => ({ name: one.name, ...one.standing(nowMs) }));
    });
    metrics.setWorkerSource(() => ({
      serving: this.#supervisor.serving().length,
      restarts: Array.from(this.#supervisor.restarts, ([cause, count]) => ({ cause, count })),
      reportsMissing: this.#collector.missing,
    }));
  }

  async start(): Promise<Addresses> {
    await checkPorts(this.#listeners);
    // Nothing may outlive this process, however it ends.
    process.once('exit', this.#stopNow);
    this.#exchange.start();
    const addresses: Record<string, SocketAddress> = { ...(await this.#supervisor.start()) };
    for (const { name, address, socketMode } of this.#listeners) {
      if (address.kind !== 'unix') continue;
      await this.#listenOn(address.path, name);
      if (socketMode !== null) chmodSync(address.path, socketMode);
    }
    return addresses;
  }

  adopt(snapshot: Snapshot): void {
    this.#exchange.configure(breakersOf(snapshot), snapshot.version);
    this.#certificates.adopt(snapshot);
    this.#endpoints.adopt(snapshot);
    for (const link of this.#supervisor.told()) link.adopt(this.#context.control.rules);
  }

  drainEndpoints(drained: readonly EndpointName[]): void {
    this.#drained = drained;
    this.#tellAll({ kind: 'drained', endpoints: drained });
  }

  inject(faults: readonly ScopedFault[]): void {
    this.#faults = faults;
    this.#tellAll(this.#faultsNow());
  }

  tap(query: TapQuery, take: TakeRecord): OpenTap {
    return this.#taps.open(query, take);
  }

  isServing(): boolean {
    return this.#supervisor.serving().length > 0;
  }

  breakers(): BreakerView[] {
    return this.#states.breakers(this.#exchange.breakers(), this.#context.clock.now());
  }

  isOpen(breaker: string): boolean {
    return this.#exchange.isOpen(breaker);
  }

  overload(): OverloadView {
    return this.#states.overload();
  }

  upstreams() {
    return this.#states.upstreams();
  }

  inFlight(): number {
    return this.#states.inFlight();
  }

  force(name: string, kind: ForceKind, forMs: number, reason: string): boolean {
    return this.#exchange.force(name, kind, forMs, reason);
  }

  reset(name: string, reason: string): boolean {
    return this.#exchange.reset(name, reason);
  }

  refresh(): Promise<void> {
    return this.#states.refresh(this.#supervisor.serving());
  }

  mirrors(): Promise<readonly MirrorView[]> {
    return askMirrors(this.#supervisor.serving(), ANSWER_MS);
  }

  forgetMirror(experiment: string): void {
    this.#tellAll({ kind: 'forget-mirror', experiment });
  }

  async carried(traceparent: string, requestId: string): Promise<string> {
    // All know the same; where one is busy or stuck, the next one is asked.
    for (const link of this.#supervisor.serving()) {
      const answer = await link.ask('carried', ANSWER_MS, { traceparent, requestId });
      if (answer !== null) return answer.carried;
    }
    return '';
  }

  async settled(): Promise<void> {
    const { version } = this.#context.control.snapshot;
    // What is said to a worker is heard in order: when it answers, it has heard all that was said before.
    const heard = this.#supervisor.serving().map(async (link) => {
      await link.reached(version);
      await link.ask('sign', SETTLED_MS);
    });
    await Promise.race([Promise.all(heard), pause(SETTLED_MS, undefined, { ref: false })]);
  }

  async renderMetrics(format: PageFormat): Promise<string> {
    await this.#collector.collect(this.#supervisor.serving());
    return this.#context.metrics.render(format, (family) => this.#totals.merge(family));
  }

  async samplesOf(names: readonly string[]): Promise<FamilySamples[]> {
    await this.#collector.collect(this.#supervisor.serving());
    const own = await this.#context.metrics.samplesOf(names);
    return own.map((family) => ({ ...family, values: this.#totals.merge(family) }));
  }

  liveCounts(): Promise<readonly LiveCounts[]> {
    return this.#live.collect(this.#supervisor.serving());
  }

  async drain(timeoutMs: number): Promise<number> {
    await Promise.all(this.#handovers.map((handover) => handover.close()));
    return this.#supervisor.drain(timeoutMs);
  }

  async stop(): Promise<void> {
    process.off('exit', this.#stopNow);
    this.#exchange.stop();
    this.#endpoints.close();
    await Promise.all(this.#handovers.map((handover) => handover.close()));
    this.#supervisor.stop();
    await Promise.all([this.#stdout.close(), this.#decisions?.close(), this.#pipeline?.close()]);
  }

  keepBreakers() {
    return this.#exchange.keep();
  }

  /** Without a spool each worker writes for itself, and only the metrics know. */
  exposureLoss() {
    return this.#pipeline?.loss.look() ?? null;
  }

  /** What a worker has is told before it answers. */
  async tellCollected(): Promise<void> {
    await Promise.all(this.#supervisor.serving().map((link) => link.ask('sign', ANSWER_MS)));
  }

  describe(): object {
    const { control } = this.#context;
    const workers = this.#supervisor.all().map(({ link, isServing }) => ({
      worker: link.worker,
      pid: link.process.pid,
      state: isServing ? 'serving' : 'starting',
      version: link.version,
      isCurrent: link.version === control.snapshot.version,
    }));
    return { workers };
  }

  readonly #stopNow = (): void => this.#supervisor.stop();

  async #listenOn(path: string, listener: string): Promise<void> {
    await removeStaleSocket(path);
    const handover = new Handover((socket) => this.#give(listener, socket));
    this.#handovers.push(handover);
    await handover.listen(path, (error) =>
      this.#context.log.error({ listener, error: error.message }, 'accept failed'),
    );
  }

  #give(listener: string, socket: Socket): void {
    const serving = this.#supervisor.serving();
    const lively = serving.filter(({ silence }) => silence <= SILENCE_MAX);
    const links = lively.length > 0 ? lively : serving;
    const link = links[this.#turn++ % links.length];
    if (link === undefined) socket.destroy();
    else link.send({ kind: 'connection', listener }, socket);
  }

  #tellToStart(link: WorkerLink, first: Addresses | null): void {
    const { rules } = this.#context.control;
    const bindings: Bindings = Object.fromEntries(
      this.#listeners.map(({ name, address }) => [name, bindingOf(address, first?.[name])]),
    );
    const isSharing = this.#sharedFile !== null;
    const unitKey = this.#context.analysis.key;
    link.start({ workers: this.#count, isSharing, unitKey, atStart: this.#atStart, bindings }, rules);
    if (this.#faults.length > 0) link.send(this.#faultsNow());
    if (this.#drained.length > 0) link.send({ kind: 'drained', endpoints: this.#drained });
    if (this.#taps.message !== null) link.send(this.#taps.message);
    const unhealthy = [...this.#endpoints.unhealthy];
    if (unhealthy.length > 0) link.send({ kind: 'health', unhealthy });
  }

  /** Clocks that never jump begin with the process: what is left is the same in all. */
  #faultsNow(): ToWorker {
    const nowMs = this.#context.clock.now();
    return {
      kind: 'faults',
      faults: this.#faults.map(({ route, experiment, variant, fault, untilMs }) => ({
        ...{ route, experiment, variant, fault },
        leftMs: untilMs - nowMs,
      })),
    };
  }

  #receive(link: WorkerLink, message: ToPrimary): void {
    switch (message.kind) {
      case 'adopted':
        this.#exchange.adopted(link.worker, message.version);
        return;
      case 'opened':
        this.#exchange.opened(message.opening);
        return;
      case 'report':
        this.#exchange.reported(link.worker, message.reports);
        return;
      case 'collected':
        this.#context.analysis.take(message.delta, `worker ${link.worker}`);
        return;
      case 'tapped':
        this.#taps.received(message.taps);
        return;
      case 'decisions':
        this.#decisions?.write(message.lines);
        return;
      case 'exposures':
        this.#pipeline?.writeAll(link.worker, message.lines, message.dropped);
        return;
      case 'log':
        this.#context.log[message.level]({ worker: link.worker, ...message.facts }, message.sentence);
    }
  }

  #tellAll(message: ToWorker): void {
    for (const link of this.#supervisor.told()) link.send(message);
  }

  #forget(worker: number): void {
    this.#exchange.leave(worker);
    this.#totals.forget(worker);
    this.#live.forget(worker);
    this.#states.forget(worker);
  }
}

/** Null: there is none, and nothing is joined that may have come to different workers. */
function tryOpenShared(workers: number, log: Log): number | null {
  try {
    return openSharedRecords(workers);
  } catch (error) {
    log.error(
      { error: (error as Error).message },
      'calls are not joined to requests: there is no file that workers could share in /dev/shm nor in the temporary folder',
    );
    return null;
  }
}

/** The program of a worker: beside this file in a checkout, a bundle of its own when built. */
function workerEntry(): string {
  return packageFile(import.meta.url.endsWith('.ts') ? 'src/cli/serve-worker.ts' : 'dist/worker.js');
}
