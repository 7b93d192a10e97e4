/**
 * What of the assigned is let through: the breakers are asked, and who is turned away gets the fallback. Changes what
 * is served and never what is assigned. Everything that is taken here for a request is given back exactly once: in
 * `settle.ts`, or by `cancel` when nothing was tried after all.
 */
import type { Decision, Participation } from './decision.ts';

/**
 * Asks the breakers, in the order of the experiments; the first variant with its own upstream gets its way. False: not
 * even a fallback may be served, and nothing is taken; `decision.retryAfterMs` says for how long.
 */
export function admit(decision: Decision, nowMs: number): boolean {
  const routeGroup = decision.route!.group;
  for (let i = 0; i < decision.count; i++) {
    const participation = decision.participations[i]!;
    if (isGuarded(participation) && !admitOne(decision, participation, nowMs)) {
      decision.retryAfterMs = participation.plan!.fallback.breaker?.retryAfterMs(nowMs) ?? 0;
      cancel(decision, nowMs);
      return false;
    }
    const wanted = participation.served!.group;
    if (wanted !== routeGroup && decision.group === routeGroup) decision.group = wanted;
  }
  return true;
}

function admitOne(decision: Decision, participation: Participation, nowMs: number): boolean {
  const { plan, call } = participation;
  const wanted = participation.served!;
  const routeGroup = decision.route!.group;
  const isConflict =
    wanted.group !== routeGroup && decision.group !== routeGroup && decision.group !== wanted.group;
  if (!isConflict) {
    if (wanted.breaker === null) return true;
    if (wanted.breaker.admit(call, nowMs)) {
      participation.isAdmitted = true;
      return true;
    }
  }
  const fallback = plan!.fallback;
  if (wanted === fallback) return isConflict;
  participation.cause = isConflict ? 'conflict' : 'breaker';
  participation.served = fallback;
  plan!.fellBack(participation.cause).value++;
  // Losing to another experiment's upstream says nothing about the fallback: its breaker is not asked.
  if (isConflict || fallback.breaker === null) return true;
  participation.isAdmitted = fallback.breaker.admit(call, nowMs);
  return participation.isAdmitted;
}

/** Nothing was tried after all: every admitted call is given back uncounted. */
export function cancel(decision: Decision, nowMs: number): void {
  for (let i = 0; i < decision.count; i++) {
    const participation = decision.participations[i]!;
    if (!participation.isAdmitted) continue;
    participation.isAdmitted = false;
    participation.served!.breaker!.settle(participation.call, 'ignored', nowMs);
  }
}

/** Who takes part, and who gets another variant than the fallback all the same: the winner of what is over. */
function isGuarded({ assignment, plan, served }: Participation): boolean {
  return assignment!.isIncluded || served !== plan!.fallback;
}
