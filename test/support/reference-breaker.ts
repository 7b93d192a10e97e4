/**
 * The breaker as docs/breakers.md has it, written for plainness: it remembers every call for ever and counts by
 * filtering lists. Slow, with unbounded memory, and without any of the real one's machinery.
 */
import type { Random } from '../../src/base/clock.ts';
import type { BreakerSettings } from '../../src/resilience/breaker.ts';
import type { ForceKind } from '../../src/resilience/mode.ts';
import type { Outcome } from '../../src/resilience/outcome.ts';

interface Ended {
  readonly atMs: number;
  readonly isFailure: boolean;
  readonly isSlow: boolean;
}

interface UnderWay {
  readonly id: number;
  readonly era: number;
  readonly admittedMs: number;
  answeredMs: number | null;
  isGoodAlready: boolean;
}

/** What both breakers must agree on after every step. */
export interface ReferenceView {
  readonly state: string;
  readonly mode: string;
  readonly requests: number;
  readonly failures: number;
  readonly slow: number;
  readonly consecutiveFailures: number;
  readonly inFlight: number;
  readonly overdue: number;
  readonly probes: number;
  readonly probesOk: number;
  readonly trips: number;
  readonly openUntilMs: number | null;
  readonly turnedAway: number;
  readonly wouldTurnAway: number;
}

const BUCKETS = 50;
/** Of a call that is let through only because the breaker observes. */
const NO_ERA = -1;

export class ReferenceBreaker {
  readonly moves: string[] = [];
  #settings: BreakerSettings;
  readonly #random: Random;
  #state: 'closed' | 'open' | 'half-open' = 'closed';
  #era = 0;
  #ended: Ended[] = [];
  #underWay: UnderWay[] = [];
  #overdue = new Set<number>();
  #probes = 0;
  #probesOk = 0;
  #openUntilMs = 0;
  #openings = 0;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #trips = 0;
  #force: { readonly kind: ForceKind; readonly untilMs: number } | null = null;
  #turnedAway = 0;
  #wouldTurnAway = 0;
  #answeredFromMs = Number.NEGATIVE_INFINITY;
  #stalledMs: number | null = null;
  /** Over the threshold when they ended, without a good answer. */
  #givenUp: { readonly admittedMs: number; readonly atMs: number }[] = [];

  constructor(settings: BreakerSettings, random: Random) {
    this.#settings = settings;
    this.#random = random;
  }

  admit(id: number, nowMs: number): boolean {
    this.#endForce(nowMs);
    const isWanted = this.#isWanted(nowMs);
    if (isWanted || this.#isObserving()) {
      const era = isWanted ? this.#era : NO_ERA;
      if (!isWanted) this.#wouldTurnAway++;
      this.#underWay.push({ id, era, admittedMs: nowMs, answeredMs: null, isGoodAlready: false });
      return true;
    }
    this.#turnedAway++;
    return false;
  }

  #isWanted(nowMs: number): boolean {
    this.#noticeOverdue(nowMs);
    if (this.#state === 'half-open') this.#lookAtProbes(nowMs);
    else if (this.#state === 'open' && nowMs >= this.#openUntilMs) this.#move('half-open', nowMs);
    if (this.#state === 'open') return false;
    if (this.#state === 'half-open') {
      if (this.#probes >= Math.min(this.#settings.halfOpenRequests, 2 * this.#probesOk + 1)) return false;
      this.#probes++;
    }
    return true;
  }

  answered(id: number, nowMs: number): void {
    this.#underWay.find((call) => call.id === id)!.answeredMs = nowMs;
  }

  settle(id: number, outcome: Outcome, nowMs: number): void {
    const call = this.#underWay.find((candidate) => candidate.id === id)!;
    this.#underWay = this.#underWay.filter((other) => other !== call);
    this.#endForce(nowMs);
    this.#noticeOverdue(nowMs);
    if (call.era !== this.#era) return;
    const isFailure = outcome === 'failure';
    const isSlow = outcome === 'slow' || this.#tookMs(call, nowMs) > this.#limitMs();
    if (this.#state === 'half-open') {
      if (outcome === 'ignored') this.#probes -= call.isGoodAlready ? 0 : 1;
      else if (isFailure || isSlow) this.#openAgain(nowMs);
      else {
        this.#probesOk += call.isGoodAlready ? 0 : 1;
        this.#closeIfProven(nowMs);
      }
      return;
    }
    this.#overdue.delete(id);
    if (outcome === 'ignored') return;
    this.#ended.push({ atMs: nowMs, isFailure, isSlow });
    if (!isSlow) {
      this.#answeredFromMs = Math.max(this.#answeredFromMs, call.admittedMs);
      this.#stalledMs = null;
      this.#givenUp = [];
    } else if (isFailure) {
      const lastMs = this.#givenUp.at(-1)?.atMs ?? nowMs;
      if (nowMs - lastMs > this.#settings.windowMs) this.#givenUp = [];
      this.#givenUp.push({ admittedMs: call.admittedMs, atMs: nowMs });
    }
    this.#judge(nowMs);
  }

  tick(nowMs: number): void {
    this.#endForce(nowMs);
    this.#noticeOverdue(nowMs);
    if (this.#state === 'closed' && this.#overdue.size > 0) {
      this.#judge(nowMs);
      if (this.#state === 'closed') this.#judgeStall(nowMs);
    } else if (this.#state === 'half-open') this.#lookAtProbes(nowMs);
    else if (this.#state === 'open' && nowMs >= this.#openUntilMs) this.#move('half-open', nowMs);
  }

  force(kind: ForceKind, nowMs: number, forMs: number): void {
    this.#force = { kind, untilMs: nowMs + forMs };
    if (kind === 'closed') this.#move('closed', nowMs);
    if (kind !== 'open') return;
    this.#openUntilMs = nowMs + forMs;
    this.#move('open', nowMs);
  }

  reset(nowMs: number): void {
    this.#force = null;
    this.#openings = 0;
    this.#move('closed', nowMs);
  }

  /** The window's length must stay: how a window is resized is the window's own test. */
  reconfigure(settings: BreakerSettings): void {
    const isOtherThreshold = settings.slow?.thresholdMs !== this.#settings.slow?.thresholdMs;
    this.#settings = settings;
    if (isOtherThreshold) this.#overdue.clear();
  }

  view(nowMs: number): ReferenceView {
    const ended = this.#inWindow(nowMs);
    return {
      state: this.#state,
      mode: this.#mode(),
      requests: ended.length + this.#overdue.size,
      failures: ended.filter((call) => call.isFailure).length,
      slow: ended.filter((call) => call.isSlow).length + this.#overdue.size,
      consecutiveFailures: this.#failuresInARow(),
      inFlight: this.#underWay.length,
      overdue: this.#overdue.size,
      probes: this.#probes,
      probesOk: this.#probesOk,
      trips: this.#trips,
      openUntilMs: this.#state === 'open' ? this.#openUntilMs : null,
      turnedAway: this.#turnedAway,
      wouldTurnAway: this.#wouldTurnAway,
    };
  }

  #mode(): string {
    return this.#force === null ? (this.#settings.mode ?? 'enforce') : `forced-${this.#force.kind}`;
  }

  #isObserving(): boolean {
    return this.#mode() === 'observe' || this.#mode() === 'forced-observe';
  }

  #endForce(nowMs: number): void {
    if (this.#force !== null && nowMs >= this.#force.untilMs) this.#force = null;
  }

  #inWindow(nowMs: number): Ended[] {
    const bucketOf = (ms: number): number => Math.floor(ms / (this.#settings.windowMs / BUCKETS));
    return this.#ended.filter((call) => bucketOf(nowMs) - bucketOf(call.atMs) <= BUCKETS);
  }

  #failuresInARow(): number {
    const lastGood = this.#ended.findLastIndex((call) => !call.isFailure);
    return this.#ended.length - 1 - lastGood;
  }

  #tookMs(call: UnderWay, nowMs: number): number {
    return (call.answeredMs ?? nowMs) - call.admittedMs;
  }

  #limitMs(): number {
    const { slow, openForMs } = this.#settings;
    return slow?.thresholdMs ?? (this.#state === 'half-open' ? openForMs : Number.POSITIVE_INFINITY);
  }

  #noticeOverdue(nowMs: number): void {
    if (this.#state !== 'closed') return;
    const before = this.#overdue.size;
    for (const call of this.#underWay) {
      if (call.era === this.#era && this.#tookMs(call, nowMs) > this.#limitMs()) this.#overdue.add(call.id);
    }
    if (this.#overdue.size > before) this.#judge(nowMs);
  }

  #judge(nowMs: number): void {
    if (this.#force?.kind === 'closed') return;
    const { minimumRequests, errorRatio, slow, consecutiveFailures, windowMs } = this.#settings;
    const { requests, failures, slow: slowCalls, consecutiveFailures: inARow } = this.view(nowMs);
    if (failures + slowCalls === 0) return;
    const isRateDue = requests >= minimumRequests;
    const badMin = minimumRequests < 5 ? minimumRequests : 5;
    const isErrors =
      isRateDue && errorRatio !== null && failures >= badMin && failures / requests >= errorRatio;
    const isSlow = isRateDue && slow !== null && slowCalls >= badMin && slowCalls / requests >= slow.ratio;
    const isRow = consecutiveFailures !== null && inARow >= consecutiveFailures;
    if (!isErrors && !isSlow && !isRow) return;
    if (nowMs - this.#sinceMs >= windowMs) this.#openings = 0;
    this.#openAgain(nowMs);
  }

  #judgeStall(nowMs: number): void {
    if (this.#force?.kind === 'closed') return;
    const { slow, minimumRequests, windowMs } = this.#settings;
    const seenMs = this.#stalledMs;
    this.#stalledMs = null;
    if (slow === null) return;
    const waiting = this.#underWay.filter(
      (call) =>
        call.era === this.#era &&
        call.answeredMs === null &&
        call.admittedMs > this.#answeredFromMs &&
        nowMs - call.admittedMs > slow.thresholdMs,
    );
    const isRecent = nowMs - (this.#givenUp.at(-1)?.atMs ?? 0) <= windowMs;
    const hanging = isRecent ? [...waiting, ...this.#givenUp] : waiting;
    if (hanging.length < minimumRequests) return;
    this.#stalledMs = seenMs ?? nowMs;
    if (this.#stalledMs === nowMs) return;
    const forMs = nowMs - Math.min(...hanging.map(({ admittedMs }) => admittedMs));
    if (forMs < slow.thresholdMs + 100) return;
    if (nowMs - this.#sinceMs >= windowMs) this.#openings = 0;
    this.#openAgain(nowMs);
  }

  #lookAtProbes(nowMs: number): void {
    const probes = this.#underWay.filter((call) => call.era === this.#era);
    if (probes.some((call) => this.#tookMs(call, nowMs) > this.#limitMs())) {
      this.#openAgain(nowMs);
      return;
    }
    for (const call of probes) {
      const isDone = call.answeredMs !== null && nowMs - call.admittedMs > this.#settings.openForMs;
      if (!isDone || call.isGoodAlready) continue;
      call.isGoodAlready = true;
      this.#probesOk++;
    }
    this.#closeIfProven(nowMs);
  }

  #closeIfProven(nowMs: number): void {
    if (this.#probesOk >= this.#settings.halfOpenRequests) this.#move('closed', nowMs);
  }

  #openAgain(nowMs: number): void {
    const { openForMs, openForMaxMs } = this.#settings;
    const base = openForMs * 2 ** this.#openings;
    const low = Math.min(base, Math.max(openForMs, openForMaxMs / 1.5));
    const high = Math.min(base * 1.5, openForMaxMs);
    this.#openings++;
    const forMs = low + (high - low) * this.#random.next();
    this.#openUntilMs = nowMs + forMs;
    this.#move('open', nowMs);
  }

  #move(to: 'closed' | 'open' | 'half-open', nowMs: number): void {
    const from = this.#state;
    this.#state = to;
    this.#era++;
    this.#ended = [];
    this.#overdue.clear();
    this.#probes = 0;
    this.#probesOk = 0;
    this.#answeredFromMs = Number.NEGATIVE_INFINITY;
    this.#stalledMs = null;
    this.#givenUp = [];
    if (from === to) return;
    if (to === 'open') this.#trips++;
    this.#sinceMs = nowMs;
    this.moves.push(`${from} -> ${to} at ${nowMs}`);
  }
}
