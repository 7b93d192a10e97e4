/**
 * Taps on the requests of this process: somebody watches them end. Without one there are none of these objects, and a
 * request does a null check. With one a request is filtered first, then the rate is looked at, and only what is shown is
 * put into words. Nothing is kept.
 */
import type { Outcome } from '../resilience/outcome.ts';
import { TokenBucket } from '../resilience/token-bucket.ts';
import type { OpenTap, TakeRecord, TapQuery, TapRecord } from '../telemetry/tap.ts';
import type { DataPlane } from './data-plane.ts';
import type { Exchange } from './exchange.ts';
import { experimentsOf, upstreamMsOf } from './records.ts';

/** A client may call its method anything. */
const METHOD_MAX_CHARS = 32;

/** Those that are open; at least one. */
export class Taps {
  readonly #open: readonly Tap[];

  constructor(open: readonly Tap[]) {
    this.#open = open;
  }

  /** The request is over. */
  see(exchange: Exchange, nowMs: number, outcome: Outcome): void {
    let record: TapRecord | null = null;
    for (const tap of this.#open) {
      if (!isWanted(tap.query, exchange, outcome) || !tap.hasRoom(nowMs)) continue;
      record ??= recordOf(exchange, nowMs, outcome);
      tap.take(record);
    }
  }

  with(tap: Tap): Taps {
    return new Taps([...this.#open, tap]);
  }

  /** Null: it was the last. */
  without(tap: Tap): Taps | null {
    const rest = this.#open.filter((one) => one !== tap);
    return rest.length === 0 ? null : new Taps(rest);
  }
}

class Tap {
  readonly query: TapQuery;
  readonly take: TakeRecord;
  dropped = 0;
  readonly #bucket: TokenBucket;

  constructor(query: TapQuery, take: TakeRecord, nowMs: number) {
    this.query = query;
    this.take = take;
    this.#bucket = new TokenBucket({ perSecond: query.rate, burst: query.rate }, nowMs);
  }

  /** False: it is counted as one that is not shown. */
  hasRoom(nowMs: number): boolean {
    if (this.#bucket.take(nowMs)) return true;
    this.dropped++;
    return false;
  }
}

/** From now on `take` is given the requests that are asked for; it must not throw. */
export function openTap(
  plane: Pick<DataPlane, 'clock'> & { taps: Taps | null },
  query: TapQuery,
  take: TakeRecord,
): OpenTap {
  const tap = new Tap(query, take, plane.clock.now());
  plane.taps = plane.taps?.with(tap) ?? new Taps([tap]);
  return {
    takeDropped: () => {
      const { dropped } = tap;
      tap.dropped = 0;
      return dropped;
    },
    close: () => {
      plane.taps = plane.taps?.without(tap) ?? null;
    },
  };
}

function isWanted(query: TapQuery, exchange: Exchange, outcome: Outcome): boolean {
  const { route, status } = query;
  if (query.outcome !== null && query.outcome !== outcome) return false;
  if (route !== null && exchange.decision.route?.route.name !== route) return false;
  if (status !== null) {
    const sent = statusOf(exchange);
    if (sent < status.from || sent > status.to) return false;
  }
  return (query.experiment === null && query.variant === null) || isIn(query, exchange);
}

function isIn({ experiment, variant }: TapQuery, { decision }: Exchange): boolean {
  for (let i = 0; i < decision.count; i++) {
    const { assignment, served } = decision.participations[i]!;
    if (experiment !== null && assignment!.experiment.name !== experiment) continue;
    if (variant === null) return true;
    if (!assignment!.isIncluded) continue;
    if (assignment!.variant.name === variant || served!.variant.name === variant) return true;
  }
  return false;
}

function recordOf(exchange: Exchange, nowMs: number, outcome: Outcome): TapRecord {
  const { plane, decision, request, attempt } = exchange;
  const upstreamMs = upstreamMsOf(exchange, nowMs);
  return {
    at: new Date(plane.clock.wallMs()).toISOString(),
    method: request.method.slice(0, METHOD_MAX_CHARS),
    route: decision.route?.route.name ?? '',
    status: statusOf(exchange),
    durationMs: round(nowMs - request.startedMs),
    upstreamMs: upstreamMs < 0 ? null : round(upstreamMs),
    outcome,
    upstream: attempt.pool === null ? '' : `${decision.group!.upstream.name}/${attempt.pool.endpoint.id}`,
    code: exchange.error,
    retries: Math.max(0, attempt.count - 1),
    experiments: experimentsOf(decision),
  };
}

/** What went away was sent nothing that it has seen. */
function statusOf({ error, response }: Exchange): number {
  return error === 'client_aborted' ? 0 : response.status;
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
