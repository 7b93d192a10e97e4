/**
 * How often an address may come with a wrong token: a few times at once, then once a second. Who has used that up is
 * not looked at, right token or wrong, so that tokens cannot be tried out. Told the time; remembers so many addresses.
 */

const BURST = 20;
/** Attempts come back one a second. */
const REFILL_MS = 1000;
/** The address that failed longest ago is forgotten first. */
const ADDRESSES_MAX = 1000;

export class FailedAttempts {
  /** By address: the time at which nothing is held against it any more. */
  readonly #until = new Map<string, number>();

  /** Seconds to wait; 0: its token is looked at. */
  waitSeconds(address: string, nowMs: number): number {
    const overMs = (this.#until.get(address) ?? 0) - nowMs - (BURST - 1) * REFILL_MS;
    return Math.max(0, Math.ceil(overMs / 1000));
  }

  /** A token from there was wrong. */
  failed(address: string, nowMs: number): void {
    const until = Math.max(this.#until.get(address) ?? 0, nowMs) + REFILL_MS;
    this.#until.delete(address);
    this.#until.set(address, until);
    if (this.#until.size <= ADDRESSES_MAX) return;
    const [oldest] = this.#until.keys();
    if (oldest !== undefined) this.#until.delete(oldest);
  }
}
