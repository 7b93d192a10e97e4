/** A request's decision, when it is one of the sample that goes on record. Reads what is decided, and changes nothing. */
import type { ErrorCode } from '../base/error.ts';
import { pathOf } from '../routing/attributes.ts';
import type { DecidedExperiment, DecisionLog } from '../telemetry/decision-log.ts';
import type { Decision } from './decision.ts';
import type { Exchange } from './exchange.ts';

/** Of an `x-request-id` that the client chose, this much goes on record. */
const REQUEST_ID_MAX_CHARS = 128;

/** While the head of the request is there. A fault of the record is no fault of the request. */
export function recordDecision(log: DecisionLog, exchange: Exchange, refused: ErrorCode | null): void {
  const { decision, plan, plane, downstream, request } = exchange;
  const head = plane.requestHead;
  if (decision.count === 0 || !log.isDue()) return;
  const { route, clock } = decision.route!;
  const { rules, hash } = plan.snapshot;
  try {
    log.record({
      atMs: clock === null ? plane.clock.wallMs() : decision.given.wallMs,
      rules,
      hash,
      direction: downstream.direction,
      route: route.name,
      requestId: request.requestId.slice(0, REQUEST_ID_MAX_CHARS),
      method: head.method,
      host: head.host() ?? '',
      path: pathOf(head),
      refused,
      given: decision.given,
      decided: decidedBy(decision, refused !== null),
    });
  } catch (error) {
    plane.metrics.counters.decisionsDropped.value++;
    plane.log.debug({ error: (error as Error).message }, 'a decision could not be recorded');
  }
}

function decidedBy(decision: Decision, isRefused: boolean): DecidedExperiment[] {
  const parts = decision.participations.slice(0, decision.count);
  return decision.assignments.map((assignment) => {
    const part = isRefused ? undefined : parts.find((one) => one.assignment === assignment);
    return {
      assignment,
      kept: decision.keptFor(assignment.experiment),
      served: part === undefined ? null : part.served!.variant.name,
      because: part === undefined ? null : part.cause,
    };
  });
}
