/**
 * The return of one request to its fallback: a variant with an upstream of its own has failed it, and the fallback
 * serves it instead. What was served changes, and never what was assigned. The variant's breaker and its series get
 * the failure when it happens; the fallback's get a call of their own, which begins then.
 */
import { ERRORS } from '../base/error.ts';
import type { Failure } from '../resilience/failure.ts';
import type { Outcome } from '../resilience/outcome.ts';
import type { Decision, Participation } from './decision.ts';
import type { Exchange } from './exchange.ts';
import type { VariantTarget } from './plan.ts';
import { outcomeOf } from './settle.ts';
import type { UpstreamGroup } from './upstream-group.ts';

/** Whether the request goes where it does because of a variant whose fallback goes elsewhere. */
export function mayFailOver({ participations, count, group }: Decision): boolean {
  for (let i = 0; i < count; i++) if (isLeaving(participations[i]!, group!)) return true;
  return false;
}

/** It has chosen `group`, and its fallback has not. */
function isLeaving({ served, plan }: Participation, group: UpstreamGroup): boolean {
  const { fallback } = plan!;
  return served !== fallback && served!.group === group && fallback.group !== group;
}

/**
 * The variants that sent the request to where it failed have failed it; from now on their fallbacks serve it. False:
 * they may not, since the breaker of one is open, and it is served as before. Only if `mayFailOver`.
 */
export function failOver(exchange: Exchange, failure: Failure, nowMs: number): boolean {
  const { decision, attempt } = exchange;
  const leaving = decision.participations
    .slice(0, decision.count)
    .filter((participation) => isLeaving(participation, decision.group!));
  const outcomes = leaving.map((participation) => settleFailed(exchange, participation, failure, nowMs));
  const { group } = leaving[0]!.plan!.fallback;
  if (!admitFallbacks(leaving, group, nowMs)) return false;
  const hintsBefore = hintLines(decision);
  for (const [index, participation] of leaving.entries()) {
    record(exchange, participation, statusOf(failure), outcomes[index]!, nowMs);
    serve(participation, participation.plan!.fallback);
  }
  decision.group = group;
  attempt.amend(hintsBefore, hintLines(decision));
  restartClocks(exchange, nowMs);
  return true;
}

/** A status that is listed is a failure, whatever else it would be. */
function settleFailed(
  exchange: Exchange,
  participation: Participation,
  failure: Failure,
  nowMs: number,
): Outcome {
  const { served, call } = participation;
  const outcome = failure.code === null ? 'failure' : outcomeOf(exchange, nowMs, served!.slowThresholdMs);
  if (participation.isAdmitted) served!.breaker!.settle(call, outcome, nowMs);
  participation.isAdmitted = false;
  return outcome;
}

/** Asks the breakers of all fallbacks that go to `group`; what one lets through is given back if another does not. */
function admitFallbacks(leaving: readonly Participation[], group: UpstreamGroup, nowMs: number): boolean {
  for (const participation of leaving) {
    const { breaker, group: wanted } = participation.plan!.fallback;
    // Losing to another experiment's upstream says nothing about the fallback: its breaker is not asked.
    if (breaker === null || wanted !== group) continue;
    participation.isAdmitted = breaker.admit(participation.call, nowMs);
    if (participation.isAdmitted) continue;
    for (const other of leaving) {
      if (other.isAdmitted) other.plan!.fallback.breaker!.settle(other.call, 'ignored', nowMs);
      other.isAdmitted = false;
    }
    return false;
  }
  return true;
}

/** The failed call is counted where it went, and is in flight there no more. */
function record(
  exchange: Exchange,
  { assignment, served }: Participation,
  status: number,
  outcome: Outcome,
  nowMs: number,
): void {
  if (!assignment!.isIncluded) return;
  served!.series.inFlight--;
  served!.series.record(status, outcome, nowMs - exchange.request.beganMs, exchange.request.overheadMs);
}

function serve(participation: Participation, fallback: VariantTarget): void {
  participation.served = fallback;
  participation.cause = 'failover';
  participation.plan!.fellBack('failover').value++;
  if (participation.assignment!.isIncluded) fallback.series.inFlight++;
}

/** What comes is the fallback's time, and that of nobody before it. */
function restartClocks({ decision, request, requestBody }: Exchange, nowMs: number): void {
  request.restart(nowMs, requestBody.isDone);
  for (let i = 0; i < decision.count; i++) {
    const { isAdmitted, served, call } = decision.participations[i]!;
    if (!isAdmitted) continue;
    served!.breaker!.sending(call);
    if (requestBody.isDone) served!.breaker!.sent(call, nowMs);
  }
}

function statusOf({ code, status }: Failure): number {
  return code === null ? status : ERRORS[code].status;
}

/** What the route tells the upstream of who serves. */
function hintLines(decision: Decision): string {
  const { hints } = decision.route!;
  return hints === null || decision.isKeptIn ? '' : hints.lines(decision);
}
