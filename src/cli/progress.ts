/**
 * How far long work has come, as one line on stderr that is drawn over: only at a terminal, not before it has taken a
 * second, at most ten times a second, and gone when the work is done.
 */
import { type Clock, systemClock } from '../base/clock.ts';
import type { Io } from './io.ts';
import { wholeText } from './live-text.ts';

const QUIET_MS = 1000;
const EVERY_MS = 100;
const CLEAR = '\r\u001b[K';

export class Progress {
  readonly #io: Pick<Io, 'err' | 'isTerminal'>;
  readonly #what: string;
  /** Null: nobody knows how much there is. */
  readonly #total: number | null;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #beganMs: number;
  #drawnMs = Number.NEGATIVE_INFINITY;

  constructor(
    io: Pick<Io, 'err' | 'isTerminal'>,
    what: string,
    total: number | null,
    clock: Pick<Clock, 'now'> = systemClock,
  ) {
    this.#io = io;
    this.#what = what;
    this.#total = total;
    this.#clock = clock;
    this.#beganMs = clock.now();
  }

  /** So much of the total. Reads a clock: not for every one of millions. */
  reached(done: number): void {
    if (!this.#io.isTerminal) return;
    const nowMs = this.#clock.now();
    if (nowMs - this.#beganMs < QUIET_MS || nowMs - this.#drawnMs < EVERY_MS) return;
    this.#drawnMs = nowMs;
    const of = this.#total === null ? '' : ` of ${wholeText(this.#total)} (${this.#percent(done)}%)`;
    this.#io.err(`${CLEAR}${this.#what}: ${wholeText(done)}${of}`);
  }

  /** It is over, however it ended. */
  end(): void {
    if (this.#drawnMs > Number.NEGATIVE_INFINITY) this.#io.err(CLEAR);
    this.#drawnMs = Number.NEGATIVE_INFINITY;
  }

  #percent(done: number): number {
    return Math.floor((100 * done) / Math.max(1, this.#total!));
  }
}
