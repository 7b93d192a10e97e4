/** A breaker in a test: a manual clock, no jitter, calls by the dozen, and every move on record. */
import { expect } from 'vitest';
import {
  Breaker,
  type BreakerSettings,
  type BreakerView,
  Call,
  type Transition,
} from '../../src/resilience/breaker.ts';
import type { Outcome } from '../../src/resilience/outcome.ts';

/** Ten seconds, twenty calls, half of them bad or a fifth of them over 250 ms. */
export const SETTINGS: BreakerSettings = {
  windowMs: 10_000,
  minimumRequests: 20,
  errorRatio: 0.5,
  slow: { thresholdMs: 250, ratio: 0.2 },
  consecutiveFailures: null,
  openForMs: 5_000,
  openForMaxMs: 60_000,
  halfOpenRequests: 5,
};

/** A breaker on a manual clock, without jitter, with its moves on record. */
export class Bench {
  nowMs = 0;
  readonly moves: Transition[] = [];
  readonly breaker: Breaker;

  constructor(changes: Partial<BreakerSettings> = {}) {
    const random = { next: () => 0, hex: () => '' };
    this.breaker = new Breaker('api/ranking/candidate', { ...SETTINGS, ...changes }, random, (move) => {
      this.moves.push(move);
    });
  }

  get state(): string {
    return this.breaker.state;
  }

  get last(): Transition {
    return this.moves.at(-1)!;
  }

  wait(ms: number): void {
    this.nowMs += ms;
    this.breaker.tick(this.nowMs);
  }

  /** Admit `count` calls, which must be let through, and leave them in flight. */
  start(count: number): Call[] {
    return Array.from({ length: count }, () => {
      const call = new Call();
      expect(this.breaker.admit(call, this.nowMs)).toBe(true);
      return call;
    });
  }

  end(calls: readonly Call[], outcome: Outcome): void {
    for (const call of calls) this.breaker.settle(call, outcome, this.nowMs);
  }

  /** `count` calls that take no time. */
  run(count: number, outcome: Outcome): void {
    for (let i = 0; i < count; i++) this.end(this.start(1), outcome);
  }

  isTurnedAway(): boolean {
    return !this.breaker.admit(new Call(), this.nowMs);
  }

  open(): this {
    this.run(20, 'failure');
    expect(this.state).toBe('open');
    return this;
  }

  halfOpen(): this {
    this.open().wait(5_000);
    expect(this.state).toBe('half-open');
    return this;
  }

  view(): BreakerView {
    return this.breaker.view(this.nowMs);
  }
}
