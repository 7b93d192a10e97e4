/**
 * The calls that a half-open breaker lets through: how many were, how many were good, and which one is bad and why.
 * Told the time. Never moves a circuit.
 */
import { ageOf, type Call } from './in-flight.ts';
import type { Outcome } from './outcome.ts';
import { formatMs } from './reason.ts';
import type { BreakerSettings } from './transition.ts';

/** A probe older than this is hung. Without a slow threshold, one open period is as long as anyone should wait. */
export function probeLimitMs({ probeMaxMs, slow, openForMs }: BreakerSettings): number {
  return probeMaxMs ?? slow?.thresholdMs ?? openForMs;
}

/**
 * How many probes may have been admitted in all when `ok` of them were good: one at first, then as many again as were
 * good and one more, so that a service that has just come back is not asked by `halfOpenRequests` callers at once.
 */
export function rampedSlots(ok: number, halfOpenRequests: number): number {
  return Math.min(halfOpenRequests, 2 * ok + 1);
}

export class Probes {
  /** Admitted and not given back. */
  admitted = 0;
  /** Of those, good. */
  ok = 0;

  clear(): void {
    this.admitted = 0;
    this.ok = 0;
  }

  /** Takes one of `slots`, if one is left. */
  take(slots: number): boolean {
    if (this.admitted >= slots) return false;
    this.admitted++;
    return true;
  }

  /** The end of a probe: why it is bad, or null. One older than `limitMs` is hung. */
  settle(call: Call, outcome: Outcome, ageMs: number, limitMs: number): string | null {
    if (outcome === 'failure') return `a probe failed after ${this.ok} good ones`;
    if (outcome === 'ignored') {
      if (!call.isCounted) this.admitted--;
    } else if (outcome === 'slow' || ageMs > limitMs) {
      return this.#slowReason(ageMs, limitMs);
    } else if (!call.isCounted) {
      this.ok++;
    }
    return null;
  }

  /**
   * Look at each probe in flight: they are the newest calls, and few. Why one is bad, or null.
   * One that neither fails nor ends gives its slot back after `slotMs`.
   */
  judge(newest: Call | null, limitMs: number, slotMs: number, nowMs: number): string | null {
    for (let call = newest; call !== null; call = call.older) {
      if (call.generation !== newest!.generation) break;
      const isAnswered = call.answeredMs >= 0;
      const ageMs = ageOf(call, nowMs);
      const isSlotOver = !call.isCounted && nowMs - call.admittedMs > slotMs;
      if (call.isSending && isSlotOver) {
        // A client that never finishes sending must not keep the slot for ever.
        call.isCounted = true;
        this.admitted--;
      } else if (ageMs > limitMs) {
        return this.#slowReason(ageMs, limitMs);
      }
      // A stream that was answered in time and goes on must not keep its slot for ever.
      if (isAnswered && !call.isCounted && isSlotOver) {
        call.isCounted = true;
        this.ok++;
      }
    }
    return null;
  }

  #slowReason(ageMs: number, limitMs: number): string {
    return `a probe took ${formatMs(ageMs)} > ${formatMs(limitMs)}, after ${this.ok} good ones`;
  }
}
