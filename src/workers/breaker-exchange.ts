/**
 * All breakers that the workers share, and who is told what of them: moves at once, counts every 25 ms. A worker has
 * a part in a breaker from when it works by rules that have it. The rules themselves are `resilience/shared-breaker.ts`.
 */
import type { Clock, Random } from '../base/clock.ts';
import type { WantedBreaker } from '../config/breakers.ts';
import type { BreakerSettings, KeptBreaker, Transition } from '../resilience/breaker.ts';
import type { BreakerMemory } from '../resilience/breaker-view.ts';
import type { ForceKind } from '../resilience/mode.ts';
import { SharedBreaker } from '../resilience/shared-breaker.ts';
import type { Elsewhere, Opening, Report, Standing } from '../resilience/sharing.ts';
import type { ToWorker } from './messages.ts';

/** The counts of a worker reach the others in two of these ticks and its own of 50 ms, at the longest. */
const TICK_MS = 25;

export interface BreakerExchangeOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly send: (worker: number, message: ToWorker) => void;
  readonly onTransition: (transition: Transition) => void;
  /** What is known of the breaker of this name from before, and how long before; null: nothing. */
  readonly remembered?: (name: string) => { readonly kept: KeptBreaker; readonly agoMs: number } | null;
}

interface Entry {
  readonly breaker: SharedBreaker;
  /** Version of the rules that brought it. */
  readonly version: number;
  readonly workers: Set<number>;
}

export class BreakerExchange {
  readonly #options: BreakerExchangeOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #workers = new Set<number>();
  /** Breakers with counts that somebody has not been told of. */
  readonly #news = new Set<SharedBreaker>();
  #outbox = new Map<number, Standing[]>();
  #era = 0;
  #ticker: NodeJS.Timeout | null = null;

  constructor(options: BreakerExchangeOptions) {
    this.#options = options;
  }

  start(): void {
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  stop(): void {
    if (this.#ticker !== null) clearInterval(this.#ticker);
    this.#ticker = null;
  }

  /** The rules in force have these breakers. One that stays keeps all it knows. */
  configure(wanted: ReadonlyMap<string, WantedBreaker>, version: number): void {
    for (const name of this.#entries.keys()) if (!wanted.has(name)) this.#entries.delete(name);
    for (const [name, { settings }] of wanted) {
      const entry = this.#entries.get(name);
      if (entry !== undefined) entry.breaker.reconfigure(settings, this.#now());
      else this.#entries.set(name, { breaker: this.#make(name, settings), version, workers: new Set() });
    }
    for (const [name, { control }] of wanted) {
      const beside = control === null ? undefined : this.#entries.get(control);
      this.#entries.get(name)?.breaker.compareWith(beside?.breaker ?? null);
    }
    this.#flush();
  }

  /** The worker works by this version of the rules now. */
  adopted(worker: number, version: number): void {
    this.#workers.add(worker);
    for (const entry of this.#entries.values()) {
      if (entry.version > version || entry.workers.has(worker)) continue;
      entry.workers.add(worker);
      entry.breaker.join(worker, this.#now());
      this.#news.add(entry.breaker);
    }
    this.#flush();
  }

  /** The worker is gone. */
  leave(worker: number): void {
    this.#workers.delete(worker);
    for (const entry of this.#entries.values()) {
      if (!entry.workers.delete(worker)) continue;
      entry.breaker.leave(worker, this.#now());
      this.#news.add(entry.breaker);
    }
    this.#flush();
  }

  opened(opening: Opening): void {
    this.#entries.get(opening.breaker)?.breaker.opened(opening, this.#now());
    this.#flush();
  }

  reported(worker: number, reports: readonly Report[]): void {
    for (const report of reports) {
      const breaker = this.#entries.get(report.breaker)?.breaker;
      if (breaker === undefined) continue;
      breaker.report(worker, report, this.#now());
      this.#news.add(breaker);
    }
    this.#flush();
  }

  /** By hand; false: there is none of this name. */
  force(name: string, kind: ForceKind, forMs: number, reason: string): boolean {
    const entry = this.#entries.get(name);
    entry?.breaker.force(kind, this.#now(), reason, forMs);
    this.#flush();
    return entry !== undefined;
  }

  /** By hand; false: there is none of this name. */
  reset(name: string, reason: string): boolean {
    const entry = this.#entries.get(name);
    entry?.breaker.reset(this.#now(), reason);
    this.#flush();
    return entry !== undefined;
  }

  isOpen(breaker: string): boolean {
    return this.#entries.get(breaker)?.breaker.isBarred === true;
  }

  breakers(): SharedBreaker[] {
    return Array.from(this.#entries.values(), ({ breaker }) => breaker);
  }

  /** Those that have something to keep over a restart, by name. */
  keep(): Map<string, BreakerMemory> {
    const worthIt = this.breakers().filter((breaker) => breaker.memory.isWorthKeeping);
    return new Map(worthIt.map((breaker) => [breaker.name, breaker.memory]));
  }

  #make(name: string, settings: BreakerSettings): SharedBreaker {
    const breaker = new SharedBreaker(name, settings, {
      nextEra: () => ++this.#era,
      random: this.#options.random,
      onTransition: this.#options.onTransition,
      onStanding: (worker, standing) => {
        const standings = this.#outbox.get(worker);
        if (standings === undefined) this.#outbox.set(worker, [standing]);
        else standings.push(standing);
      },
    });
    const before = this.#options.remembered?.(name) ?? null;
    if (before !== null) breaker.memory.restore(before.kept, before.agoMs, this.#now());
    return breaker;
  }

  #tick(): void {
    const nowMs = this.#now();
    for (const { breaker } of this.#entries.values()) if (!breaker.isAtRest) breaker.tick(nowMs);
    this.#flush();
    if (this.#news.size === 0) return;
    for (const worker of this.#workers) {
      const breakers: Elsewhere[] = [];
      for (const breaker of this.#news) {
        const elsewhere = breaker.takeElsewhere(worker);
        if (elsewhere !== null) breakers.push(elsewhere);
      }
      if (breakers.length > 0) this.#options.send(worker, { kind: 'elsewhere', breakers });
    }
    this.#news.clear();
  }

  #flush(): void {
    if (this.#outbox.size === 0) return;
    const outbox = this.#outbox;
    this.#outbox = new Map();
    for (const [worker, standings] of outbox) this.#options.send(worker, { kind: 'standings', standings });
  }

  #now(): number {
    return this.#options.clock.now();
  }
}
