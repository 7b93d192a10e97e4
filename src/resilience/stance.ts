/**
 * Where a breaker stands, since when and why, what a person has asked of it, and how often it has opened: what people
 * are shown and told, for the breaker of one process and for the one that workers share. Told the time; judges nothing.
 */
import type { CircuitState } from './circuit.ts';
import { type BreakerMode, endedReason, type Force, modeOf } from './mode.ts';
import type { Transition, TransitionCause } from './transition.ts';

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
  #declared: 'enforce' | 'observe';
  /** What `onTransition` was last told. */
  #toldMode: BreakerMode;

  /** @param declared left out: enforce */
  constructor(
    name: string,
    declared: 'enforce' | 'observe' | undefined,
    onTransition: (transition: Transition) => void,
  ) {
    this.#name = name;
    this.#onTransition = onTransition;
    this.#declared = declared ?? 'enforce';
    this.#toldMode = this.#declared;
  }

  get mode(): BreakerMode {
    return modeOf(this.#declared, this.force);
  }

  /** Another mode in the settings: whoever changed them knows. */
  declare(mode: 'enforce' | 'observe' | undefined): void {
    this.#declared = mode ?? 'enforce';
    this.#toldMode = this.mode;
  }

  /** Into a state, or once more into the same one. */
  enter(to: CircuitState, reason: string, nowMs: number): void {
    if (this.state !== to) this.sinceMs = nowMs;
    this.state = to;
    this.reason = reason;
  }

  /** Before it enters the open state. */
  openFor(forMs: number, nowMs: number): void {
    this.openUntilMs = nowMs + forMs;
    if (this.state !== 'open') this.trips++;
  }

  /** Forget what was forced if its time is over; true: it is. */
  endForce(nowMs: number): boolean {
    const { force } = this;
    if (force === null || nowMs < force.untilMs) return false;
    this.force = null;
    // That it is no longer forced open, the move to half-open will tell.
    if (force.kind !== 'open') this.tell(this.state, 'force-ended', endedReason(force), nowMs);
    return true;
  }

  /** After a move from a state, or into another mode; without either there is nothing to tell. */
  tell(from: CircuitState, cause: TransitionCause, reason: string, atMs: number): void {
    const { mode, state } = this;
    if (from === state && mode === this.#toldMode) return;
    this.#toldMode = mode;
    this.#onTransition({ breaker: this.#name, from, to: state, mode, cause, reason, atMs });
  }

  /** Whether it has been in this state for `ms`. */
  hasLasted(ms: number, nowMs: number): boolean {
    return this.sinceMs === null || nowMs - this.sinceMs >= ms;
  }

  /** Until probes may go; 0 unless open. */
  remainingMs(nowMs: number): number {
    return this.state === 'open' ? Math.max(0, this.openUntilMs - nowMs) : 0;
  }

  /** What it shows of itself. */
  get shown() {
    const { state, mode, force, reason, sinceMs, openUntilMs, trips } = this;
    return { state, mode, force, reason, sinceMs, openUntilMs: state === 'open' ? openUntilMs : null, trips };
  }
}
