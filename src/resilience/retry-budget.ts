/**
 * How many more requests than it was sent an upstream may get by being asked again: a share of those of the last ten
 * seconds, and a few in any case, so that one that is seldom asked can be asked twice. When everything fails, retries
 * are this share of the load and not a multiple of it. Each upstream has its own, so the retries of a bad variant
 * take nothing from those of control. Told the time; memory is fixed.
 */
import { Window } from '../base/window.ts';

export interface RetryBudgetSettings {
  /** Of the requests: 0.2 lets every fifth be followed by another. */
  readonly ratio: number;
  /** And this many in a second, whatever the requests are. */
  readonly minPerSecond: number;
}

/** Long enough that the minimum can be used at once when it is needed. */
const WINDOW_MS = 10_000;

const REQUESTS = 0;
const RETRIES = 1;

export class RetryBudget {
  readonly #window = new Window(WINDOW_MS, 2);
  #settings: RetryBudgetSettings;

  constructor(settings: RetryBudgetSettings) {
    this.#settings = settings;
  }

  /** Other settings from now on; what was counted stays. */
  reconfigure(settings: RetryBudgetSettings): void {
    this.#settings = settings;
  }

  /** A request goes to the upstream for the first time. */
  request(nowMs: number): void {
    this.#window.add(nowMs, REQUESTS);
  }

  /** May one be followed by another? True spends it. */
  take(nowMs: number): boolean {
    const window = this.#window;
    window.advance(nowMs);
    const { ratio, minPerSecond } = this.#settings;
    const allowed = ratio * window.total(REQUESTS) + (minPerSecond * WINDOW_MS) / 1000;
    if (window.total(RETRIES) + 1 > allowed) return false;
    window.add(nowMs, RETRIES);
    return true;
  }
}
