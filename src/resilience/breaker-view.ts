/** What a breaker shows of itself. */
import type { BreakerSettings } from './breaker.ts';
import type { CircuitState } from './circuit.ts';

/** A breaker as people see it. Counts are of the present state only; ratios are null without a counted call. */
export interface BreakerView {
  readonly name: string;
  readonly state: CircuitState;
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
  /** Probes admitted, of which good; 0 unless half-open. */
  readonly probes: number;
  readonly probesOk: number;
  /** Times it has opened, and calls it has turned away, in its lifetime. */
  readonly trips: number;
  readonly turnedAway: number;
  readonly settings: BreakerSettings;
}
