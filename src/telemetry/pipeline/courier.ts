/**
 * Takes the events of a spool to one destination, in order and one batch at a time, each until it is taken: with growing
 * waits, as long as it takes. What the destination refuses for good is lost and counted, so that it cannot hold up the
 * rest. In memory is one batch, whatever happens.
 */
import type { Clock, Random } from '../../base/clock.ts';
import type { Destination } from './destination.ts';
import type { SpoolReader } from './spool-reader.ts';
import type { RecordLimits } from './spool-record.ts';

/** The first wait; then 1, 2, 4, ... seconds, up to a minute, each up to half as long again. */
const WAIT_MS = 1000;
const WAIT_MAX_MS = 60_000;
/** Our events say their time within so many bytes. */
const TIME_WITHIN = 1024;
/** What a destination may ask for. */
const ASKED_MAX_MS = 5 * 60_000;

export interface CourierOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: RecordLimits;
  /** One sentence, when a destination begins to fail and when it works again. */
  readonly onProblem: (sentence: string) => void;
  readonly waitMs?: number;
}

export class Courier {
  readonly name: string;
  /** Events that were taken. */
  sent = 0;
  /** Events that were refused for good, or could not be read. */
  refused = 0;
  broken = 0;
  /** Attempts that came to nothing. */
  failures = 0;
  readonly #reader: SpoolReader;
  readonly #destination: Destination;
  readonly #options: CourierOptions;
  readonly #closing = new AbortController();
  #isFailing = false;
  /** When the oldest event that is not taken was recorded, milliseconds since the epoch; null: there is none. */
  #oldestMs: number | null = null;
  readonly #running: Promise<void>;

  constructor(reader: SpoolReader, destination: Destination, options: CourierOptions) {
    this.name = reader.name;
    this.#reader = reader;
    this.#destination = destination;
    this.#options = options;
    this.#running = this.#run();
  }

  /** Lost on the way here: dropped from a full spool, unreadable, or refused. */
  get lost(): number {
    return this.#reader.lost + this.refused + this.broken;
  }

  get droppedBySpool(): number {
    return this.#reader.lost;
  }

  get backlogBytes(): number {
    return this.#reader.backlogBytes;
  }

  get isFailing(): boolean {
    return this.#isFailing;
  }

  /** How old the oldest event is that is not taken, in milliseconds; 0: there is none. */
  oldestAgeMs(wallMs: number): number {
    return this.#oldestMs === null ? 0 : Math.max(0, wallMs - this.#oldestMs);
  }

  /** Ends within what an attempt may take; what is not taken stays in the spool. Never rejects. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#reader.close();
    await this.#running;
    await this.#destination.close();
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        const batch = await this.#reader.next(this.#options.limits);
        if (batch === null) return;
        if (batch.events.length > 0) {
          this.#oldestMs ??= timeOf(batch.events[0]!);
          if (!(await this.#deliver(batch.events))) return;
        }
        this.broken += batch.broken;
        this.#oldestMs = null;
        this.#reader.acknowledge(batch.end);
      } catch (error) {
        await this.#failed(`the spool cannot be read (${(error as NodeJS.ErrnoException).code})`, 1);
      }
    }
  }

  /** False: closed before they were taken. */
  async #deliver(events: readonly Buffer[]): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      const verdict = await this.#destination.send(events, this.#closing.signal);
      switch (verdict.kind) {
        case 'taken':
          this.sent += events.length;
          this.#recovered();
          return true;
        case 'too-large':
          if (events.length > 1) return this.#deliverInHalves(events);
          return this.#refuse(events, 'one event alone is too large for it');
        case 'refused':
          return this.#refuse(events, verdict.problem);
        case 'later':
          if (this.#closing.signal.aborted) return false;
          await this.#failed(verdict.problem, attempt, verdict);
          if (this.#closing.signal.aborted) return false;
      }
    }
  }

  async #deliverInHalves(events: readonly Buffer[]): Promise<boolean> {
    const middle = events.length >> 1;
    return (await this.#deliver(events.slice(0, middle))) && this.#deliver(events.slice(middle));
  }

  #refuse(events: readonly Buffer[], problem: string): true {
    this.failures++;
    this.refused += events.length;
    this.#report(`${problem}; ${events.length} events are lost to it`);
    return true;
  }

  async #failed(
    problem: string,
    attempt: number,
    { waitMs }: { readonly waitMs?: number } = {},
  ): Promise<void> {
    this.failures++;
    this.#report(`${problem}; events are kept while they fit`);
    const { random } = this.#options;
    const baseMs = Math.min(WAIT_MAX_MS, (this.#options.waitMs ?? WAIT_MS) * 2 ** Math.min(attempt - 1, 16));
    const askedMs = Math.min(ASKED_MAX_MS, waitMs ?? 0);
    await pause(Math.max(askedMs, baseMs) * (1 + 0.5 * random.next()), this.#closing.signal);
  }

  /** The first of a row of failures is said. */
  #report(problem: string): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#options.onProblem(`the sink ${this.name} takes no events: ${problem}`);
  }

  #recovered(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#options.onProblem(`the sink ${this.name} takes events again; ${this.lost} were lost to it so far`);
  }
}

/** Ends early when `signal` is aborted. */
function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    timer.unref();
    signal.addEventListener('abort', done);
  });
}

/** When an event was recorded, milliseconds since the epoch; null: it does not say. */
function timeOf(event: Buffer): number | null {
  const match = /"time":"([^"]{1,40})"/.exec(event.toString('latin1', 0, TIME_WITHIN));
  const atMs = match === null ? Number.NaN : Date.parse(match[1]!);
  return Number.isNaN(atMs) ? null : atMs;
}
