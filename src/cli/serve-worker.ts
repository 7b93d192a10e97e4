/**
 * The program of a worker process: the data plane and nothing else, told what to do over its channel by the primary
 * that started it (`serve-primary.ts`). Reads no file but what it logs to, and decides nothing about its own life.
 *
 * It does not outlive the primary by longer than a drain: when the channel closes, it finishes what is under way.
 */
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { systemClock, systemRandom } from '../base/clock.ts';
import { compile } from '../config/compile.ts';
import type { Config } from '../config/schema.ts';
import type { Snapshot } from '../config/snapshot.ts';
import type { OtherMemories } from '../proxy/context-memory.ts';
import { DataPlane } from '../proxy/data-plane.ts';
import { openTap } from '../proxy/taps.ts';
import type { Transition } from '../resilience/breaker.ts';
import type { Opening } from '../resilience/sharing.ts';
import { Recorder } from '../telemetry/collection/recorder.ts';
import type { FamilySamples } from '../telemetry/exposition.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { openAccessLog, openDecisions, openExposures, openTracing } from '../telemetry/open.ts';
import { RemoteLog } from '../workers/log.ts';
import type { Rules, ToPrimary, ToWorker } from '../workers/messages.ts';
import { SHARED_FILE } from '../workers/process.ts';
import { RemoteDeltas } from '../workers/remote-deltas.ts';
import { RemoteLines } from '../workers/remote-lines.ts';
import { RemoteTaps } from '../workers/remote-taps.ts';
import { shareOfUpstreams, withListenersOf } from '../workers/share.ts';
import { SharedRecords } from '../workers/shared-records.ts';
import { HeapTidying } from './heap-tidying.ts';
import { addressesOf, connectPlane, upstreamsOf } from './serve-single.ts';
import { buildInfo } from './version.ts';

/** Samples in a message: making and sending them takes about a millisecond, and requests wait for no longer. */
const SAMPLES_MAX = 2000;

/** Tells the primary; when it is gone, nobody. */
function send(message: ToPrimary, done: () => void = () => {}): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => done());
  else done();
}

class Worker {
  readonly #metrics: Metrics;
  readonly #log: RemoteLog;
  readonly #plane: DataPlane;
  readonly #taps: RemoteTaps;
  readonly #recorder: Recorder;
  readonly #workers: number;
  readonly #isSharing: boolean;
  readonly #atStart: Snapshot;
  readonly #accessLog: ReturnType<typeof openAccessLog>;
  readonly #exposures: ReturnType<typeof openExposures>;
  readonly #tracing: ReturnType<typeof openTracing>;
  readonly #decisions: RemoteLines;
  /** Exposures for the spool, which the primary writes; null: there is none. */
  readonly #spooled: RemoteLines | null;
  /** Resolves when it serves. */
  readonly #started: Promise<void>;
  /** This worker's share of the configuration in force. */
  #config: Config;
  #isReporting = false;
  #isEnding = false;

  constructor({
    worker,
    workers,
    isSharing,
    unitKey,
    rules,
    atStart,
    bindings,
  }: ToWorker & { kind: 'start' }) {
    process.title = `fairlead worker ${worker}`;
    this.#workers = workers;
    this.#isSharing = isSharing;
    this.#config = this.#shareOf(rules.config ?? atStart);
    const snapshot = named(compile(this.#config, rules.runtime, rules.version), rules);
    const isAsAtStart = rules.config === atStart;
    this.#atStart = isAsAtStart ? snapshot : compile(atStart, rules.runtime, rules.version);
    this.#metrics = new Metrics(buildInfo());
    this.#log = new RemoteLog(send, this.#metrics.counters.logDropped);
    const logs = { service: this.#atStart.service, metrics: this.#metrics, log: this.#log };
    this.#accessLog = openAccessLog(logs, this.#atStart.accessLog);
    const { decisionsDropped, exposuresDropped } = this.#metrics.counters;
    this.#spooled =
      this.#atStart.exposures.spool === null ? null : new RemoteLines(send, 'exposures', exposuresDropped);
    this.#exposures = openExposures(logs, this.#atStart.exposures, this.#spooled);
    this.#tracing = openTracing(logs, this.#atStart.tracing, {
      clock: systemClock,
      random: systemRandom,
      version: buildInfo().version,
    });
    this.#decisions = new RemoteLines(send, 'decisions', decisionsDropped);
    const deltas = new RemoteDeltas(send);
    this.#recorder = new Recorder({
      key: unitKey,
      take: (delta) => deltas.take(delta),
      dropped: this.#metrics.analysis.dropped,
      malformed: this.#metrics.analysis.malformed,
    });
    this.#plane = new DataPlane(withListenersOf(snapshot, this.#atStart, workers), {
      clock: systemClock,
      random: systemRandom,
      metrics: this.#metrics,
      log: this.#log,
      accessLog: this.#accessLog?.accessLog ?? null,
      exposures: this.#exposures?.exposures ?? null,
      tracing: this.#tracing,
      decisions: openDecisions(logs, this.#atStart.decisions, {
        target: this.#decisions,
        key: this.#atStart.exposures.key,
        random: systemRandom,
      }),
      onTransition: (transition) => this.#opened(transition),
      isShared: true,
      isCheckedElsewhere: true,
      otherMemories: isSharing ? otherMemories(workers, worker) : null,
      recorder: this.#recorder,
      onTick: () => this.#report(),
    });
    connectPlane({ metrics: this.#metrics }, this.#plane);
    this.#taps = new RemoteTaps((query, take) => openTap(this.#plane, query, take), send);
    this.#started = this.#plane.start(({ name }) => bindings[name] ?? { kind: 'alone' });
    this.#started.then(
      () => {
        send({ kind: 'serving', addresses: addressesOf(this.#plane), version: rules.version });
        new HeapTidying(() => this.#plane.inFlight() === 0).soon();
      },
      (error: Error) => send({ kind: 'failed', message: error.message }, () => process.exit(1)),
    );
  }

  receive(message: ToWorker, socket: Socket | undefined): void {
    switch (message.kind) {
      case 'rules':
        this.#plane.adopt(this.#compile(message.rules));
        send({ kind: 'adopted', version: message.rules.version });
        return;
      case 'faults':
        this.#plane.inject(
          message.faults.map(({ leftMs, ...fault }) => ({
            ...fault,
            untilMs: systemClock.now() + leftMs,
            untilWallMs: Number.POSITIVE_INFINITY,
          })),
        );
        return;
      case 'taps':
        this.#taps.follow(message.taps);
        return;
      case 'forget-mirror':
        this.#plane.mirrors.forget(message.experiment);
        return;
      case 'drained':
        this.#plane.drainEndpoints(message.endpoints);
        return;
      case 'health':
        this.#plane.heedHealth(new Set(message.unhealthy));
        return;
      case 'standings':
        for (const standing of message.standings)
          this.#plane.shared.get(standing.breaker)?.follow(standing, systemClock.now());
        return;
      case 'elsewhere':
        for (const elsewhere of message.breakers)
          this.#plane.shared.get(elsewhere.breaker)?.merge(elsewhere, systemClock.now());
        return;
      case 'connection':
        this.#take(message.listener, socket);
        return;
      case 'ask':
        void this.#answer(message);
        return;
      case 'drain':
        void this.end(message.timeoutMs);
    }
  }

  /** Finish within `timeoutMs` (unless given, what the rules say), then exit. */
  async end(timeoutMs = this.#plane.plan.snapshot.drain.timeoutMs): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    await this.#started;
    const cut = await this.#plane.drain(timeoutMs);
    this.#plane.stop();
    this.#recorder.flush();
    this.#decisions.flush();
    this.#spooled?.flush();
    await Promise.all([
      this.#accessLog?.sink.close(),
      this.#exposures?.sink?.close(),
      this.#tracing?.close(),
    ]);
    send({ kind: 'drained', cut }, () => process.exit(0));
  }

  #compile(rules: Rules): Snapshot {
    const { config, runtime, version } = rules;
    if (config !== null) this.#config = this.#shareOf(config);
    const snapshot = named(compile(this.#config, runtime, version), rules);
    return withListenersOf(snapshot, this.#atStart, this.#workers);
  }

  /** Without what workers share, a call could be taken for another user's. */
  #shareOf(config: Config): Config {
    const own = shareOfUpstreams(config, this.#workers);
    return this.#isSharing ? own : { ...own, propagation: { ...own.propagation, join: 'off' } };
  }

  #take(name: string, socket: Socket | undefined): void {
    const listener = this.#plane.listeners.find(({ settings }) => settings.name === name);
    if (listener === undefined || socket === undefined) socket?.destroy();
    else listener.take(socket);
  }

  /** A breaker opens by itself here, and the others hear of it at once; all its other moves are the primary's. */
  #opened({ breaker, to, cause, reason }: Transition): void {
    // What is held back is in the report.
    if (to !== 'open') return;
    const opening = this.#plane.shared.get(breaker)?.opening(systemClock.now());
    if (opening === undefined) return;
    send({ kind: 'opened', opening: { breaker, cause: cause as Opening['cause'], reason, ...opening } });
  }

  /** What the calls here have come to since the last tick; a primary that is slow to read gets more in fewer. */
  #report(): void {
    this.#decisions.flush();
    this.#spooled?.flush();
    this.#recorder.flush();
    this.#taps.flush();
    if (this.#isReporting) return;
    const reports = [];
    for (const breaker of this.#plane.shared.values()) {
      const report = breaker.report(systemClock.now());
      if (report !== null) reports.push(report);
    }
    if (reports.length === 0) return;
    this.#isReporting = true;
    send({ kind: 'report', reports }, () => {
      this.#isReporting = false;
    });
  }

  async #answer({ id, what, ids }: ToWorker & { kind: 'ask' }): Promise<void> {
    if (what === 'series') {
      for await (const family of this.#metrics.samples()) {
        for (const part of partsOf(family)) {
          send({ kind: 'answer', id, families: [part], state: null, isLast: false });
          if (part.values.length === SAMPLES_MAX) await nextTurn();
        }
      }
    }
    if (what === 'sign') this.#recorder.flush();
    const state = what === 'state' ? this.#state() : null;
    const live = what === 'live' ? { live: await this.#metrics.live() } : {};
    const carried = ids === undefined ? '' : this.#plane.carried(ids.traceparent, ids.requestId);
    const mirrors = what === 'mirrors' ? this.#plane.mirrors.views() : [];
    send({ kind: 'answer', id, families: [], state, carried, mirrors, ...live, isLast: true });
  }

  #state() {
    const plane = this.#plane;
    return {
      breakers: plane.breakers(),
      upstreams: upstreamsOf(plane),
      overload: plane.limits.view(),
      inFlight: plane.inFlight(),
    };
  }
}

/** On record are the rules of the sidecar, and not this worker's share of them. */
function named(snapshot: Snapshot, { id, hash }: Rules): Snapshot {
  return Object.freeze({ ...snapshot, rules: id, hash });
}

/** What the other workers remember of requests. */
function otherMemories(workers: number, worker: number): OtherMemories {
  const records = new SharedRecords(SHARED_FILE, workers, worker);
  return {
    tell: (traceparent, requestId, text) => records.write(traceparent, requestId, text),
    hear: (take) => records.read(take),
  };
}

function* partsOf(family: FamilySamples): Generator<FamilySamples> {
  for (let at = 0; at < family.values.length; at += SAMPLES_MAX)
    yield { ...family, values: family.values.slice(at, at + SAMPLES_MAX) };
}

function start(): void {
  let worker: Worker | null = null;
  // A terminal and a service manager signal the whole group; the primary has the signal too, and says what to do.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
  process.on('message', (message: ToWorker, socket: Socket | undefined) => {
    if (message.kind === 'start') worker ??= new Worker(message);
    else worker?.receive(message, socket);
  });
  process.on('disconnect', () => {
    if (worker === null) process.exit(0);
    void worker.end();
  });
  send({ kind: 'loaded' });
}

if (import.meta.main) start();
