/** What goes on record of a request that is over: its line in the access log, and its exposures. */
import { traceIdOf } from '../propagation/trace.ts';
import type { Outcome } from '../resilience/outcome.ts';
import type { AccessExperiment } from '../telemetry/access-log.ts';
import type { Decision, Participation } from './decision.ts';
import type { Exchange } from './exchange.ts';

/** Of an `x-request-id` that the client chose, this much goes on record. */
const REQUEST_ID_MAX_CHARS = 128;

/** A record for each variant that the request was given, unless there was one a short time ago. */
export function recordExposures(exchange: Exchange, nowMs: number): void {
  const { plane, decision } = exchange;
  const { shedding } = plane.limits;
  for (let i = 0; i < decision.count; i++) {
    const { assignment, served } = decision.participations[i]!;
    const { experiment, variant, unit, unitSource, isIncluded, reason } = assignment!;
    if (!isIncluded) continue;
    // Not remembered either: the unit is recorded when it comes again.
    if (shedding?.sheds('exposure') === true) continue;
    const variantServed = served!.variant.name;
    if (!plane.exposures!.isDue(experiment.name, variant.name, variantServed, unit, nowMs)) continue;
    plane.exposures!.record({
      experiment: experiment.name,
      epoch: experiment.epoch,
      assigned: variant.name,
      served: variantServed,
      reason,
      unit,
      unitSource,
      atMs: plane.clock.wallMs(),
      route: decision.route!.route.name,
      requestId: exchange.request.requestId.slice(0, REQUEST_ID_MAX_CHARS),
    });
  }
}

/** The line of the access log. */
export function logAccess(exchange: Exchange, nowMs: number, outcome: Outcome): void {
  const { plane, decision, tunnel } = exchange;
  const { pool } = exchange.attempt;
  plane.accessLog!.record({
    timeMs: plane.clock.wallMs(),
    requestId: exchange.request.requestId.slice(0, REQUEST_ID_MAX_CHARS),
    traceId: traceIdOf(exchange.request.traceparent) ?? '',
    direction: exchange.downstream.direction,
    method: exchange.request.method,
    route: decision.route?.route.name ?? '',
    status: exchange.response.status,
    durationMs: nowMs - exchange.request.startedMs,
    upstreamMs: upstreamMsOf(exchange, nowMs),
    bytesIn: tunnel === null ? exchange.requestBody.bytes : tunnel.bytesIn,
    bytesOut: tunnel === null ? exchange.responseBody.bytes : tunnel.bytesOut,
    experiments: experimentsOf(decision),
    upstream: pool === null ? '' : `${decision.group!.upstream.name}/${pool.endpoint.id}`,
    outcome,
    retries: Math.max(0, exchange.attempt.count - 1),
    recoveredFrom: exchange.attempt.recoveredFrom,
    code: exchange.error,
    fault: exchange.attempt.faults?.done ?? '',
    closedBy: tunnel === null ? null : tunnel.cause,
  });
}

/** From the request sent to the first byte of the response, or to now; negative: it was not sent. */
export function upstreamMsOf({ request }: Exchange, nowMs: number): number {
  if (request.sentMs < 0) return -1;
  return (request.firstByteMs < 0 ? nowMs : request.firstByteMs) - request.sentMs;
}

/** What became of each experiment in an exchange. */
export function experimentsOf({ participations, count }: Decision): AccessExperiment[] {
  return participations.slice(0, count).map(logged);
}

function logged({ assignment, served, cause }: Participation): AccessExperiment {
  const { experiment, variant, reason, detail } = assignment!;
  return {
    name: experiment.name,
    assigned: variant.name,
    served: served!.variant.name,
    reason: cause ?? (detail === null ? reason : `${reason}:${detail}`),
  };
}
