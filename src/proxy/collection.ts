/**
 * What of an exchange goes into the numbers of the experiments that are analysed. Requests are those that
 * `fairlead_requests_total` counts, but for the ones of a person who tests by an override: those would be a unit's that the
 * split has not dealt out. Nothing here can fail a request.
 */
import { OUTCOMES, REASONS } from '../analysis/collection/delta.ts';
import { MEASURES_MAX, readMeasured } from '../analysis/collection/measure.ts';
import type { Head } from '../http1/head.ts';
import type { Outcome } from '../resilience/outcome.ts';
import { agentOf } from '../telemetry/collection/agent.ts';
import type { Collector, Place, Settled } from '../telemetry/collection/recorder.ts';
import type { Participation } from './decision.ts';
import type { Exchange } from './exchange.ts';

/** The request is decided; `head` is its own. */
export function beginCollecting({ request, decision }: Exchange, head: Head): void {
  request.agent = agentOf(head.header('user-agent'));
  for (let i = 0; i < decision.count; i++) decision.participations[i]!.isMeasured = false;
}

/** The final head of the response is here. */
export function measureHead({ decision }: Exchange, head: Head): void {
  for (let i = 0; i < decision.count; i++) {
    const participation = decision.participations[i]!;
    const collector = participation.plan!.collector;
    if (collector === null || collector.headers.length === 0) continue;
    for (const place of collector.headers) take(participation, collector, place, head.header(place.field));
  }
}

/** The request is over; `durationMs` since it was given to who served it. */
export function collect(
  exchange: Exchange,
  participation: Participation,
  outcome: Outcome,
  durationMs: number,
): void {
  const { request, downstream, responseBody } = exchange;
  const { assignment, plan, served } = participation;
  const { variant, unit, reason } = assignment!;
  const reasonNumber = (REASONS as readonly string[]).indexOf(reason);
  if (reasonNumber < 0) return;
  const collector = plan!.collector!;
  if (collector.trailers.length > 0 && responseBody.trailers !== '')
    measureTrailers(participation, collector, responseBody.trailers);
  settled.assigned = variant.index;
  settled.served = served!.variant.index;
  settled.outcome = OUTCOMES.indexOf(outcome);
  settled.reason = reasonNumber;
  settled.agent = request.agent;
  settled.listener = downstream.listener;
  settled.unit = unit;
  settled.latencyMs = durationMs + request.beganMs - request.startedMs;
  settled.servedMs = durationMs;
  settled.bytes = responseBody.bytes;
  settled.values = participation.isMeasured ? participation.values : null;
  collector.add(settled);
}

/** Reused: it is read at once. */
const settled: { -readonly [K in keyof Settled]: Settled[K] } = {
  assigned: 0,
  served: 0,
  outcome: 0,
  reason: 0,
  agent: 0,
  listener: '',
  unit: null,
  latencyMs: 0,
  servedMs: 0,
  bytes: 0,
  values: null,
};

/** Whole lines, each with its end, as they were received; a name may come twice, and the last one counts. */
function measureTrailers(participation: Participation, collector: Collector, trailers: string): void {
  for (const line of trailers.split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    for (const place of collector.trailers)
      if (place.field === name) take(participation, collector, place, line.slice(colon + 1));
  }
}

function take(
  participation: Participation,
  collector: Collector,
  { measure }: Place,
  text: string | null,
): void {
  if (text === null) return;
  const value = readMeasured(text.trim());
  if (Number.isNaN(value)) return collector.countMalformed();
  participation.values ??= new Float64Array(MEASURES_MAX);
  if (!participation.isMeasured) participation.values.fill(Number.NaN);
  participation.isMeasured = true;
  participation.values[measure] = value;
}
