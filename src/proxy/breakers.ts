/**
 * The breakers of a data plane, by name. One whose name stays is kept when the rules change, and one that is new takes
 * up what was kept of it over a restart. Only those that have something to notice are told the time.
 */
import type { Clock, Random } from '../base/clock.ts';
import { Breaker, type BreakerView, type KeptBreaker, type Transition } from '../resilience/breaker.ts';
import type { BreakerMemory } from '../resilience/breaker-view.ts';
import type { ForceKind } from '../resilience/mode.ts';
import { ASLEEP, type Ticker } from '../resilience/ticker.ts';
import type { BreakerSettings } from '../resilience/transition.ts';

/** What is known of a breaker from before, and how long before. */
export interface Remembered {
  readonly kept: KeptBreaker;
  readonly agoMs: number;
}

export interface BreakersOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Random;
  readonly onTransition: (transition: Transition) => void;
  /** They are those of several processes; see `resilience/sharing.ts`. */
  readonly isShared?: boolean;
  /** What is known of the breaker of this name from before; null: nothing. */
  readonly remembered?: (name: string) => Remembered | null;
}

export class Breakers implements Ticker {
  readonly #options: BreakersOptions;
  readonly #all = new Map<string, Breaker>();
  readonly #awake: Breaker[] = [];
  #wanted = new Set<string>();

  constructor(options: BreakersOptions) {
    this.#options = options;
  }

  get all(): ReadonlyMap<string, Breaker> {
    return this.#all;
  }

  /** The rules ask for this breaker. */
  get(name: string, settings: BreakerSettings): Breaker {
    this.#wanted.add(name);
    const { clock, remembered } = this.#options;
    const known = this.#all.get(name);
    if (known !== undefined) {
      known.reconfigure(settings, clock.now());
      return known;
    }
    const breaker = this.#make(name, settings);
    const before = remembered?.(name) ?? null;
    if (before !== null) breaker.memory.restore(before.kept, before.agoMs, clock.now());
    this.#all.set(name, breaker);
    return breaker;
  }

  /** Forget those that `get` was not asked for since the last time. */
  forgetUnwanted(): void {
    for (const name of this.#all.keys()) if (!this.#wanted.has(name)) this.#all.delete(name);
    this.#wanted = new Set();
  }

  /** Of tens of thousands of breakers few have calls in flight, and only those are looked at. */
  tick(nowMs: number): void {
    const awake = this.#awake;
    for (let i = awake.length - 1; i >= 0; i--) {
      const breaker = awake[i]!;
      breaker.tick(nowMs);
      if (breaker.isAtRest && breaker.awakeAt >= 0) this.rest(breaker);
    }
  }

  wake(breaker: Breaker): void {
    breaker.awakeAt = this.#awake.push(breaker) - 1;
  }

  rest(breaker: Breaker): void {
    const last = this.#awake.pop()!;
    if (last !== breaker) {
      this.#awake[breaker.awakeAt] = last;
      last.awakeAt = breaker.awakeAt;
    }
    breaker.awakeAt = ASLEEP;
  }

  views(): BreakerView[] {
    const nowMs = this.#options.clock.now();
    return Array.from(this.#all.values(), (breaker) => breaker.view(nowMs));
  }

  /** Those that have something to keep over a restart, by name. */
  memories(): Map<string, BreakerMemory> {
    const worthIt = [...this.#all].filter(([, breaker]) => breaker.memory.isWorthKeeping);
    return new Map(worthIt.map(([name, breaker]) => [name, breaker.memory]));
  }

  /** By hand, for `forMs`; false: there is none of this name. */
  force(name: string, kind: ForceKind, forMs: number, reason: string): boolean {
    const breaker = this.#all.get(name);
    breaker?.force(kind, this.#options.clock.now(), reason, forMs);
    return breaker !== undefined;
  }

  /** Close by hand; false: there is none of this name. */
  reset(name: string, reason: string): boolean {
    const breaker = this.#all.get(name);
    breaker?.reset(this.#options.clock.now(), reason);
    return breaker !== undefined;
  }

  #make(name: string, settings: BreakerSettings): Breaker {
    const { random, onTransition, isShared = false } = this.#options;
    return new Breaker(name, settings, random, onTransition, isShared, this);
  }
}
