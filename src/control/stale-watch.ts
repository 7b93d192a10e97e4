/**
 * Says once of every experiment that has run for longer than it should, and again when it was put right and went stale
 * a second time. Looks at the hour, and when there are new rules; ends nothing: that is `endsAt`.
 */

/** Staleness is counted in days. */
const LOOK_MS = 3_600_000;

export interface StaleWatchOptions {
  /** Names of the experiments that are stale now. */
  readonly stale: () => readonly string[];
  /** Must not throw. */
  readonly onStale: (experiment: string) => void;
  readonly everyMs?: number;
}

/** Looks until `close`. Keeps no process alive. */
export class StaleWatch {
  readonly #options: StaleWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #told: ReadonlySet<string> = new Set();

  constructor(options: StaleWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.look(), options.everyMs ?? LOOK_MS);
    this.#timer.unref();
    this.look();
  }

  /** Looks now. */
  look(): void {
    const stale = this.#options.stale();
    const told = this.#told;
    this.#told = new Set(stale);
    for (const name of stale) if (!told.has(name)) this.#options.onStale(name);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
