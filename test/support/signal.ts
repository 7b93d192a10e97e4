/** Waiting for what events make true, with a patience that a pause of the machine does not use up. */

/**
 * How long a test waits for what is to happen at once. Less than `requestHead`, the shortest time after which Fairlead
 * would end by itself what nobody ends.
 */
export const WAIT_MS = 9_000;

/** A pause counts as so much at most: what happened meanwhile is still to be read when it is over. */
const PAUSE_MAX_MS = 500;

/** Waits for a condition that events may make true. Nothing polls. */
export class Signal {
  #waiting: (() => void)[] = [];

  /** Something has changed. */
  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Resolves when `condition` holds; rejects with `what` when this process has waited for `timeoutMs`. */
  async until(condition: () => boolean, what: () => string, timeoutMs = WAIT_MS): Promise<void> {
    let leftMs = timeoutMs;
    while (!condition()) {
      if (leftMs <= 0) throw new Error(`Timed out waiting: ${what()}`);
      const fromMs = performance.now();
      await this.#change(Math.min(leftMs, PAUSE_MAX_MS));
      leftMs -= Math.min(performance.now() - fromMs, PAUSE_MAX_MS);
    }
  }

  /** Resolves when something has changed, or so much later. */
  #change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((one) => one !== wake);
        resolve();
      }, ms);
      const wake = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.push(wake);
    });
  }
}
