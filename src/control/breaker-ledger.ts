/**
 * What breakers have spent and how often they have opened, kept over restarts: read from them once a minute, a few at a
 * time so that no request waits for it, handed to the state file when there is something new, and given back to a breaker
 * of the same name. What is kept are ages, from a point of the wall clock: while it runs, no jump of that clock matters;
 * over a restart a clock that was set back makes no time pass at all, so no budget is filled by it.
 */
import type { Clock } from '../base/clock.ts';
import type { KeptBreaker } from '../resilience/breaker.ts';
import type { BreakerMemory } from '../resilience/breaker-view.ts';
import { breakerLine } from './state-file.ts';

/** A round of all breakers takes as many turns as a minute has, or as few as there are breakers. */
const TURN_MS = 1_000;
const ROUND_TURNS = 60;
/** A few kilobytes each: beyond this many, those that were read out the longest ago are no longer kept. */
export const KEPT_MAX = 2_000;

/** As it is in the state file. */
export interface SavedBreaker extends KeptBreaker {
  /** When it was read out; ISO 8601. */
  readonly at: string;
}

export type Memories = ReadonlyMap<string, BreakerMemory>;

export interface BreakerLedgerOptions {
  readonly clock: Clock;
  /** Of the state file. */
  readonly saved: ReadonlyMap<string, SavedBreaker>;
  /** All that is kept, by `breakerLine`. */
  readonly onChange: (lines: readonly string[]) => void;
}

interface Entry {
  readonly saved: SavedBreaker;
  readonly line: string;
}

export class BreakerLedger {
  readonly #options: BreakerLedgerOptions;
  readonly #entries: Map<string, Entry>;
  /** `changes` when they were last read. */
  readonly #known = new WeakMap<BreakerMemory, number>();
  #read: () => Memories = () => new Map();
  /** Before other rules come into force. */
  #before: Memories = new Map();
  /** What is still to be read in this round. */
  #round: [string, BreakerMemory][] = [];
  #perTurn = 1;
  #turn = 0;
  #isNew = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: BreakerLedgerOptions) {
    this.#options = options;
    const entries = Array.from(options.saved, ([name, saved]): [string, Entry] => [
      name,
      { saved, line: breakerLine(name, saved) },
    ]);
    this.#entries = new Map(entries);
  }

  /** From now on `read` is asked who has something to keep. */
  start(read: () => Memories): void {
    this.#read = read;
    this.#timer = setInterval(() => this.#takeTurn(), TURN_MS);
    this.#timer.unref();
  }

  /** What is known of the breaker of this name, and how long ago that was; null: nothing. */
  remembered(name: string): { readonly kept: KeptBreaker; readonly agoMs: number } | null {
    const saved = this.#entries.get(name)?.saved;
    if (saved === undefined) return null;
    return { kept: saved, agoMs: Math.max(0, this.#options.clock.wallMs() - Date.parse(saved.at)) };
  }

  /** Other rules come into force: who goes with those of before is read by `adopted`. */
  prepare(): void {
    this.#before = this.#read();
  }

  adopted(): void {
    const now = this.#read();
    for (const [name, memory] of this.#before) if (!now.has(name)) this.#take(name, memory);
    this.#before = new Map();
    this.#publish();
  }

  /** Read everything for the last time. */
  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    for (const [name, memory] of this.#read()) this.#take(name, memory);
    this.#publish();
  }

  #takeTurn(): void {
    if (this.#turn === 0) {
      this.#round = [...this.#read()];
      this.#perTurn = Math.ceil(this.#round.length / ROUND_TURNS);
    }
    this.#turn = (this.#turn + 1) % ROUND_TURNS;
    for (const [name, memory] of this.#round.splice(0, this.#perTurn)) this.#take(name, memory);
    if (this.#round.length === 0) this.#publish();
  }

  #take(name: string, memory: BreakerMemory): void {
    if (this.#known.get(memory) === memory.changes) return;
    this.#known.set(memory, memory.changes);
    const { clock } = this.#options;
    const at = new Date(clock.wallMs()).toISOString();
    const saved: SavedBreaker = { ...memory.keep(clock.now()), at };
    this.#entries.delete(name);
    this.#entries.set(name, { saved, line: breakerLine(name, saved) });
    this.#isNew = true;
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > KEPT_MAX) this.#entries.delete(oldest!);
  }

  #publish(): void {
    if (!this.#isNew) return;
    this.#isNew = false;
    this.#options.onChange(Array.from(this.#entries.values(), ({ line }) => line));
  }
}
