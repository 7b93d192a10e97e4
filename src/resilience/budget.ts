/**
 * The retry budget: retries may add only a share to the load, so that an upstream in trouble is not given twice the
 * work. Told the time; fixed memory. Never judges whether a retry is right (`retry.ts`), only whether one is left.
 *
 * As in Finagle and Linkerd: over a window, retries <= ratio x requests + a minimum per second. The minimum lets a
 * quiet route retry at all; it may be spent at once.
 */
import { Window } from '../base/window.ts';

export interface RetryBudgetSettings {
  /** Retries allowed per request, e.g. 0.2. */
  readonly ratio: number;
  /** Retries allowed each second however few requests there are. */
  readonly minimumPerSecond: number;
  readonly windowMs: number;
}

/** Envoy's and Linkerd's share, over Linkerd's window. */
export const DEFAULT_RETRY_BUDGET: RetryBudgetSettings = {
  ratio: 0.2,
  minimumPerSecond: 3,
  windowMs: 10_000,
};

const REQUESTS = 0;
const RETRIES = 1;

/** A budget as people see it. */
export interface RetryBudgetView {
  readonly requests: number;
  readonly retries: number;
  /** Whole retries that are left now. */
  readonly left: number;
}

/** The retries of one upstream, or of whatever shares one. */
export class RetryBudget {
  readonly #settings: RetryBudgetSettings;
  readonly #window: Window;
  /** What the minimum adds up to over the window. */
  readonly #floor: number;

  constructor(settings: RetryBudgetSettings = DEFAULT_RETRY_BUDGET) {
    this.#settings = settings;
    this.#window = new Window(settings.windowMs, 2);
    this.#floor = (settings.minimumPerSecond * settings.windowMs) / 1000;
  }

  /** Count a first attempt. Hot. */
  request(nowMs: number): void {
    this.#window.add(nowMs, REQUESTS);
  }

  /** Spend one retry if one is left; false: do not retry. */
  take(nowMs: number): boolean {
    this.#window.advance(nowMs);
    if (this.#left() < 1) return false;
    this.#window.add(nowMs, RETRIES);
    return true;
  }

  view(nowMs: number): RetryBudgetView {
    this.#window.advance(nowMs);
    return {
      requests: this.#window.total(REQUESTS),
      retries: this.#window.total(RETRIES),
      left: Math.max(0, Math.floor(this.#left())),
    };
  }

  #left(): number {
    return this.#floor + this.#settings.ratio * this.#window.total(REQUESTS) - this.#window.total(RETRIES);
  }
}
