/** The span of a request that is over, from what is known of it. Only requests that were sent upstream have one. */
import type { Outcome } from '../resilience/outcome.ts';
import type { Evaluation } from '../telemetry/otlp.ts';
import type { Exchange } from './exchange.ts';

/** Tells the tracing of a request that has a span. The path is not in it: it may name people. */
export function recordSpan(exchange: Exchange, nowMs: number, outcome: Outcome): void {
  const { plane, request, decision, response, downstream, error } = exchange;
  const isInbound = downstream.direction === 'inbound';
  const endMs = plane.clock.wallMs();
  const status = error === 'client_aborted' ? 0 : response.status;
  const route = decision.route?.route.name ?? '';
  const { pool } = exchange.attempt;
  plane.tracing!.end(request.span!, {
    kind: isInbound ? 'server' : 'client',
    name: `${request.method} ${route}`,
    startMs: endMs - (nowMs - request.startedMs),
    endMs,
    attributes: {
      'http.request.method': request.method,
      'http.response.status_code': status === 0 ? null : status,
      'http.request.resend_count': exchange.attempt.count > 1 ? exchange.attempt.count - 1 : null,
      'error.type': error ?? (status >= 500 ? String(status) : null),
      'fairlead.route': route,
      'fairlead.upstream': pool === null ? null : pool.endpoint.id,
      'fairlead.outcome': outcome,
      'fairlead.request_id': request.requestId.slice(0, REQUEST_ID_MAX_CHARS),
    },
    isError: error !== null || status >= (isInbound ? 500 : 400),
    evaluations: evaluationsOf(exchange),
  });
}

/** Of an `x-request-id` that the client chose. */
const REQUEST_ID_MAX_CHARS = 128;

/** Without the unit, which would be another place to look after. */
function evaluationsOf({ decision }: Exchange): Evaluation[] {
  return decision.participations.slice(0, decision.count).map(({ assignment, served }) => ({
    experiment: assignment!.experiment.name,
    assigned: assignment!.variant.name,
    served: served!.variant.name,
    reason: assignment!.reason,
  }));
}
