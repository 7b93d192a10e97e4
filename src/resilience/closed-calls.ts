/**
 * The calls of one breaker as they are counted while it is closed: those that ended, and those in flight that are
 * already too old. Told the time; counts, and never judges.
 */
import type { Share } from './confidence.ts';
import { Evidence } from './evidence.ts';
import {
  ageOf,
  type Call,
  countOverdue,
  findWaiting,
  type InFlight,
  markOverdue,
  rewind,
  type Waiting,
} from './in-flight.ts';
import { columnOf } from './latency-scale.ts';
import type { Limits } from './limits.ts';
import type { CallEnd } from './outcome.ts';
import { emptySizes, type Sizes } from './quantile.ts';
import type { Elsewhere } from './sharing.ts';

/** The generation of no call. */
const NOT_CLOSED = -2;

export const NOT_STALLED = -1;

const NEVER_ANSWERED = -1;

const NO_LEVELS: readonly number[] = [];

export class ClosedCalls implements InFlight {
  // First what each call touches: with thousands of breakers each line of memory is fetched anew.
  fresh: Call | null = null;
  newest: Call | null = null;
  oldest: Call | null = null;
  count = 0;
  /** Moves with every transition; calls of an earlier one are stale. */
  generation = 0;
  isClosed = true;
  readonly evidence: Evidence;
  /** `slow.thresholdMs`, or Infinity. */
  #slowAfterMs: number;
  /** When a stall was first seen; -1: there is none. */
  stalledMs = NOT_STALLED;
  /** Calls since then that were over the threshold when they ended without a good answer; when the first began, and the last ended. */
  #givenUp = 0;
  /** No call that was answered in time began later than in this millisecond; whole, so that it is in here. */
  #answeredFromMs = NEVER_ANSWERED;
  #givenUpFromMs = 0;
  #givenUpToMs = 0;
  /** Used again each time. */
  #sizes: Sizes | null = null;

  /** @param isShared with other workers */
  constructor(limits: Limits, isShared: boolean) {
    this.evidence = new Evidence(limits.windowMs, limits.watch, isShared);
    this.#slowAfterMs = slowAfterMs(limits);
  }

  /** Nothing is in flight and nothing counts as overdue: time changes nothing. */
  get isQuiet(): boolean {
    const { overdue, overdueElsewhere } = this.evidence;
    return this.count === 0 && overdue + overdueElsewhere === 0;
  }

  /** The first call is coming, unless there have been some. */
  begin(nowMs: number): void {
    this.evidence.begin(nowMs);
  }

  /** The breaker has moved: what was counted is forgotten, and what is in flight is stale. */
  enter(isClosed: boolean, nowMs: number): void {
    this.isClosed = isClosed;
    this.generation++;
    this.stalledMs = NOT_STALLED;
    this.#answeredFromMs = NEVER_ANSWERED;
    this.#givenUp = 0;
    this.evidence.clear(nowMs);
  }

  /** Other limits; what is in flight is looked at again, by the new threshold. */
  reconfigure(limits: Limits, nowMs: number): void {
    this.evidence.reconfigure(limits, nowMs);
    const afterMs = slowAfterMs(limits);
    if (afterMs === this.#slowAfterMs) return;
    this.#slowAfterMs = afterMs;
    if (!this.isClosed) return;
    this.evidence.overdue = 0;
    rewind(this);
  }

  /** Count the calls that have passed the slow threshold since last time; true: there are some. */
  age(nowMs: number): boolean {
    if (this.fresh === null) return false;
    // Calls of another state are looked at, and not counted.
    const generation = this.isClosed ? this.generation : NOT_CLOSED;
    const overdue = markOverdue(this, nowMs, this.#slowAfterMs, generation);
    this.evidence.overdue += overdue;
    return overdue > 0;
  }

  /** Count the end of a call of this generation, which took `ageMs`; true: there are bad calls. */
  end(call: Call, end: CallEnd, ageMs: number, nowMs: number): boolean {
    const { evidence } = this;
    if (call.isCounted) evidence.overdue--;
    if (end === 'ignored') return false;
    if (evidence.latencies !== null) evidence.latencies.add(end === 'ok' || end === 'slow', ageMs, nowMs);
    // By age as well as by outcome, so that a call counts the same whether a tick saw it first or not.
    const isSlow = end === 'slow' || ageMs > this.#slowAfterMs;
    if (end === 'left' && !isSlow) return false;
    if (!isSlow) this.#answeredInTime(call.admittedMs);
    else if (end === 'failure' || end === 'left') this.#giveUp(call.admittedMs, nowMs);
    evidence.add(end === 'failure', isSlow, nowMs);
    return evidence.failures + evidence.slow > 0;
  }

  /** Count what the other workers have; true: there are bad calls. */
  merge({ calls, overdue, aged }: Elsewhere, nowMs: number): boolean {
    const { evidence } = this;
    evidence.overdueElsewhere = overdue;
    if (evidence.latencies !== null) evidence.latencies.agedElsewhere = aged;
    if (calls !== null) evidence.merge(calls, nowMs);
    // When those calls began is not said, so it may have been just now.
    if (calls !== null && calls.requests > calls.slow) this.#answeredInTime(nowMs);
    return evidence.failures + evidence.slow > 0;
  }

  /** In flight here, past each level that is counted. */
  aged(nowMs: number): readonly number[] {
    const { latencies } = this.evidence;
    return latencies === null
      ? NO_LEVELS
      : latencies.levelsMs.map((levelMs) => this.agedOver(levelMs, nowMs));
  }

  /** In flight here, for longer than `levelMs`. */
  agedOver(levelMs: number, nowMs: number): number {
    return countOverdue(this, nowMs, levelMs);
  }

  /**
   * In flight here for longer than `afterMs`, with nothing that began after them answered in time; and those before
   * them, within the window, that were given up.
   */
  waiting(nowMs: number, afterMs: number): Waiting {
    const waiting = findWaiting(this, nowMs, afterMs, this.#answeredFromMs);
    if (this.#givenUp === 0 || nowMs - this.#givenUpToMs > this.evidence.windowMs) return waiting;
    const forMs = Math.max(waiting.forMs, nowMs - this.#givenUpFromMs);
    return { calls: waiting.calls + this.#givenUp, forMs };
  }

  /** It began after those that were given up, since they had passed the threshold and it had not. */
  #answeredInTime(admittedMs: number): void {
    this.stalledMs = NOT_STALLED;
    this.#givenUp = 0;
    if (admittedMs > this.#answeredFromMs) this.#answeredFromMs = Math.floor(admittedMs);
  }

  #giveUp(admittedMs: number, nowMs: number): void {
    if (this.#givenUp > 0 && nowMs - this.#givenUpToMs > this.evidence.windowMs) this.#givenUp = 0;
    if (this.#givenUp === 0 || admittedMs < this.#givenUpFromMs) this.#givenUpFromMs = admittedMs;
    this.#givenUp++;
    this.#givenUpToMs = nowMs;
  }

  /** Calls over a level, since `sinceMs` and in flight; null: it is not counted. */
  over(levelMs: number, nowMs: number, sinceMs: number): Share | null {
    const { latencies } = this.evidence;
    return latencies === null ? null : latencies.over(levelMs, this.agedOver(levelMs, nowMs), sinceMs);
  }

  /** Calls by size, since `sinceMs` and in flight, until it is asked again; null: they are not kept. */
  sizes(nowMs: number, sinceMs: number): Sizes | null {
    const { latencies } = this.evidence;
    if (latencies?.hasHistogram !== true) return null;
    this.#sizes ??= emptySizes();
    const { finished, inFlight } = this.#sizes;
    latencies.sizes(sinceMs, finished);
    inFlight.fill(0);
    for (let call = this.oldest; call !== null; call = call.newer)
      if (call.generation === this.generation) inFlight[columnOf(ageOf(call, nowMs))]! += 1;
    return this.#sizes;
  }
}

function slowAfterMs({ slow }: Limits): number {
  return slow?.thresholdMs ?? Number.POSITIVE_INFINITY;
}

/** What a breaker shows that nobody has called. */
export const UNCALLED = new ClosedCalls(
  { windowMs: 1, minimumRequests: 1, errorRatio: null, slow: null, consecutiveFailures: null },
  false,
);
