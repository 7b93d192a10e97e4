/**
 * One breaker that several workers share: the primary's half. Each worker has a `Breaker` that judges the calls of
 * all of them and opens at once; this one puts the moves in order, passes the counts on, and alone lets the breaker
 * recover. Half-open, the probes are dealt out, so that all workers together make no more than one process would.
 *
 * Each move has an era of its own. What a worker says of another era is about a breaker that has moved since, and
 * counts for nothing: of two workers that open at the same time the first is followed by the second.
 *
 * Told the time, and has no timer: `tick` moves it out of the open state. Memory is fixed per worker.
 */
import type { Random } from '../base/clock.ts';
import type { BreakerMemory } from './breaker-view.ts';
import type { CircuitState } from './circuit.ts';
import { addTallies, type Tally } from './evidence.ts';
import { type ForceKind, forceFor, isObserving } from './mode.ts';
import { rampedSlots } from './probes.ts';
import { halfOpenReason, openReason } from './reason.ts';
import type { Elsewhere, Opening, Report, Standing } from './sharing.ts';
import type { Spent } from './span-ring.ts';
import { Stance } from './stance.ts';
import type { BreakerSettings, Transition, TransitionCause } from './transition.ts';

export interface SharedOptions {
  /** A number that no era of any breaker had before. */
  readonly nextEra: () => number;
  readonly random: Random;
  /** As for `Breaker`. */
  readonly onTransition: (transition: Transition) => void;
  /** To be told to this worker, in the order of the calls. */
  readonly onStanding: (worker: number, standing: Standing) => void;
}

/** What is known of one worker. */
class Member {
  overdue = 0;
  /** In flight past each level that is counted. */
  aged: readonly number[] = [];
  /** Finished calls of the others that it has not been told of. */
  pending: Tally | null = null;
  isOverdueNew = false;
  /** Probes it may have made: what it was given, until it says that it has given some back. */
  slots = 0;
  /** What it was asked to go down to; null: nothing. */
  loweredTo: number | null = null;
  probes = 0;
  probesOk = 0;
  /** Half-open, it turns calls away for want of slots. */
  isShort = false;
  turnedAway = 0;
  /** Calls turned away since the breaker was last closed: where the traffic is. */
  demand = 0;

  /** The breaker has moved. */
  clear(): void {
    this.overdue = 0;
    this.aged = [];
    this.pending = null;
    this.isOverdueNew = false;
    this.slots = 0;
    this.loweredTo = null;
    this.probes = 0;
    this.probesOk = 0;
    this.isShort = false;
  }
}

export class SharedBreaker {
  readonly name: string;
  readonly #options: SharedOptions;
  readonly #members = new Map<number, Member>();
  #settings: BreakerSettings;
  /** When it was last told that a limit is held back. */
  #heldMs = Number.NEGATIVE_INFINITY;
  readonly #stance: Stance;
  #era: number;
  /** Good probes of workers that are gone. */
  #probesOkGone = 0;

  constructor(name: string, settings: BreakerSettings, options: SharedOptions) {
    this.name = name;
    this.#settings = settings;
    this.#options = options;
    this.#stance = new Stance(name, settings, options.onTransition);
    this.#era = options.nextEra();
  }

  get state(): CircuitState {
    return this.#stance.state;
  }

  /** Whether calls are turned away now. */
  get isBarred(): boolean {
    return this.#stance.state === 'open' && !isObserving(this.#stance.mode);
  }

  /** `tick` changes nothing, and need not be called. */
  get isAtRest(): boolean {
    return this.#stance.state !== 'open' && this.#stance.force === null;
  }

  /** What is the same for all workers; the counts are theirs to tell. */
  standing(nowMs: number) {
    return { ...this.#stance.shown(nowMs), settings: this.#settings };
  }

  /** Judge its budget beside that of the control from now on; null: there is none. */
  compareWith(control: SharedBreaker | null): void {
    this.#stance.compareWith(control === null ? null : control.#stance);
  }

  get memory(): BreakerMemory {
    return this.#stance;
  }

  /** A worker has this breaker from now on, as new. It is told where the breaker stands. */
  join(worker: number, nowMs: number): void {
    this.#members.set(worker, new Member());
    this.#tell(worker, nowMs);
    for (const member of this.#members.values()) member.isOverdueNew = true;
  }

  /** A worker is gone, with its calls in flight. */
  leave(worker: number, nowMs: number): void {
    const gone = this.#members.get(worker);
    if (gone === undefined) return;
    this.#members.delete(worker);
    this.#probesOkGone += gone.probesOk;
    for (const member of this.#members.values()) member.isOverdueNew = true;
    if (this.#stance.state === 'half-open') this.#deal(nowMs);
  }

  /** A worker has opened the breaker; false: it had moved already, and the worker has been told where to. */
  opened(opening: Opening, nowMs: number): boolean {
    if (opening.era !== this.#era || this.#stance.state === 'open') return false;
    this.#stance.openings = opening.openings;
    this.#stance.countTrip(nowMs);
    this.#open(opening.cause, opening.reason, opening.openForMs, nowMs);
    return true;
  }

  /** What a worker says of its calls. */
  report(worker: number, report: Report, nowMs: number): void {
    const member = this.#members.get(worker);
    if (member === undefined) return;
    const turnedAway = report.turnedAway - member.turnedAway;
    member.turnedAway = report.turnedAway;
    if (report.spent !== null) this.#spend(report.spent, nowMs);
    if (report.era !== this.#era) return;
    if (this.#stance.state === 'closed') {
      this.#passOn(worker, member, report);
      if (report.held !== null) this.#noteHeld(report.held, nowMs);
      return;
    }
    member.demand += turnedAway;
    if (this.#stance.state === 'half-open') this.#hearProbes(member, report, turnedAway, nowMs);
  }

  /** What this worker needs to know of the others' calls, or null. */
  takeElsewhere(worker: number): Elsewhere | null {
    const member = this.#members.get(worker);
    if (member === undefined || this.#stance.state !== 'closed') return null;
    if (member.pending === null && !member.isOverdueNew) return null;
    const calls = member.pending;
    member.pending = null;
    member.isOverdueNew = false;
    const others = [...this.#members.values()].filter((other) => other !== member);
    const sum = (read: (other: Member) => number): number =>
      others.reduce((total, other) => total + read(other), 0);
    const aged = member.aged.map((_, level) => sum((other) => other.aged[level] ?? 0));
    return { breaker: this.name, era: this.#era, calls, overdue: sum((other) => other.overdue), aged };
  }

  /** Let time pass. Every 20 to 50 ms is enough. */
  tick(nowMs: number): void {
    if (this.#stance.endForce(nowMs)) this.#tellAll(nowMs);
    if (this.#stance.state === 'open' && nowMs >= this.#stance.openUntilMs) this.#halfOpen(nowMs);
  }

  /** `force` open. */
  trip(nowMs: number, reason: string, forMs: number): void {
    this.force('open', nowMs, reason, forMs);
  }

  /** As `Breaker.force`. */
  force(kind: ForceKind, nowMs: number, reason: string, forMs: number): void {
    const force = forceFor(kind, forMs, reason, nowMs);
    this.#stance.force = force;
    if (kind === 'open') this.#open('forced', force.reason, forMs, nowMs);
    else if (kind === 'closed') this.#move('closed', 'forced', force.reason, nowMs);
    else {
      this.#stance.tell(this.#stance.state, 'forced', force.reason, nowMs);
      this.#tellAll(nowMs);
    }
  }

  /** Close by hand, forgetting all counts, the back-off and what was forced. */
  reset(nowMs: number, reason: string): void {
    this.#stance.force = null;
    this.#stance.openings = 0;
    this.#move('closed', 'reset', `reset: ${reason}`, nowMs);
  }

  /** New settings from now on; the workers have them from their configuration. */
  reconfigure(settings: BreakerSettings, nowMs: number): void {
    this.#settings = settings;
    this.#stance.reconfigure(settings, nowMs);
    if (this.#stance.state !== 'half-open') return;
    if (this.#closeIfProven(nowMs)) return;
    this.#deal(nowMs);
  }

  // Closed.

  /** Burning too fast opens it here: no worker knows of more than its own calls. */
  #spend(spent: Spent, nowMs: number): void {
    const reason = this.#stance.spend(spent, nowMs);
    if (reason === null) return;
    const forMs = this.#stance.nextOpenMs(this.#options.random);
    this.#stance.countTrip(nowMs);
    this.#open('budget-burn', openReason(reason, forMs), forMs, nowMs);
  }

  #passOn(worker: number, member: Member, { calls, overdue, aged }: Report): void {
    const isAgedNew = aged.some((count, level) => count !== member.aged[level]);
    const isOverdueNew = overdue !== member.overdue || isAgedNew;
    member.overdue = overdue;
    member.aged = aged;
    for (const [id, other] of this.#members) {
      if (id === worker) continue;
      if (isOverdueNew) other.isOverdueNew = true;
      if (calls !== null) other.pending = other.pending === null ? calls : addTallies(other.pending, calls);
    }
  }

  /** All workers see the same trouble; it is told once in a window. */
  #noteHeld(reason: string, nowMs: number): void {
    if (nowMs - this.#heldMs < this.#settings.windowMs) return;
    this.#heldMs = nowMs;
    this.#stance.note('held-back', reason, nowMs);
  }

  // Half-open.

  #hearProbes(member: Member, report: Report, turnedAway: number, nowMs: number): void {
    member.probes = report.probes;
    member.probesOk = report.probesOk;
    // Any other number is from before it was asked, and it may use them all yet.
    if (member.loweredTo !== null && report.slots === Math.max(member.loweredTo, report.probes)) {
      member.slots = report.slots;
      member.loweredTo = null;
    }
    member.isShort = report.probes >= report.slots && (member.isShort || turnedAway > 0);
    if (!this.#closeIfProven(nowMs)) this.#deal(nowMs);
  }

  #closeIfProven(nowMs: number): boolean {
    const { halfOpenRequests } = this.#settings;
    const ok = this.#probesOk();
    if (ok < halfOpenRequests) return false;
    this.#move('closed', 'probes-ok', `good probes ${ok} >= ${halfOpenRequests}`, nowMs);
    return true;
  }

  #probesOk(): number {
    let ok = this.#probesOkGone;
    for (const member of this.#members.values()) ok += member.probesOk;
    return ok;
  }

  /** Give free slots to workers that are short of them; when none is free, ask those for theirs who do not use them. */
  #deal(nowMs: number): void {
    const short = [...this.#members].filter(([, { isShort, loweredTo }]) => isShort && loweredTo === null);
    if (short.length === 0) return;
    const free = this.#free();
    for (let i = 0; i < free; i++) short[i % short.length]![1].slots++;
    for (const [worker, member] of short.slice(0, free)) {
      member.isShort = false;
      this.#tell(worker, nowMs);
    }
    if (free <= 0) this.#askBack(nowMs);
  }

  #askBack(nowMs: number): void {
    for (const [worker, member] of this.#members) {
      if (member.isShort || member.loweredTo !== null || member.slots <= member.probes) continue;
      member.loweredTo = member.probes;
      this.#tell(worker, nowMs);
    }
  }

  #free(): number {
    let slots = this.#probesOkGone;
    for (const member of this.#members.values()) slots += member.slots;
    return rampedSlots(this.#probesOk(), this.#settings.halfOpenRequests) - slots;
  }

  // Moves.

  #open(cause: TransitionCause, reason: string, forMs: number, nowMs: number): void {
    this.#stance.openFor(forMs, nowMs);
    this.#move('open', cause, reason, nowMs);
  }

  #halfOpen(nowMs: number): void {
    const reason = halfOpenReason(this.#stance.openedForMs(nowMs), this.#settings.halfOpenRequests);
    this.#move('half-open', 'timer', reason, nowMs);
  }

  #move(to: CircuitState, cause: TransitionCause, reason: string, nowMs: number): void {
    const from = this.#stance.state;
    this.#stance.enter(to, reason, nowMs);
    this.#era = this.#options.nextEra();
    this.#probesOkGone = 0;
    for (const member of this.#members.values()) member.clear();
    if (to === 'half-open') this.#dealFirst();
    if (to === 'closed') for (const member of this.#members.values()) member.demand = 0;
    this.#tellAll(nowMs);
    this.#stance.tell(from, cause, reason, nowMs);
  }

  /** The first slots in turn, first to where the traffic is. */
  #dealFirst(): void {
    const members = [...this.#members.values()].sort((left, right) => right.demand - left.demand);
    if (members.length === 0) return;
    const slots = rampedSlots(0, this.#settings.halfOpenRequests);
    for (let i = 0; i < slots; i++) members[i % members.length]!.slots++;
  }

  #tellAll(nowMs: number): void {
    for (const worker of this.#members.keys()) this.#tell(worker, nowMs);
  }

  #tell(worker: number, nowMs: number): void {
    const member = this.#members.get(worker)!;
    this.#options.onStanding(worker, {
      breaker: this.name,
      era: this.#era,
      state: this.#stance.state,
      reason: this.#stance.reason,
      openForMs: this.#stance.remainingMs(nowMs),
      openings: this.#stance.openings,
      force: this.#stance.forceView(nowMs),
      slots: member.loweredTo ?? member.slots,
    });
  }
}
