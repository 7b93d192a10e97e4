/** What a breaker shows of itself. */
import type { BudgetView, KeptBudget } from './budget.ts';
import type { CircuitState } from './circuit.ts';
import type { ClosedCalls } from './closed-calls.ts';
import type { BreakerMode, ForceKind } from './mode.ts';
import type { Probes } from './probes.ts';
import type { Stance } from './stance.ts';
import type { BreakerSettings } from './transition.ts';

/** A breaker as people see it. Counts are of the present state only; ratios are null without a counted call. */
export interface BreakerView {
  readonly name: string;
  readonly state: CircuitState;
  /** Whether it acts by itself, only observes, or is forced. While it observes, its state has no effect. */
  readonly mode: BreakerMode;
  /** What a person has asked for; null: nothing. */
  readonly force: ForceView | null;
  /** Why it is in this state. */
  readonly reason: string;
  /** When it came into this state; null: it has always been. */
  readonly sinceMs: number | null;
  /** When it will be half-open; null unless open. */
  readonly openUntilMs: number | null;
  /** Counted calls: finished in the window, and in flight past the slow threshold. */
  readonly requests: number;
  readonly failures: number;
  readonly slow: number;
  readonly errorRatio: number | null;
  readonly slowRatio: number | null;
  readonly consecutiveFailures: number;
  /** All calls not yet settled, stale ones included. */
  readonly inFlight: number;
  /** Of those, counted as slow already. */
  readonly overdue: number;
  /** Why a limit that is reached does not open it; null: none is reached. */
  readonly heldBack: string | null;
  /** Probes admitted, of which good; 0 unless half-open. */
  readonly probes: number;
  readonly probesOk: number;
  /** Times it has opened, and calls it has turned away, in its lifetime. */
  readonly trips: number;
  readonly turnedAway: number;
  /** Calls that it let through only because it observes. */
  readonly wouldTurnAway: number;
  /** Null: it has none. Of a breaker that workers share, the primary keeps it. */
  readonly budget: BudgetView | null;
  readonly settings: BreakerSettings;
}

/** What is kept of a breaker over a restart: what it has spent, and how long ago it opened. Ages are in ms. */
export interface KeptBreaker {
  readonly budget: KeptBudget | null;
  readonly tripAgesMs: readonly number[];
}

/** What a person has asked for, and for how long from now. */
export interface ForceView {
  readonly kind: ForceKind;
  readonly forMs: number;
  readonly reason: string;
}

/** What a breaker knows of before, and what there is to keep of it over a restart. */
export interface BreakerMemory {
  /** It has a budget or counts its openings. */
  readonly isWorthKeeping: boolean;
  /** Another number after whatever is worth keeping anew. */
  readonly changes: number;
  keep(nowMs: number): KeptBreaker;
  /** Enter what was kept `agoMs` ago. */
  restore(kept: KeptBreaker, agoMs: number, nowMs: number): void;
}

/** What a breaker is made of, as far as it is shown. */
export interface BreakerParts {
  readonly name: string;
  readonly stance: Stance;
  /** As of now. */
  readonly calls: ClosedCalls;
  readonly heldBack: string | null;
  readonly probes: Probes;
  readonly turnedAway: number;
  readonly wouldTurnAway: number;
  readonly settings: BreakerSettings;
}

export function breakerView(parts: BreakerParts, nowMs: number): BreakerView {
  const { name, stance, calls, heldBack, probes, turnedAway, wouldTurnAway, settings } = parts;
  const { requests, failures, slow, overdue, consecutiveFailures } = calls.evidence;
  return {
    name,
    ...stance.shown(nowMs),
    requests,
    failures,
    slow,
    errorRatio: requests === 0 ? null : failures / requests,
    slowRatio: requests === 0 ? null : slow / requests,
    consecutiveFailures,
    inFlight: calls.count,
    overdue,
    heldBack,
    probes: probes.admitted,
    probesOk: probes.ok,
    turnedAway,
    wouldTurnAway,
    settings,
  };
}
