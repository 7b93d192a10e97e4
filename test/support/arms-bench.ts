/** A candidate's breaker beside the control's, on one manual clock, without jitter. */
import {
  Breaker,
  type BreakerSettings,
  type BreakerView,
  Call,
  type Transition,
} from '../../src/resilience/breaker.ts';
import { criticalSurprise } from '../../src/resilience/confidence.ts';
import type { Compared, Confidence } from '../../src/resilience/limits.ts';
import type { CallEnd } from '../../src/resilience/outcome.ts';
import { SETTINGS } from './breaker-bench.ts';

export const SURE: Confidence = { ratio: 0.99999, surprise: criticalSurprise(0.00001) };

/** Nothing that is compared. */
export const COMPARED: Compared = { confidence: SURE, error: null, slow: null, quantiles: [] };

/** As in `SETTINGS`, with no limits of its own. */
export const UNLIMITED: BreakerSettings = { ...SETTINGS, errorRatio: null, slow: null };

export type ArmName = 'candidate' | 'control';

export class ArmsBench {
  nowMs = 0;
  readonly moves: Transition[] = [];
  readonly candidate: Breaker;
  readonly control: Breaker;

  constructor(candidate: Partial<BreakerSettings>, control: Partial<BreakerSettings> = {}) {
    this.candidate = this.#make('candidate', { ...UNLIMITED, ...candidate });
    this.control = this.#make('control', { ...UNLIMITED, ...control });
    this.candidate.compareWith(this.control);
  }

  get last(): Transition {
    return this.moves.at(-1)!;
  }

  get state(): string {
    return this.candidate.state;
  }

  get view(): BreakerView {
    return this.candidate.view(this.nowMs);
  }

  /** Sentences of what was held back. */
  get held(): string[] {
    return this.moves.filter(({ cause }) => cause === 'held-back').map(({ reason }) => reason);
  }

  /** `count` calls that end after `ms`, which do not pass on the clock of the bench. */
  run(arm: ArmName, count: number, end: CallEnd, ms = 0): this {
    for (let i = 0; i < count; i++) {
      const call = new Call();
      if (!this[arm].admit(call, this.nowMs)) continue;
      // Its clock was stopped then: what it took is known, whatever the time is.
      if (ms > 0) this[arm].answered(call, this.nowMs + ms);
      this[arm].settle(call, end, this.nowMs);
    }
    return this;
  }

  /** Good and failed calls in turn, as they would come. */
  mix(arm: ArmName, good: number, failed: number): this {
    return this.run(arm, good, 'ok').run(arm, failed, 'failure');
  }

  start(arm: ArmName, count: number): Call[] {
    return Array.from({ length: count }, () => {
      const call = new Call();
      this[arm].admit(call, this.nowMs);
      return call;
    });
  }

  wait(ms: number): this {
    this.nowMs += ms;
    this.control.tick(this.nowMs);
    this.candidate.tick(this.nowMs);
    return this;
  }

  #make(name: string, settings: BreakerSettings): Breaker {
    const random = { next: () => 0, hex: () => '' };
    return new Breaker(name, settings, random, (move) => this.moves.push(move));
  }
}
