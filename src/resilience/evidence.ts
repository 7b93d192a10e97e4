/**
 * What a closed breaker knows: finished calls in an exact time window, calls in flight that are already slow, and
 * failures in a row; and whether that reaches a limit of its own. Told the time; fixed memory. Never moves a circuit.
 * What needs the control beside it is in `criteria.ts`.
 */
import { Window } from '../base/window.ts';
import type { Share } from './confidence.ts';
import { addLatencies, Latencies, type LatencyTally, layoutOf } from './latencies.ts';
import type { Limits, Watch } from './limits.ts';
import { consecutiveReason, errorRateReason, slowRateReason } from './reason.ts';

export type TripCause = 'error-rate' | 'slow-rate' | 'stall' | 'latency-quantile' | 'consecutive-failures';

/** A limit that is reached, and the sentence for it. */
export interface Breach {
  readonly cause: TripCause;
  readonly reason: string;
}

/** Finished calls that another worker has counted. `lastFailures`: of these, those behind the last good one. */
export interface Tally {
  readonly requests: number;
  readonly failures: number;
  readonly slow: number;
  readonly lastFailures: number;
  /** How long they took; left out: nobody asks. */
  readonly latencies?: LatencyTally;
}

/** Both, `later` behind `earlier`. */
export function addTallies(earlier: Tally, later: Tally): Tally {
  const latencies = addLatencies(earlier.latencies, later.latencies);
  return {
    requests: earlier.requests + later.requests,
    failures: earlier.failures + later.failures,
    slow: earlier.slow + later.slow,
    lastFailures: failuresInARow(earlier.lastFailures, later),
    ...(latencies === undefined ? {} : { latencies }),
  };
}

/** Failures in a row, when there were `before` and then these calls. */
function failuresInARow(before: number, { requests, failures, lastFailures }: Tally): number {
  return requests > failures ? lastFailures : before + lastFailures;
}

/**
 * One unlucky call is not a rate: 1 of 20 is 5 %, and a service with one error in 200 does that once in ten times.
 * A rate needs this many bad calls, or `minimumRequests` if that is less. Only limits under 5 / minimumRequests notice.
 */
const BAD_CALLS_MIN = 5;

/** Columns of the window. */
const REQUESTS = 0;
const FAILURES = 1;
const SLOW = 2;

/** Calls that the other workers do not know of. */
class Untold implements Tally {
  requests = 0;
  failures = 0;
  slow = 0;
  lastFailures = 0;

  add(isFailure: boolean, isSlow: boolean): void {
    this.requests++;
    if (isSlow) this.slow++;
    if (isFailure) {
      this.failures++;
      this.lastFailures++;
    } else this.lastFailures = 0;
  }

  clear(): void {
    this.requests = 0;
    this.failures = 0;
    this.slow = 0;
    this.lastFailures = 0;
  }
}

/** The counts of one breaker. Totals are as of the last `add` or `advance`. */
export class Evidence {
  // First what each call touches: with thousands of breakers each line of memory is fetched anew.
  #window: Window;
  /** How long calls took; null: nobody asks. */
  latencies: Latencies | null;
  consecutiveFailures = 0;
  /** Of the finished calls, those counted here since `take`: the other workers do not know of them. Null: there are none. */
  readonly #untold: Untold | null;
  /** Calls in flight past the slow threshold: each is a request and a slow one now, and until its end. */
  overdue = 0;
  /** The same of the other workers; 0 without any. */
  overdueElsewhere = 0;
  /** When it began to count; -Infinity: it has not. */
  sinceMs = Number.NEGATIVE_INFINITY;

  /** @param isShared other workers count as well, so `take` is called */
  constructor(windowMs: number, watch?: Watch, isShared = true) {
    this.#window = new Window(windowMs, 3);
    this.latencies = watch === undefined ? null : new Latencies(windowMs, watch, isShared);
    this.#untold = isShared ? new Untold() : null;
  }

  get requests(): number {
    return this.#window.total(REQUESTS) + this.overdue + this.overdueElsewhere;
  }

  get failures(): number {
    return this.#window.total(FAILURES);
  }

  get slow(): number {
    return this.#window.total(SLOW) + this.overdue + this.overdueElsewhere;
  }

  get windowMs(): number {
    return this.#window.windowMs;
  }

  /** Begins to count now, unless it has begun. */
  begin(nowMs: number): void {
    if (this.sinceMs === Number.NEGATIVE_INFINITY) this.sinceMs = nowMs;
  }

  /** Failures among the calls finished since `sinceMs`. */
  failing(sinceMs: number): Share {
    const window = this.#window;
    return { bad: window.totalSince(sinceMs, FAILURES), calls: window.totalSince(sinceMs, REQUESTS) };
  }

  /** Count one finished call; a failure may be slow as well. */
  add(isFailure: boolean, isSlow: boolean, nowMs: number): void {
    const window = this.#window;
    window.add(nowMs, REQUESTS);
    if (isSlow) window.add(nowMs, SLOW);
    if (isFailure) {
      window.add(nowMs, FAILURES);
      this.consecutiveFailures++;
    } else this.consecutiveFailures = 0;
    if (this.#untold !== null) this.#untold.add(isFailure, isSlow);
  }

  /** Count calls that another worker has finished, as if they had ended now. */
  merge(calls: Tally, nowMs: number): void {
    this.#window.addMany(nowMs, REQUESTS, calls.requests);
    this.#window.addMany(nowMs, FAILURES, calls.failures);
    this.#window.addMany(nowMs, SLOW, calls.slow);
    this.consecutiveFailures = failuresInARow(this.consecutiveFailures, calls);
    if (calls.latencies !== undefined) this.latencies?.merge(calls.latencies, nowMs);
  }

  /** What `add` has counted since the last time, or null. */
  take(): Tally | null {
    const latencies = this.latencies?.take() ?? null;
    const untold = this.#untold;
    if (untold === null || (untold.requests === 0 && latencies === null)) return null;
    const { requests, failures, slow, lastFailures } = untold;
    untold.clear();
    return { requests, failures, slow, lastFailures, ...(latencies === null ? {} : { latencies }) };
  }

  /** Forget what has left the window. */
  advance(nowMs: number): void {
    this.#window.advance(nowMs);
    this.latencies?.advance(nowMs);
  }

  /** Forget everything, and begin to count at `nowMs`. */
  clear(nowMs: number): void {
    this.sinceMs = nowMs;
    this.#window.clear();
    this.latencies?.clear();
    this.overdue = 0;
    this.overdueElsewhere = 0;
    this.consecutiveFailures = 0;
    this.#untold?.clear();
  }

  /** Go on with the same counts in a window of another length; latencies begin anew when others are asked for. */
  reconfigure({ windowMs, watch }: Limits, nowMs: number): void {
    if (windowMs !== this.#window.windowMs) this.#window = this.#window.resized(windowMs);
    if (watch === undefined) this.latencies = null;
    else if (this.latencies?.layout === layoutOf(watch)) this.latencies.resize(windowMs);
    else {
      this.latencies = new Latencies(windowMs, watch, this.#untold !== null);
      this.sinceMs = nowMs;
    }
  }

  consecutiveBreach({ consecutiveFailures: limit }: Limits): Breach | null {
    const failures = this.consecutiveFailures;
    if (limit === null || failures < limit) return null;
    return { cause: 'consecutive-failures', reason: consecutiveReason(failures, limit) };
  }

  /** As of the last `advance`. Rates are divided, so that 7 of 100 reaches 7 % exactly. */
  errorBreach({ errorRatio, windowMs, minimumRequests }: Limits): Breach | null {
    const { requests, failures } = this;
    if (errorRatio === null || requests < minimumRequests || failures < badMin(minimumRequests)) return null;
    if (failures / requests < errorRatio) return null;
    return { cause: 'error-rate', reason: errorRateReason(failures, requests, errorRatio, windowMs) };
  }

  /** As of the last `advance`. */
  slowBreach({ slow: limit, minimumRequests }: Limits): Breach | null {
    const { requests, slow } = this;
    if (limit === null) return null;
    if (requests < minimumRequests || slow < badMin(minimumRequests)) return null;
    if (slow / requests < limit.ratio) return null;
    const overdue = this.overdue + this.overdueElsewhere;
    const reason = slowRateReason(slow, requests, limit.ratio, limit.thresholdMs, overdue);
    return { cause: 'slow-rate', reason };
  }
}

/** Bad calls that a rate needs. */
export function badMin(minimumRequests: number): number {
  return Math.min(BAD_CALLS_MIN, minimumRequests);
}
