/**
 * What of the assigned is let through: limits on load and breakers are asked, and who is turned away gets the fallback.
 * Changes what is served and never what is assigned. Everything that is taken here for a request is given back exactly
 * once: by `settle.ts`, or by `cancel` when nothing was tried after all. Nothing waits.
 */
import type { ErrorCode } from '../base/error.ts';
import { readUnit } from '../experiment/unit.ts';
import type { Limiter } from '../resilience/limiter.ts';
import type { Decision, Participation } from './decision.ts';
import type { Admission, Rate } from './limits.ts';
import type { FallbackCause, VariantTarget } from './plan.ts';

/** What is beyond a limit may come back after this; nobody knows better. */
const RETRY_MS = 1000;

/** What is answered when not even the fallback may be served, by what stood against it. */
const CODES = {
  breaker: 'breaker_open',
  overload: 'concurrency_limited',
  'rate-limit': 'rate_limited',
} as const satisfies Partial<Record<FallbackCause, ErrorCode>>;

type Refusal = keyof typeof CODES;

/**
 * Before anything is decided: whether a request may come in on its route at all. An error: it may not, `decision` says
 * for how long, and in a sentence why.
 */
export function refuse(
  decision: Decision,
  { shedding, isProtected, rate }: Admission,
  nowMs: number,
): ErrorCode | null {
  if (shedding?.shedsRequest(isProtected) === true) {
    decision.retryAfterMs = RETRY_MS;
    return 'load_shed';
  }
  return rate === null || hasToken(decision, rate, nowMs) ? null : 'rate_limited';
}

/**
 * Asks the limits and the breakers, in the order of the experiments; the first variant with its own upstream gets its
 * way. An error: not even a fallback may be served, and nothing is taken; `decision` says for how long, and why.
 */
export function admit(decision: Decision, nowMs: number): ErrorCode | null {
  const { group: routeGroup, admission } = decision.route!;
  let upstream = admission === null ? null : admission.upstream;
  for (let i = 0; i < decision.count; i++) {
    const participation = decision.participations[i]!;
    if (isGuarded(participation)) {
      const refusal = admitOne(decision, participation, nowMs);
      if (refusal !== null) {
        cancel(decision, nowMs);
        return refusal;
      }
    }
    const { group, limits } = participation.served!;
    if (group === routeGroup || decision.group !== routeGroup) continue;
    decision.group = group;
    upstream = limits === null ? null : limits.upstream;
  }
  return upstream === null ? null : enter(decision, upstream, nowMs);
}

/** Takes a place at the upstream that the request goes to. */
function enter(decision: Decision, upstream: Limiter, nowMs: number): ErrorCode | null {
  if (upstream.acquire()) {
    decision.upstreamPlace = upstream;
    return null;
  }
  say(decision, upstream);
  cancel(decision, nowMs);
  return 'concurrency_limited';
}

function admitOne(decision: Decision, participation: Participation, nowMs: number): ErrorCode | null {
  const { plan } = participation;
  const wanted = participation.served!;
  const fallback = plan!.fallback;
  const routeGroup = decision.route!.group;
  const isConflict =
    wanted.group !== routeGroup && decision.group !== routeGroup && decision.group !== wanted.group;
  // Losing to another experiment's upstream says nothing about the fallback: it is not asked.
  if (isConflict) {
    if (wanted !== fallback) fallBack(participation, 'conflict');
    return null;
  }
  const refusal = take(decision, participation, nowMs);
  if (refusal === null) return null;
  if (wanted === fallback || (refusal === 'rate-limit' && wanted.limits!.rate!.isRefusing))
    return CODES[refusal];
  fallBack(participation, refusal);
  const last = take(decision, participation, nowMs);
  return last === null ? null : CODES[last];
}

function fallBack(participation: Participation, cause: FallbackCause): void {
  const { plan } = participation;
  participation.cause = cause;
  participation.served = plan!.fallback;
  plan!.fellBack(cause).value++;
}

/** Takes all that the served variant asks for, the breaker's permission last; or nothing, and answers what was not to be had. */
function take(decision: Decision, participation: Participation, nowMs: number): Refusal | null {
  const target = participation.served!;
  const { limits, breaker } = target;
  const isFallback = target === participation.plan!.fallback;
  if (!isFallback && decision.route!.admission?.shedding?.sheds('candidate') === true) return 'overload';
  if (limits !== null) {
    const refusal = checkLimits(decision, target, isFallback, nowMs);
    if (refusal !== null) return refusal;
  }
  if (breaker !== null) {
    if (!breaker.admit(participation.call, nowMs)) {
      decision.retryAfterMs = breaker.retryAfterMs(nowMs);
      return 'breaker';
    }
    participation.isAdmitted = true;
  }
  if (limits !== null && limits.limiter !== null) {
    limits.limiter.acquire();
    participation.place = limits.limiter;
  }
  return null;
}

/** Whether there is room for another request. Takes its token of the rate limit, when there is all else. */
function checkLimits(
  decision: Decision,
  { group, limits }: VariantTarget,
  isFallback: boolean,
  nowMs: number,
): Refusal | null {
  const { limiter, rate, upstream } = limits!;
  if (limiter !== null && !limiter.hasRoom) return isFull(decision, limiter);
  // With the upstream of the route, falling back would not help.
  const isElsewhere = !isFallback && group !== decision.route!.group;
  if (isElsewhere && upstream !== null && !upstream.hasRoom) return isFull(decision, upstream);
  return rate === null || hasToken(decision, rate, nowMs) ? null : 'rate-limit';
}

function isFull(decision: Decision, limiter: Limiter): 'overload' {
  limiter.rejected++;
  say(decision, limiter);
  return 'overload';
}

function say(decision: Decision, limiter: Limiter): void {
  decision.retryAfterMs = RETRY_MS;
  decision.limit = `${limiter.limit} requests are under way, which is the limit.`;
}

function hasToken(decision: Decision, { limit, by }: Rate, nowMs: number): boolean {
  const unit = by === null ? null : (readUnit(by, decision.given.request, null)?.id ?? null);
  const waitMs = limit.take(unit, nowMs);
  if (waitMs === 0) return true;
  decision.retryAfterMs = waitMs;
  const { perSecond } = limit.settings;
  decision.limit = `The limit is ${Number(perSecond.toPrecision(6))} requests a second${by === null ? '' : ' for each'}.`;
  return false;
}

/** Nothing was tried after all: every admitted call and every place is given back uncounted. */
export function cancel(decision: Decision, nowMs: number): void {
  for (let i = 0; i < decision.count; i++) {
    const participation = decision.participations[i]!;
    if (!participation.isAdmitted) continue;
    participation.isAdmitted = false;
    participation.served!.breaker!.settle(participation.call, 'ignored', nowMs);
  }
  leave(decision, NOTHING_SAID, false, nowMs);
}

/** What a request took that says nothing about its upstream. */
export const NOTHING_SAID = -1;

/**
 * The request is under way no longer: its places are for others. `tookMs`, of the upstream's time, and `isGood` are for
 * limits that find themselves; `NOTHING_SAID`: it says nothing. Harmless when it has left.
 */
export function leave(decision: Decision, tookMs: number, isGood: boolean, nowMs: number): void {
  if (decision.upstreamPlace !== null) {
    decision.upstreamPlace.release(tookMs, isGood, nowMs);
    decision.upstreamPlace = null;
  }
  for (let i = 0; i < decision.count; i++) {
    const participation = decision.participations[i]!;
    if (participation.place === null) continue;
    participation.place.release(tookMs, isGood, nowMs);
    participation.place = null;
  }
}

/** Who takes part, and who gets another variant than the fallback all the same: the winner of what is over. */
function isGuarded({ assignment, plan, served }: Participation): boolean {
  return assignment!.isIncluded || served !== plan!.fallback;
}
