/**
 * A worker's share of the limits that hold for the whole sidecar and are kept by each process: rounded up, so that
 * no share is 0. Pure.
 */
import { shareOfMirrors } from '../config/compile-mirror.ts';
import { shareOfOverload } from '../config/compile-overload.ts';
import type { Config } from '../config/schema.ts';
import type { Snapshot } from '../config/snapshot.ts';

/** The configuration of one of `workers` processes. */
export function shareOfUpstreams(config: Config, workers: number): Config {
  const upstreams = Object.entries(config.upstreams).map(([name, upstream]) => [
    name,
    {
      ...upstream,
      connectionsMax: share(upstream.connectionsMax, workers),
      pendingMax: share(upstream.pendingMax, workers),
    },
  ]);
  const { minPerSecond } = config.retryBudget;
  return {
    ...config,
    upstreams: Object.fromEntries(upstreams) as Config['upstreams'],
    retryBudget: { ...config.retryBudget, minPerSecond: share(minPerSecond, workers) },
  };
}

/**
 * The Snapshot in force with the listeners of the one at the start, which a worker that comes later opens like those
 * before it: a listener's certificates and its trust follow a reload, the rest does not. After compiling, because listeners that
 * are not declared have limits as well.
 */
export function withListenersOf(snapshot: Snapshot, atStart: Snapshot, workers: number): Snapshot {
  const listeners = atStart.listeners.map((listener) => {
    const now = snapshot.listeners.find(({ name }) => name === listener.name);
    const tls = listener.tls === null ? null : (now?.tls ?? listener.tls);
    const trust = now?.trust ?? listener.trust;
    return Object.freeze({
      ...listener,
      tls,
      trust,
      connectionsMax: share(listener.connectionsMax, workers),
    });
  });
  const overload = shareOfOverload(snapshot.overload, workers);
  const mirrors = shareOfMirrors(snapshot.mirrors, workers);
  return Object.freeze({ ...snapshot, overload, mirrors, listeners: Object.freeze(listeners) });
}

function share(limit: number, workers: number): number {
  return Math.ceil(limit / workers);
}
