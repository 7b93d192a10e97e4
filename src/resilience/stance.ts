/**
 * Where a breaker stands, since when and why, and how often it has opened: what people are shown, for the breaker of
 * one process and for the one that workers share. Told the time; judges nothing.
 */
import type { CircuitState } from './circuit.ts';

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
    const { state, reason, sinceMs, openUntilMs, trips } = this;
    return { state, reason, sinceMs, openUntilMs: state === 'open' ? openUntilMs : null, trips };
  }
}
