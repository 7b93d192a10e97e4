/** The settings of a breaker as a whole, and what it says when it moves. Types only. */
import type { BudgetSettings } from './budget.ts';
import type { CircuitState } from './circuit.ts';
import type { TripCause } from './evidence.ts';
import type { Limits } from './limits.ts';
import type { BreakerMode } from './mode.ts';

/** The limits, and how the breaker behaves once one is reached. */
export interface BreakerSettings extends Limits {
  /** The first time it opens, it stays open this long; then twice as long each time, up to `openForMaxMs`. */
  readonly openForMs: number;
  readonly openForMaxMs: number;
  /** Probes that must all be good to close; at least 1. */
  readonly halfOpenRequests: number;
  /** How long a probe may take. Left out: the slow threshold, or else `openForMs`. */
  readonly probeMaxMs?: number;
  /** `observe`: say what it would do, and turn nothing away. Left out: enforce. */
  readonly mode?: 'enforce' | 'observe';
  /** Opens it when it burns too fast. Left out or null: no budget. */
  readonly budget?: BudgetSettings | null;
  /** So many openings by itself in so long are too many. Left out or null: there are never too many. */
  readonly tripsMax?: TripsMax | null;
}

export interface TripsMax {
  readonly count: number;
  readonly withinMs: number;
}

export type TransitionCause =
  | TripCause
  | 'held-back'
  | 'budget-burn'
  | 'probes-ok'
  | 'probe-failed'
  | 'timer'
  | 'forced'
  | 'force-ended'
  | 'reset';

/** A move from one state to another, or, with `from` the same as `to`, into another mode. */
export interface Transition {
  /** Name of the breaker. */
  readonly breaker: string;
  readonly from: CircuitState;
  readonly to: CircuitState;
  /** The mode it is in now: whether the move has any effect. */
  readonly mode: BreakerMode;
  readonly cause: TransitionCause;
  /** One sentence with the number and the limit. */
  readonly reason: string;
  /** It has opened too often: the sentence for that; null: it has not. */
  readonly tooOften: string | null;
  /** On the clock that the breaker is told. */
  readonly atMs: number;
}
