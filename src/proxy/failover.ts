/**
 * The return of one request to its fallback: a variant with an upstream of its own has failed it, and the fallback
 * serves it instead. What was served changes, and never what was assigned. The variant's breaker, limits and series
 * get the failure when it happens; the fallback's get a call of their own, which begins then.
 */
import { ERRORS } from '../base/error.ts';
import type { Failure } from '../resilience/failure.ts';
import type { Outcome } from '../resilience/outcome.ts';
import { NOTHING_SAID } from './admission.ts';
import type { Decision, Participation } from './decision.ts';
import type { Exchange } from './exchange.ts';
import type { VariantTarget } from './plan.ts';
import { outcomeOf, settleCall } from './settle.ts';
import type { UpstreamGroup } from './upstream-group.ts';

/** Whether the request goes where it does because of a variant whose fallback goes elsewhere. */
export function mayFailOver({ participations, count, group }: Decision): boolean {
  for (let i = 0; i < count; i++) if (isLeaving(participations[i]!, group!)) return true;
  return false;
}

/** Whether a variant that sent the request where it is turns calls away by now. */
export function isBarred({ participations, count, group }: Decision): boolean {
  for (let i = 0; i < count; i++) {
    const participation = participations[i]!;
    if (isLeaving(participation, group!) && participation.served!.breaker?.isBarred === true) return true;
  }
  return false;
}

/** Whether those who would serve it instead are in a state to. Only if `mayFailOver`. */
export function areFallbacksWell({ participations, count, group }: Decision): boolean {
  for (let i = 0; i < count; i++) {
    const participation = participations[i]!;
    if (isLeaving(participation, group!) && participation.plan!.fallback.breaker?.isBarred === true)
      return false;
  }
  return true;
}

/** It has chosen `group`, and its fallback has not. */
function isLeaving({ served, plan }: Participation, group: UpstreamGroup): boolean {
  const { fallback } = plan!;
  return served !== fallback && served!.group === group && fallback.group !== group;
}

/**
 * The variants that sent the request to where it failed have failed it; from now on their fallbacks serve it. False:
 * they may not, since a breaker is open or a limit reached, and it is served as before. Only if `mayFailOver`.
 */
export function failOver(exchange: Exchange, failure: Failure, nowMs: number): boolean {
  const { decision, attempt } = exchange;
  const leaving = decision.participations
    .slice(0, decision.count)
    .filter((participation) => isLeaving(participation, decision.group!));
  const outcomes = leaving.map((participation) => settleFailed(exchange, participation, failure, nowMs));
  leaveUpstream(exchange, nowMs);
  const { group } = leaving[0]!.plan!.fallback;
  if (!isAdmitted(decision, leaving, group, nowMs)) return false;
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
  const { served, call, place } = participation;
  const outcome = failure.code === null ? 'failure' : outcomeOf(exchange, nowMs, served!);
  if (participation.isAdmitted) {
    if (failure.code === null) served!.breaker!.settle(call, outcome, nowMs);
    else settleCall(exchange, participation, nowMs);
  }
  participation.isAdmitted = false;
  if (place !== null) place.release(exchange.request.upstreamTimeMs(nowMs), false, nowMs);
  participation.place = null;
  return outcome;
}

function leaveUpstream({ decision, request }: Exchange, nowMs: number): void {
  if (decision.upstreamPlace !== null)
    decision.upstreamPlace.release(request.upstreamTimeMs(nowMs), false, nowMs);
  decision.upstreamPlace = null;
}

/** Takes what all fallbacks that go to `group` ask for; or nothing. Rate limits count requests, and this one is counted. */
function isAdmitted(
  decision: Decision,
  leaving: readonly Participation[],
  group: UpstreamGroup,
  nowMs: number,
): boolean {
  const { admission, group: routeGroup } = decision.route!;
  const fallbacks = leaving.filter(({ plan }) => plan!.fallback.group === group);
  const limits = group === routeGroup ? admission : fallbacks[0]!.plan!.fallback.limits;
  const upstream = limits === null ? null : limits.upstream;
  if (upstream !== null && !upstream.acquire()) return false;
  decision.upstreamPlace = upstream;
  for (const participation of fallbacks) {
    if (isTaken(participation, participation.plan!.fallback, nowMs)) continue;
    for (const other of fallbacks) giveBack(other, other.plan!.fallback, nowMs);
    if (upstream !== null) upstream.release(NOTHING_SAID, false, nowMs);
    decision.upstreamPlace = null;
    return false;
  }
  return true;
}

function isTaken(participation: Participation, { breaker, limits }: VariantTarget, nowMs: number): boolean {
  const limiter = limits === null ? null : limits.limiter;
  if (limiter !== null && !limiter.acquire()) return false;
  participation.place = limiter;
  if (breaker === null) return true;
  participation.isAdmitted = breaker.admit(participation.call, nowMs);
  return participation.isAdmitted;
}

function giveBack(participation: Participation, { breaker }: VariantTarget, nowMs: number): void {
  const { place, call } = participation;
  if (place !== null) place.release(NOTHING_SAID, false, nowMs);
  participation.place = null;
  if (participation.isAdmitted) breaker!.settle(call, 'ignored', nowMs);
  participation.isAdmitted = false;
}

/** The failed call is counted where it went, and is in flight there no more. */
function record(
  { request }: Exchange,
  { assignment, served }: Participation,
  status: number,
  outcome: Outcome,
  nowMs: number,
): void {
  if (!assignment!.isIncluded) return;
  served!.series.inFlight--;
  served!.series.record(status, outcome, nowMs - request.beganMs, request.overheadMs);
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
