/**
 * What breakers have spent and how often they have opened, kept over restarts: read from them once a minute and when
 * the rules change, handed to the state file when it is something new, and given back to a breaker of the same name.
 * What is kept are ages, from a point of the wall clock: while it runs, no jump of that clock matters; over a restart
 * a clock that was set back makes no time pass at all, so no budget is filled by it.
 */
import type { Clock } from '../base/clock.ts';
import type { KeptBreaker } from '../resilience/breaker.ts';

/** What is lost when the process is killed. */
const KEEP_MS = 60_000;
/** A few kilobytes each: beyond this many, those that were read out the longest ago are no longer kept. */
export const KEPT_MAX = 2_000;

/** As it is in the state file. */
export interface SavedBreaker extends KeptBreaker {
  /** When it was read out; ISO 8601. */
  readonly at: string;
}

export interface BreakerLedgerOptions {
  readonly clock: Pick<Clock, 'wallMs'>;
  /** Of the state file. */
  readonly saved: ReadonlyMap<string, SavedBreaker>;
  readonly onChange: (saved: ReadonlyMap<string, SavedBreaker>) => void;
}

export class BreakerLedger {
  readonly #options: BreakerLedgerOptions;
  readonly #saved: Map<string, SavedBreaker>;
  #read: () => ReadonlyMap<string, KeptBreaker> = () => new Map();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: BreakerLedgerOptions) {
    this.#options = options;
    this.#saved = new Map(options.saved);
  }

  /** From now on `read` is asked what there is. */
  start(read: () => ReadonlyMap<string, KeptBreaker>): void {
    this.#read = read;
    this.#timer = setInterval(() => this.keep(), KEEP_MS);
    this.#timer.unref();
  }

  /** What is known of the breaker of this name, and how long ago that was; null: nothing. */
  remembered(name: string): { readonly kept: KeptBreaker; readonly agoMs: number } | null {
    const saved = this.#saved.get(name);
    if (saved === undefined) return null;
    return { kept: saved, agoMs: Math.max(0, this.#options.clock.wallMs() - Date.parse(saved.at)) };
  }

  /** Read it out now. */
  keep(): void {
    const at = new Date(this.#options.clock.wallMs()).toISOString();
    let isNew = false;
    for (const [name, kept] of this.#read()) {
      const before = this.#saved.get(name);
      // Ages alone are nothing new: those of before are as right, from where they were read out.
      if (before !== undefined && countsOf(before) === countsOf(kept)) continue;
      this.#saved.delete(name);
      this.#saved.set(name, { ...kept, at });
      isNew = true;
    }
    for (const name of this.#saved.keys()) {
      if (this.#saved.size <= KEPT_MAX) break;
      this.#saved.delete(name);
    }
    if (isNew) this.#options.onChange(this.#saved);
  }

  /** Read it out for the last time. */
  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.keep();
  }
}

function countsOf({ budget, tripAgesMs }: KeptBreaker): string {
  const spans = budget?.spans.map(({ rows }) => rows.map(([, requests, failures]) => [requests, failures]));
  return JSON.stringify([spans, tripAgesMs.length]);
}
