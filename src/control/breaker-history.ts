/** The last moves of all breakers with their reasons, in memory. Where they stand now is the breakers' own to say. */
import type { Clock } from '../base/clock.ts';
import type { Transition } from '../resilience/transition.ts';
import { Latest } from './latest.ts';

const MOVES_MAX = 200;

/** From one state to another, or, with `from` the same as `to`, into another mode. */
export interface BreakerMove
  extends Pick<Transition, 'from' | 'to' | 'mode' | 'cause' | 'reason' | 'tooOften'> {
  /** Of the breaker: `route/experiment/variant`. */
  readonly name: string;
  /** ISO 8601. */
  readonly at: string;
}

export class BreakerHistory {
  readonly #clock: Pick<Clock, 'wallMs'>;
  readonly #moves = new Latest<BreakerMove>(MOVES_MAX);

  constructor(clock: Pick<Clock, 'wallMs'>) {
    this.#clock = clock;
  }

  /** A breaker has moved, just now. */
  moved({ breaker, from, to, mode, cause, reason, tooOften }: Transition): void {
    const at = new Date(this.#clock.wallMs()).toISOString();
    this.#moves.add({ name: breaker, from, to, mode, cause, reason, tooOften, at });
  }

  /** The newest first. */
  list(): BreakerMove[] {
    return this.#moves.list();
  }

  /** Told of each move from now on; must not throw. Returns how to stop. */
  subscribe(listener: (move: BreakerMove) => void): () => void {
    return this.#moves.subscribe(listener);
  }
}
