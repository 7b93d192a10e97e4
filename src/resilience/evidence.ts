/**
 * What a closed breaker knows: finished calls in an exact time window, calls in flight that are already slow, and
 * failures in a row; and whether that reaches a limit. Told the time; fixed memory. Never moves a circuit.
 */
import { Window } from '../base/window.ts';
import { consecutiveReason, errorRateReason, slowRateReason } from './reason.ts';

/** Ratios are in (0, 1]; a limit that is null is not used. With every limit null only people trip the breaker. */
export interface Limits {
  readonly windowMs: number;
  /** Below this many counted calls no rate is judged; at least 1. */
  readonly minimumRequests: number;
  readonly errorRatio: number | null;
  readonly slow: { readonly thresholdMs: number; readonly ratio: number } | null;
  readonly consecutiveFailures: number | null;
}

export type TripCause = 'error-rate' | 'slow-rate' | 'consecutive-failures';

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
}

/** Both, `later` behind `earlier`. */
export function addTallies(earlier: Tally, later: Tally): Tally {
  return {
    requests: earlier.requests + later.requests,
    failures: earlier.failures + later.failures,
    slow: earlier.slow + later.slow,
    lastFailures: failuresInARow(earlier.lastFailures, later),
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

/** The counts of one breaker. Totals are as of the last `add` or `advance`. */
export class Evidence {
  #window: Window;
  /** Calls in flight past the slow threshold: each is a request and a slow one now, and until its end. */
  overdue = 0;
  /** The same of the other workers; 0 without any. */
  overdueElsewhere = 0;
  consecutiveFailures = 0;
  /** Of the finished calls, those counted here since `take`: the other workers do not know of them. */
  #requests = 0;
  #failures = 0;
  #slow = 0;
  #lastFailures = 0;

  constructor(windowMs: number) {
    this.#window = new Window(windowMs, 3);
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

  /** Count one finished call; a failure may be slow as well. */
  add(isFailure: boolean, isSlow: boolean, nowMs: number): void {
    const window = this.#window;
    window.add(nowMs, REQUESTS);
    this.#requests++;
    if (isSlow) {
      window.add(nowMs, SLOW);
      this.#slow++;
    }
    if (isFailure) {
      window.add(nowMs, FAILURES);
      this.consecutiveFailures++;
      this.#failures++;
      this.#lastFailures++;
    } else {
      this.consecutiveFailures = 0;
      this.#lastFailures = 0;
    }
  }

  /** Count calls that another worker has finished, as if they had ended now. */
  merge(calls: Tally, nowMs: number): void {
    this.#window.addMany(nowMs, REQUESTS, calls.requests);
    this.#window.addMany(nowMs, FAILURES, calls.failures);
    this.#window.addMany(nowMs, SLOW, calls.slow);
    this.consecutiveFailures = failuresInARow(this.consecutiveFailures, calls);
  }

  /** What `add` has counted since the last time, or null. */
  take(): Tally | null {
    if (this.#requests === 0) return null;
    const calls = {
      requests: this.#requests,
      failures: this.#failures,
      slow: this.#slow,
      lastFailures: this.#lastFailures,
    };
    this.#forgetTaken();
    return calls;
  }

  /** Forget what has left the window. */
  advance(nowMs: number): void {
    this.#window.advance(nowMs);
  }

  /** Forget everything. */
  clear(): void {
    this.#window.clear();
    this.overdue = 0;
    this.overdueElsewhere = 0;
    this.consecutiveFailures = 0;
    this.#forgetTaken();
  }

  /** Go on with the same counts in a window of another length. */
  resize(windowMs: number): void {
    if (windowMs !== this.#window.windowMs) this.#window = this.#window.resized(windowMs);
  }

  /** The limit that is reached at `nowMs`, or null. Rates are divided, so that 7 of 100 reaches 7 % exactly. */
  breach(limits: Limits, nowMs: number): Breach | null {
    this.#window.advance(nowMs);
    return (
      this.#consecutiveBreach(limits) ??
      (this.requests < limits.minimumRequests ? null : this.#rateBreach(limits))
    );
  }

  #consecutiveBreach({ consecutiveFailures: limit }: Limits): Breach | null {
    const failures = this.consecutiveFailures;
    if (limit === null || failures < limit) return null;
    return { cause: 'consecutive-failures', reason: consecutiveReason(failures, limit) };
  }

  #rateBreach({ errorRatio, slow: limit, windowMs, minimumRequests }: Limits): Breach | null {
    const { requests, failures, slow } = this;
    const badMin = Math.min(BAD_CALLS_MIN, minimumRequests);
    if (errorRatio !== null && failures >= badMin && failures / requests >= errorRatio) {
      return { cause: 'error-rate', reason: errorRateReason(failures, requests, errorRatio, windowMs) };
    }
    if (limit !== null && slow >= badMin && slow / requests >= limit.ratio) {
      return {
        cause: 'slow-rate',
        reason: slowRateReason(
          slow,
          requests,
          limit.ratio,
          limit.thresholdMs,
          this.overdue + this.overdueElsewhere,
        ),
      };
    }
    return null;
  }

  #forgetTaken(): void {
    this.#requests = 0;
    this.#failures = 0;
    this.#slow = 0;
    this.#lastFailures = 0;
  }
}
