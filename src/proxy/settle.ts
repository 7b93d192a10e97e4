/**
 * The end of a request as everything that remembers is told of it: breakers, counters, access log, exposures.
 * Each breaker hears of each admitted call once. Nothing here can fail a request.
 */
import { DEFAULT_FAILURES } from '../resilience/failure-rule.ts';
import { type CallFacts, classify, isClients, type Outcome } from '../resilience/outcome.ts';
import type { RequestSeries, TunnelSeries } from '../telemetry/metrics.ts';
import { leave, NOTHING_SAID } from './admission.ts';
import { beginCollecting, collect } from './collection.ts';
import type { Participation } from './decision.ts';
import type { Exchange } from './exchange.ts';
import type { Judged } from './plan.ts';
import { logAccess, recordExposures } from './records.ts';
import { recordSpan } from './spans.ts';

/** The request is decided: it is in flight. While its head is there. */
export function countIn(exchange: Exchange): void {
  if (exchange.decision.route?.isCollected === true) beginCollecting(exchange, exchange.plane.requestHead);
  eachSeries(exchange, (series) => {
    series.inFlight++;
  });
}

/** The request body is still coming in: how long that takes says nothing about the upstream. */
export function markSending(exchange: Exchange): void {
  const { decision } = exchange;
  for (let i = 0; i < decision.count; i++) {
    const participation = decision.participations[i]!;
    if (participation.isAdmitted) participation.served!.breaker!.sending(participation.call);
  }
}

/** The whole request has been sent: start the breakers' clocks. */
export function markSent(exchange: Exchange, nowMs: number): void {
  exchange.request.completeMs = nowMs;
  exchange.attempt.copy?.end();
  const { decision } = exchange;
  for (let i = 0; i < decision.count; i++) {
    const participation = decision.participations[i]!;
    if (participation.isAdmitted) participation.served!.breaker!.sent(participation.call, nowMs);
  }
}

/** The upstream is not what the client waits for from now on: stop the breakers' clocks, once. */
export function markAnswered(exchange: Exchange, nowMs: number): void {
  if (exchange.request.answeredMs >= 0) return;
  exchange.request.answeredMs = nowMs;
  const { decision } = exchange;
  for (let i = 0; i < decision.count; i++) {
    const participation = decision.participations[i]!;
    if (participation.isAdmitted) participation.served!.breaker!.answered(participation.call, nowMs);
  }
}

/**
 * The head of a stream has come, and how long the rest takes is no fault. A probe with a good head has shown what it
 * was to show; other calls can still fail.
 */
export function markStreaming(exchange: Exchange, nowMs: number): void {
  markAnswered(exchange, nowMs);
  const { decision } = exchange;
  if (decision.route!.admission !== null) leave(decision, NOTHING_SAID, false, nowMs);
  for (let i = 0; i < decision.count; i++) {
    const participation = decision.participations[i]!;
    if (!participation.isAdmitted || participation.served!.breaker!.state !== 'half-open') continue;
    if (outcomeOf(exchange, nowMs, participation.served!) !== 'failure')
      settleCall(exchange, participation, nowMs);
  }
}

/** Tell the breakers, unless they have been told. */
function settleCalls(exchange: Exchange, nowMs: number): void {
  const { decision } = exchange;
  for (let i = 0; i < decision.count; i++) {
    const participation = decision.participations[i]!;
    if (participation.isAdmitted) settleCall(exchange, participation, nowMs);
  }
}

/** Give back the places that the request had. */
function leavePlaces(exchange: Exchange, nowMs: number): void {
  const { request, response, error, decision } = exchange;
  const isQuiet = response.status === 101 || decision.route!.isStreaming || request.completeMs < 0;
  const isGood = error === null && response.status < 500;
  leave(decision, isQuiet ? NOTHING_SAID : request.upstreamTimeMs(nowMs), isGood, nowMs);
}

/** Tell the breaker of an admitted call that it is over. */
export function settleCall(exchange: Exchange, participation: Participation, nowMs: number): void {
  participation.isAdmitted = false;
  const target = participation.served!;
  const outcome = outcomeOf(exchange, nowMs, target);
  const isLeft = outcome === 'ignored' && isClients(exchange.error);
  target.breaker!.settle(participation.call, isLeft ? 'left' : outcome, nowMs);
}

/** The upstream switched protocols: as a request this is over, but for its line in the access log. */
export function settleSwitch(exchange: Exchange): void {
  const nowMs = exchange.plane.clock.now();
  markAnswered(exchange, nowMs);
  settleRequest(exchange, nowMs);
}

/** The request, or the tunnel that it became, is over. */
export function settle(exchange: Exchange): void {
  const { plane } = exchange;
  const nowMs = plane.clock.now();
  if (exchange.tunnel === null) settleRequest(exchange, nowMs);
  if (plane.accessLog === null && plane.taps === null) return;
  const { participations, route } = exchange.decision;
  const outcome = outcomeOf(exchange, nowMs, participations[0]?.served ?? route?.judged ?? UNROUTED);
  if (plane.accessLog !== null) logAccess(exchange, nowMs, outcome);
  if (plane.taps !== null) plane.taps.see(exchange, nowMs, outcome);
}

/** The series that a tunnel of this exchange is counted in. */
export function tunnelSeries(exchange: Exchange): TunnelSeries[] {
  const { plane, decision, downstream } = exchange;
  const route = decision.route!.route.name;
  const served = decision.participations
    .slice(0, decision.count)
    .filter(({ assignment }) => assignment!.isIncluded)
    .map(({ plan, served }) => ({ experiment: plan!.experiment.name, variant: served!.variant.name }));
  if (served.length === 0) served.push({ experiment: '', variant: '' });
  return served.map(({ experiment, variant }) =>
    plane.metrics.tunnels(downstream.direction, route, experiment, variant),
  );
}

function settleRequest(exchange: Exchange, nowMs: number): void {
  const { plane, decision } = exchange;
  settleCalls(exchange, nowMs);
  if (decision.route !== null && decision.route.admission !== null) leavePlaces(exchange, nowMs);
  const durationMs = recordedMs(exchange, nowMs);
  let { overheadMs } = exchange.request;
  const status = exchange.error === 'client_aborted' ? 0 : exchange.response.status;
  let isCounted = false;
  for (let i = 0; i < decision.count; i++) {
    const participation = decision.participations[i]!;
    if (!participation.assignment!.isIncluded) continue;
    const { series } = participation.served!;
    series.inFlight--;
    const outcome = outcomeOf(exchange, nowMs, participation.served!);
    series.record(status, outcome, durationMs, overheadMs);
    if (participation.plan!.collector !== null) collect(exchange, participation, outcome, durationMs);
    overheadMs = -1;
    isCounted = true;
  }
  if (!isCounted) {
    const series = decision.route?.series ?? plane.unrouted[exchange.downstream.direction];
    series.inFlight--;
    const judged = decision.route?.judged ?? UNROUTED;
    series.record(status, outcomeOf(exchange, nowMs, judged), durationMs, overheadMs);
  }
  if (exchange.request.span !== null) settleSpan(exchange, nowMs, durationMs);
  if (plane.exposures !== null && exchange.attempt.count > 0) recordExposures(exchange, nowMs);
}

/** The request goes on record as a span, and as an example in the histograms that it is counted in. */
function settleSpan(exchange: Exchange, nowMs: number, durationMs: number): void {
  const { decision, plane, request } = exchange;
  const judged = decision.participations[0]?.served ?? decision.route?.judged ?? UNROUTED;
  recordSpan(exchange, nowMs, outcomeOf(exchange, nowMs, judged));
  const example = { traceId: request.span!.traceId, wallMs: plane.clock.wallMs(), durationMs };
  eachSeries(exchange, (series) => series.duration.exemplify(example));
}

/** What the histogram gets: of a stream the time to its head, since how long it lasts would hide what is slow. */
function recordedMs(exchange: Exchange, nowMs: number): number {
  const { request, decision } = exchange;
  const isStream = decision.route?.isStreaming && request.answeredMs >= 0;
  return (isStream ? request.answeredMs : nowMs) - request.beganMs;
}

function eachSeries(exchange: Exchange, visit: (series: RequestSeries) => void): void {
  const { decision } = exchange;
  let isCounted = false;
  for (let i = 0; i < decision.count; i++) {
    const participation = decision.participations[i]!;
    if (!participation.assignment!.isIncluded) continue;
    visit(participation.served!.series);
    isCounted = true;
  }
  if (!isCounted) visit(decision.route?.series ?? exchange.plane.unrouted[exchange.downstream.direction]);
}

/** What the call would be judged as if it ended now. */
export function outcomeOf(exchange: Exchange, nowMs: number, by: Judged): Outcome {
  const { status, markedBy } = exchange.response;
  facts.status = status;
  facts.error = exchange.error;
  facts.durationMs = exchange.request.upstreamTimeMs(nowMs);
  facts.slowThresholdMs = by.slowThresholdMs;
  facts.failures = by.failures;
  facts.isMarked = markedBy !== null && status !== 101 && markedBy.includes(by.failures);
  return classify(facts);
}

/** Reused: `classify` only reads it. */
const facts: { -readonly [K in keyof CallFacts]: CallFacts[K] } = {
  status: 0,
  error: null,
  durationMs: 0,
  slowThresholdMs: 0,
  failures: DEFAULT_FAILURES,
  isMarked: false,
};

const UNROUTED: Judged = { slowThresholdMs: Number.POSITIVE_INFINITY, failures: DEFAULT_FAILURES };
