/**
 * Where a breaker stands, since when and why, what a person has asked of it, and how often it has opened: what people
 * are shown and told, for the breaker of one process and for the one that workers share. Told the time; judges nothing.
 */
import type { Random } from '../base/clock.ts';
import { openDurationMs } from './back-off.ts';
import type { ForceView, KeptBreaker } from './breaker-view.ts';
import { Budget, type Burning } from './budget.ts';
import type { CircuitState } from './circuit.ts';
import { heldReason } from './compared-reason.ts';
import { type BreakerMode, endedReason, type Force, isObserving, modeOf } from './mode.ts';
import type { Spent } from './span-ring.ts';
import type { BreakerSettings, Transition, TransitionCause } from './transition.ts';
import { TripHistory } from './trip-history.ts';

/** A control whose budget burns this much as fast is bad too. */
const NEAR = 0.5;

export class Stance {
  state: CircuitState = 'closed';
  /** Why it is in this state. */
  reason = 'has never opened';
  /** When it came into this state; null: it has always been. */
  sinceMs: number | null = null;
  /** When probes may go; of use while open. */
  openUntilMs = 0;
  /** Openings in a row without a whole window closed in between; the exponent of the back-off. */
  openings = 0;
  /** Times it has opened, in its lifetime. */
  trips = 0;
  /** What a person has asked for; null: it decides by itself. */
  force: Force | null = null;
  readonly #name: string;
  readonly #onTransition: (transition: Transition) => void;
  /** Null: it has none. */
  budget: Budget | null;
  readonly #history = new TripHistory();
  #settings: BreakerSettings;
  /** What `onTransition` was last told. */
  #toldMode: BreakerMode;

  #control: Stance | null = null;
  /** Of what is worth keeping. */
  changes = 0;
  /** When its budget last burned without effect. */
  #heldToldMs = Number.NEGATIVE_INFINITY;
  /** One opening too many, not told yet. */
  #tooOften: string | null = null;

  constructor(name: string, settings: BreakerSettings, onTransition: (transition: Transition) => void) {
    this.#name = name;
    this.#onTransition = onTransition;
    this.#settings = settings;
    this.budget = settings.budget == null ? null : new Budget(settings.budget);
    this.#toldMode = this.mode;
  }

  get mode(): BreakerMode {
    return modeOf(this.#settings.mode, this.force);
  }

  /** If this is another mode, whoever changed the settings knows. */
  reconfigure(settings: BreakerSettings, nowMs: number): void {
    this.#settings = settings;
    if (settings.budget == null) this.budget = null;
    else if (this.budget === null) this.budget = new Budget(settings.budget);
    else this.budget.reconfigure(settings.budget, nowMs);
    this.#toldMode = this.mode;
  }

  /** Into a state, or once more into the same one. */
  enter(to: CircuitState, reason: string, nowMs: number): void {
    if (this.state !== to) this.sinceMs = nowMs;
    this.state = to;
    if (to === 'closed') this.budget?.forgive();
    this.reason = reason;
  }

  /** Before it enters the open state. */
  openFor(forMs: number, nowMs: number): void {
    this.openUntilMs = nowMs + forMs;
    if (this.state !== 'open') this.trips++;
  }

  /** It opens by itself: for how long. */
  nextOpenMs(random: Random): number {
    const { openForMs, openForMaxMs } = this.#settings;
    return openDurationMs(this.openings++, openForMs, openForMaxMs, random);
  }

  /** It opens by itself, and that counts if it has an effect. */
  countTrip(nowMs: number): void {
    const { tripsMax } = this.#settings;
    if (tripsMax == null || isObserving(this.mode)) return;
    this.changes++;
    this.#tooOften = this.#history.add(tripsMax, nowMs);
  }

  /** Enter calls that have ended into the budget: why it must open for them, or null. */
  spend(spent: Spent, nowMs: number): string | null {
    const { budget } = this;
    this.changes++;
    budget?.spend(spent, nowMs);
    if (budget === null || this.state !== 'closed' || this.force?.kind === 'closed') return null;
    const burning = budget.burning(this.#settings.minimumRequests, nowMs);
    if (burning === null || this.#isHeldBack(burning, nowMs)) return null;
    // It burns as long as its short time, and has not been good before it has been for as long.
    if (this.hasLasted(burning.rule.shortMs, nowMs)) this.openings = 0;
    return burning.reason;
  }

  /** Where the control stands; null: there is none, or this is it. */
  compareWith(control: Stance | null): void {
    this.#control = control;
  }

  /** Whether the control is about as bad, so that going there would not help, and that is to hold it back. */
  #isHeldBack({ rule, rate, reason }: Burning, nowMs: number): boolean {
    const control = this.#settings.sharedOutage?.policy === 'hold' ? this.#control : null;
    if (control === null) return false;
    const isBad = control.state !== 'closed' || (control.budget?.rateOver(rule, nowMs) ?? 0) >= rate * NEAR;
    if (!isBad) return false;
    if (nowMs - this.#heldToldMs >= rule.shortMs) this.note('held-back', heldReason(reason, null), nowMs);
    this.#heldToldMs = nowMs;
    return true;
  }

  /** It has a budget or counts its openings. */
  get isWorthKeeping(): boolean {
    return this.budget !== null || this.#settings.tripsMax != null;
  }

  keep(nowMs: number): KeptBreaker {
    return { budget: this.budget?.keep(nowMs) ?? null, tripAgesMs: this.#history.ages(nowMs) };
  }

  /** Enter what was kept `agoMs` ago. */
  restore({ budget, tripAgesMs }: KeptBreaker, agoMs: number, nowMs: number): void {
    if (budget !== null) this.budget?.restore(budget, agoMs, nowMs);
    this.#history.restore(
      tripAgesMs.map((ageMs) => ageMs + agoMs),
      nowMs,
    );
  }

  /** Forget what was forced if its time is over; true: it is. */
  endForce(nowMs: number): boolean {
    const { force } = this;
    if (force === null || nowMs < force.untilMs) return false;
    this.force = null;
    this.tell(this.state, 'force-ended', endedReason(force), nowMs);
    return true;
  }

  /** After a move from a state, or into another mode; without either there is nothing to tell. */
  tell(from: CircuitState, cause: TransitionCause, reason: string, atMs: number): void {
    const { mode, state } = this;
    if (from === state && mode === this.#toldMode) return;
    this.#toldMode = mode;
    const tooOften = this.#tooOften;
    this.#tooOften = null;
    this.#onTransition({ breaker: this.#name, from, to: state, mode, cause, reason, tooOften, atMs });
  }

  /** What is to be said without a move. */
  note(cause: TransitionCause, reason: string, atMs: number): void {
    const { mode, state } = this;
    this.#onTransition({
      breaker: this.#name,
      from: state,
      to: state,
      mode,
      cause,
      reason,
      tooOften: null,
      atMs,
    });
  }

  /** Whether it has been in this state for `ms`. */
  hasLasted(ms: number, nowMs: number): boolean {
    return this.sinceMs === null || nowMs - this.sinceMs >= ms;
  }

  /** How long it has been in this state. */
  openedForMs(nowMs: number): number {
    return nowMs - (this.sinceMs ?? nowMs);
  }

  /** Until probes may go; 0 unless open. */
  remainingMs(nowMs: number): number {
    return this.state === 'open' ? Math.max(0, this.openUntilMs - nowMs) : 0;
  }

  /** What a person has asked for, with the time that is left of it; null: nothing. */
  forceView(nowMs: number): ForceView | null {
    if (this.force === null) return null;
    const { kind, untilMs, reason } = this.force;
    return { kind, forMs: Math.max(0, untilMs - nowMs), reason };
  }

  /** What it shows of itself. */
  shown(nowMs: number) {
    const { state, mode, reason, sinceMs, openUntilMs, trips } = this;
    return {
      state,
      mode,
      force: this.forceView(nowMs),
      reason,
      sinceMs,
      openUntilMs: state === 'open' ? openUntilMs : null,
      trips,
      budget: this.budget?.view(nowMs) ?? null,
    };
  }
}
