/** Traffic carried by this process itself: what `workers: 1` means. */

import { systemRandom } from '../base/clock.ts';
import type { SocketAddress } from '../config/snapshot.ts';
import { DataPlane } from '../proxy/data-plane.ts';
import { openTap } from '../proxy/taps.ts';
import { Recorder } from '../telemetry/collection/recorder.ts';
import {
  openAccessLog,
  openDecisionFile,
  openDecisions,
  openExposures,
  openLossWatch,
  openPipeline,
  openTracing,
} from '../telemetry/open.ts';
import { recordTransition, type Traffic, type TrafficContext } from './traffic.ts';
import { buildInfo } from './version.ts';

/** The data plane of this process, not listening yet. */
export function singleProcess(context: TrafficContext): Traffic {
  const { control, clock, metrics, log } = context;
  const { snapshot } = control;
  const logs = { service: snapshot.service, metrics, log };
  const accessLog = openAccessLog(logs, snapshot.accessLog);
  const own = { clock, random: systemRandom, version: buildInfo().version };
  const pipeline = openPipeline(logs, snapshot.exposures, own);
  const loss = pipeline?.loss ?? openLossWatch(logs, snapshot.exposures, clock);
  const tracing = openTracing(logs, snapshot.tracing, own);
  const exposures = openExposures(logs, snapshot.exposures, pipeline);
  const decisionFile = openDecisionFile(logs, snapshot.decisions);
  const recorder = new Recorder({
    key: context.analysis.key,
    take: (delta) => context.analysis.take(delta, 'this process'),
    dropped: metrics.analysis.dropped,
    malformed: metrics.analysis.malformed,
  });
  const plane = new DataPlane(snapshot, {
    clock,
    random: systemRandom,
    metrics,
    log,
    accessLog: accessLog?.accessLog ?? null,
    exposures: exposures?.exposures ?? null,
    tracing,
    decisions: openDecisions(logs, snapshot.decisions, {
      target: decisionFile,
      key: snapshot.exposures.key,
      random: systemRandom,
    }),
    recorder,
    onTick: () => recorder.flush(),
    onTransition: recordTransition(context),
    remembered: context.breakers.remembered,
  });
  metrics.setBreakerSource(() => plane.breakers());
  connectPlane(context, plane);
  return {
    renderMetrics: (format) => metrics.render(format),
    samplesOf: (names) => metrics.samplesOf(names),
    liveCounts: async () => [await metrics.live()],
    tap: (query, take) => openTap(plane, query, take),
    start: async () => {
      await plane.start();
      return addressesOf(plane);
    },
    adopt: (next) => plane.adopt(next),
    inject: (faults) => plane.inject(faults),
    isServing: () => true,
    breakers: () => plane.breakers(),
    isOpen: (breaker) => plane.isOpen(breaker),
    upstreams: () => upstreamsOf(plane),
    drainEndpoints: (drained) => plane.drainEndpoints(drained),
    overload: () => plane.limits.view(),
    force: (name, kind, forMs, reason) => plane.force(name, kind, forMs, reason),
    reset: (name, reason) => plane.reset(name, reason),
    inFlight: () => plane.inFlight(),
    carried: (traceparent, requestId) => plane.carried(traceparent, requestId),
    mirrors: async () => plane.mirrors.views(),
    forgetMirror: (experiment) => plane.mirrors.forget(experiment),
    drain: (timeoutMs) => plane.drain(timeoutMs),
    stop: async () => {
      plane.stop();
      recorder.flush();
      loss?.close();
      await Promise.all([accessLog?.sink.close(), exposures?.sink?.close(), decisionFile?.close()]);
      await Promise.all([pipeline?.close(), tracing?.close()]);
    },
    exposureLoss: () => loss?.look() ?? null,
    keepBreakers: () => plane.keepBreakers(),
    tellCollected: () => recorder.flush(),
    describe: () => ({}),
  };
}

/** The metrics show this plane's connections. */
export function connectPlane({ metrics }: Pick<TrafficContext, 'metrics'>, plane: DataPlane): void {
  metrics.setEndpointSource(() =>
    upstreamsOf(plane).flatMap(({ name, endpoints }) =>
      endpoints.map(({ id, active, idle }) => ({ upstream: name, endpoint: id, active, idle })),
    ),
  );
  metrics.breakers.setPassedSource(() => plane.breakers());
  metrics.endpoints.setSource(() =>
    plane
      .upstreams()
      .flatMap(({ name, endpoints }) =>
        endpoints.map(({ state, pending }) => ({ upstream: name, state, pending })),
      ),
  );
  metrics.setListenerSource(() =>
    plane.listeners.map(({ settings, open }) => ({ listener: settings.name, connections: open })),
  );
  metrics.connections.setCertificateSource(() => plane.certificates.list);
  metrics.overload.setSource(() => plane.limits.view());
}

/** The plane's upstreams as people see them. */
export function upstreamsOf(plane: DataPlane) {
  return plane.upstreams().map(({ name, endpoints, names }) => ({
    name,
    names,
    endpoints: endpoints.map(({ open, ...endpoint }) => ({ ...endpoint, active: open - endpoint.idle })),
  }));
}

/** What the plane's listeners are bound to, by name. */
export function addressesOf(plane: DataPlane): Readonly<Record<string, SocketAddress>> {
  return Object.fromEntries(plane.listeners.map(({ settings, address }) => [settings.name, address]));
}
