/**
 * Whether the calls of a closed breaker reach a limit: one of its own, or one against the control's calls of the same
 * time; and whether a limit that is reached says anything about this variant, when the control is bad as well.
 *
 * Told the time; never moves a circuit. Of the control it only reads. Limits of its own are judged with each call; the
 * others, which ask for arithmetic, on each tick, so that a call costs the same with them and without.
 */
import { type ClosedCalls, NOT_STALLED } from './closed-calls.ts';
import { besideReason, fixedQuantileReason, heldReason, quantileReason } from './compared-reason.ts';
import { type Relative, type Share, surpriseAt, surpriseBeside } from './confidence.ts';
import { type Breach, badMin } from './evidence.ts';
import type { Compared, Limits, QuantileLimit } from './limits.ts';
import { compareQuantiles } from './quantile.ts';
import { stallReason } from './reason.ts';
import type { Stance } from './stance.ts';

/**
 * A control at this much of a limit is bad too. Less than all of it, because when both go bad at one time, either may
 * be the first to reach the limit.
 */
const NEAR = 0.5;

/** A stall is seen this much later than the threshold: time to tell what hangs from what was just about to be answered. */
const STALL_BEYOND_MS = 100;

/** Whose calls are counted; they are made when they are first asked for. */
export interface Counted {
  readonly calls: ClosedCalls;
}

/** No worse than the control. */
const SAME: Relative = { factor: 1, plus: 0 };

export class Criteria {
  /** Why a limit that is reached does not open the breaker; null: none is reached, or it has opened. */
  held: string | null = null;
  readonly #counted: Counted;
  readonly #stance: Stance;
  #limits: Limits;
  #control: Counted | null = null;
  /** When it was last said that a limit is held back. */
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(limits: Limits, counted: Counted, stance: Stance) {
    this.#limits = limits;
    this.#counted = counted;
    this.#stance = stance;
  }

  /** Null: there is nobody to compare with. */
  compareWith(control: Counted | null): void {
    this.#control = control;
  }

  get #calls(): ClosedCalls {
    return this.#counted.calls;
  }

  reconfigure(limits: Limits): void {
    this.#limits = limits;
  }

  /** Time can bring a limit to be reached without another call. */
  get isWatching(): boolean {
    return this.#limits.compared !== undefined || this.held !== null || this.#calls.evidence.overdue > 0;
  }

  /** The limit that is reached at `nowMs` and opens the breaker, or null. While it is held back only ticks look. */
  breach(nowMs: number, isTick: boolean): Breach | null {
    if (this.held !== null && !isTick) return null;
    this.#calls.evidence.advance(nowMs);
    const before = this.held;
    this.held = null;
    const { compared } = this.#limits;
    const breach =
      this.#ownBreach(nowMs) ??
      (isTick ? this.#stallBreach(nowMs) : null) ??
      (isTick && compared !== undefined ? this.#comparedBreach(compared, nowMs) : null);
    if (breach !== null) this.held = null;
    else if (this.held !== null) this.#hold(before ?? this.held, nowMs);
    return breach;
  }

  /** The first sentence stays as long as the trouble does, and is said at most once in a window. */
  #hold(reason: string, nowMs: number): void {
    const isNew = this.held === reason;
    this.held = reason;
    if (!isNew || nowMs - this.#toldMs < this.#limits.windowMs) return;
    this.#toldMs = nowMs;
    this.#stance.note('held-back', reason, nowMs);
  }

  // Limits of its own.

  #ownBreach(nowMs: number): Breach | null {
    const { evidence } = this.#calls;
    const limits = this.#limits;
    const { errorRatio, slow } = limits;
    const inARow = evidence.consecutiveBreach(limits);
    if (inARow !== null && !this.#isRowShared(inARow, nowMs)) return inARow;
    const errors = evidence.errorBreach(limits);
    if (
      errors !== null &&
      !this.#isShared(errors, errorRatio!, nowMs, (calls, since) => calls.evidence.failing(since))
    )
      return errors;
    const slowness = evidence.slowBreach(limits);
    if (slowness === null) return null;
    const { thresholdMs, ratio } = slow!;
    return this.#isShared(slowness, ratio!, nowMs, (calls, since) => calls.over(thresholdMs, nowMs, since))
      ? null
      : slowness;
  }

  /**
   * Calls that hang may for long be few beside the good ones before: callers that wait for their answers send nothing new.
   * But `minimumRequests` of them, and none begun after them answered in time, are all that there is now.
   */
  #stallBreach(nowMs: number): Breach | null {
    const { slow, minimumRequests } = this.#limits;
    const calls = this.#calls;
    const { overdue, overdueElsewhere } = calls.evidence;
    const seenMs = calls.stalledMs;
    calls.stalledMs = NOT_STALLED;
    if (slow === null || overdue === 0) return null;
    const { thresholdMs, stallMs = thresholdMs + STALL_BEYOND_MS } = slow;
    if (stallMs === null) return null;
    const waiting = calls.waiting(nowMs, thresholdMs);
    const count = waiting.calls + overdueElsewhere;
    if (waiting.calls === 0 || count < minimumRequests) return null;
    calls.stalledMs = seenMs === NOT_STALLED ? nowMs : seenMs;
    // If it was this process that stood still, the answers are read before the next tick.
    if (calls.stalledMs === nowMs || waiting.forMs < stallMs) return null;
    const reason = stallReason(count, waiting.forMs);
    return this.#isStallShared(reason, stallMs, nowMs) ? null : { cause: 'stall', reason };
  }

  #isStallShared(reason: string, stallMs: number, nowMs: number): boolean {
    const control = this.#holder();
    if (control === null) return false;
    const { calls } = control.waiting(nowMs, NEAR * stallMs);
    if (control.isClosed && calls < badMin(this.#limits.minimumRequests)) return false;
    this.held ??= heldReason(reason, null);
    return true;
  }

  #isRowShared({ reason }: Breach, nowMs: number): boolean {
    const control = this.#holder();
    if (control === null) return false;
    const limit = this.#limits.consecutiveFailures! * NEAR;
    control.evidence.advance(nowMs);
    // A row that ended long ago, when the control got its last calls, says nothing of now.
    const inARow = Math.min(control.evidence.consecutiveFailures, control.evidence.failures);
    if (control.isClosed && inARow < limit) return false;
    this.held ??= heldReason(reason, null);
    return true;
  }

  /** Whether the control is about as bad, so that going there would not help. */
  #isShared(
    { reason }: Breach,
    limit: number,
    nowMs: number,
    read: (calls: ClosedCalls, sinceMs: number) => Share | null,
  ): boolean {
    const control = this.#holder();
    if (control === null) return false;
    if (!control.isClosed) {
      this.held ??= heldReason(reason, null);
      return true;
    }
    control.evidence.advance(nowMs);
    const since = this.#since(control, nowMs);
    const own = read(this.#calls, since);
    const other = read(control, since);
    if (own === null || other === null || other.calls < this.#limits.minimumRequests) return false;
    if (other.bad / other.calls < limit * NEAR) return false;
    if (surpriseBeside(own, other, SAME) >= this.#limits.sharedOutage!.confidence.surprise) return false;
    this.held ??= heldReason(reason, other);
    return true;
  }

  /** The control, if a shared outage holds the breaker back. */
  #holder(): ClosedCalls | null {
    return this.#limits.sharedOutage?.policy === 'hold' ? (this.#control?.calls ?? null) : null;
  }

  // Limits that are compared.

  #comparedBreach(compared: Compared, nowMs: number): Breach | null {
    const control = this.#control?.calls ?? null;
    control?.evidence.advance(nowMs);
    for (const quantile of compared.quantiles) {
      const breach =
        quantile.limit.kind === 'fixed'
          ? this.#fixedBreach(compared, quantile, quantile.limit.ms, nowMs)
          : this.#quantileBreach(compared, quantile, quantile.limit, nowMs);
      if (breach !== null) return breach;
    }
    if (control === null || !control.isClosed) return null;
    return this.#errorsBeside(compared, control, nowMs) ?? this.#slowBeside(compared, control, nowMs);
  }

  #errorsBeside(compared: Compared, control: ClosedCalls, nowMs: number): Breach | null {
    if (compared.error === null) return null;
    const since = this.#since(control, nowMs);
    const shares = {
      candidate: this.#calls.evidence.failing(since),
      control: control.evidence.failing(since),
    };
    return this.#beside('error-rate', 'error rate', compared.error, shares);
  }

  #slowBeside(compared: Compared, control: ClosedCalls, nowMs: number): Breach | null {
    const { slow } = this.#limits;
    if (compared.slow === null || slow === null) return null;
    const since = this.#since(control, nowMs);
    const candidate = this.#calls.over(slow.thresholdMs, nowMs, since);
    const other = control.over(slow.thresholdMs, nowMs, since);
    if (candidate === null || other === null) return null;
    return this.#beside('slow-rate', 'slow calls', compared.slow, { candidate, control: other });
  }

  #beside(
    cause: Breach['cause'],
    what: string,
    limit: Relative,
    { candidate, control }: { readonly candidate: Share; readonly control: Share },
  ): Breach | null {
    const { minimumRequests, windowMs, compared } = this.#limits;
    const { confidence } = compared!;
    if (candidate.calls < minimumRequests || control.calls < minimumRequests) return null;
    if (candidate.bad < badMin(minimumRequests)) return null;
    if (surpriseBeside(candidate, control, limit) < confidence.surprise) return null;
    return { cause, reason: besideReason(what, { candidate, control, limit, windowMs, confidence }) };
  }

  #fixedBreach(
    { confidence }: Compared,
    { name, share }: QuantileLimit,
    limitMs: number,
    nowMs: number,
  ): Breach | null {
    const { minimumRequests } = this.#limits;
    const aged = this.#calls.agedOver(limitMs, nowMs);
    const over = this.#calls.evidence.latencies?.over(limitMs, aged, Number.NEGATIVE_INFINITY) ?? null;
    if (over === null || over.calls < minimumRequests || over.bad < badMin(minimumRequests)) return null;
    if (surpriseAt(over, share) < confidence.surprise) return null;
    const reason = fixedQuantileReason(name, limitMs, over, { aged, confidence });
    const breach: Breach = { cause: 'latency-quantile', reason };
    return this.#isShared(breach, share, nowMs, (calls, since) => calls.over(limitMs, nowMs, since))
      ? null
      : breach;
  }

  #quantileBreach(
    { confidence }: Compared,
    { name, share }: QuantileLimit,
    limit: Relative,
    nowMs: number,
  ): Breach | null {
    const control = this.#control?.calls ?? null;
    if (control === null || !control.isClosed) return null;
    const { minimumRequests, windowMs } = this.#limits;
    const since = this.#since(control, nowMs);
    const candidate = this.#calls.sizes(nowMs, since);
    const other = control.sizes(nowMs, since);
    if (candidate === null || other === null) return null;
    const finding = compareQuantiles({
      candidate,
      control: other,
      share,
      limit,
      critical: confidence.surprise,
      callsMin: minimumRequests,
      badMin: badMin(minimumRequests),
    });
    if (finding === null) return null;
    return {
      cause: 'latency-quantile',
      reason: quantileReason(name, finding, { limit, windowMs, confidence }),
    };
  }

  /** From when on both have counted and remember: what is compared must be of the same time. */
  #since({ evidence: control }: ClosedCalls, nowMs: number): number {
    const { evidence } = this.#calls;
    const rememberedMs = nowMs - Math.min(evidence.windowMs, control.windowMs);
    return Math.max(evidence.sinceMs, control.sinceMs, rememberedMs);
  }
}
