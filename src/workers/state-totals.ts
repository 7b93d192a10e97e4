/** What the admin API shows of all workers together: breakers, upstreams and requests in flight. Pure. */
import type { BreakerView } from '../resilience/breaker.ts';
import type { SharedBreaker } from '../resilience/shared-breaker.ts';
import type { EndpointState, UpstreamState, WorkerState } from './messages.ts';

/**
 * A breaker of all workers: where it stands, with the calls of all of them. Each worker knows the finished calls of
 * the others, a moment late, so the one that knows most has the sum; what is under way is added up.
 */
export function breakerTotal(
  name: string,
  standing: ReturnType<SharedBreaker['standing']>,
  views: readonly BreakerView[],
): BreakerView {
  const none = {
    requests: 0,
    failures: 0,
    slow: 0,
    consecutiveFailures: 0,
    errorRatio: null,
    slowRatio: null,
  };
  // A worker that has not heard of the latest move counts for another state.
  const known = views.filter((view) => view.state === standing.state);
  const most = known.reduce(
    (best: typeof none | BreakerView, view) => (view.requests > best.requests ? view : best),
    none,
  );
  const { requests, failures, slow, errorRatio, slowRatio, consecutiveFailures } = most;
  const sum = (of: readonly BreakerView[], read: (view: BreakerView) => number): number =>
    of.reduce((total, view) => total + read(view), 0);
  return {
    name,
    ...standing,
    requests,
    failures,
    slow,
    errorRatio,
    slowRatio,
    consecutiveFailures,
    inFlight: sum(views, (view) => view.inFlight),
    overdue: sum(known, (view) => view.overdue),
    heldBack: known.find((view) => view.heldBack !== null)?.heldBack ?? null,
    probes: sum(known, (view) => view.probes),
    probesOk: sum(known, (view) => view.probesOk),
    turnedAway: sum(views, (view) => view.turnedAway),
    wouldTurnAway: sum(views, (view) => view.wouldTurnAway),
  };
}

/** Upstreams and endpoints as the first worker that has them lists them, their numbers added up. */
export function upstreamTotals(states: readonly WorkerState[]): UpstreamState[] {
  const totals = new Map<string, { names: UpstreamState['names']; endpoints: Map<string, EndpointState> }>();
  for (const { upstreams } of states) {
    for (const { name, names, endpoints } of upstreams) {
      const total = totals.get(name) ?? { names, endpoints: new Map<string, EndpointState>() };
      totals.set(name, total);
      for (const endpoint of endpoints)
        total.endpoints.set(endpoint.id, add(total.endpoints.get(endpoint.id), endpoint));
    }
  }
  return Array.from(totals, ([name, { names, endpoints }]) => ({
    name,
    names,
    endpoints: [...endpoints.values()],
  }));
}

function add(total: EndpointState | undefined, one: EndpointState): EndpointState {
  if (total === undefined) return one;
  // Each worker puts endpoints aside by what it has seen itself.
  const { state, reason } = total.state === 'ok' ? one : total;
  return {
    ...total,
    state,
    reason,
    isUsed: total.isUsed || one.isUsed,
    pending: total.pending + one.pending,
    active: total.active + one.active,
    idle: total.idle + one.idle,
    requests: total.requests + one.requests,
    connectFailures: total.connectFailures + one.connectFailures,
  };
}
