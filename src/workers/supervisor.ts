/**
 * The life of the worker processes: starts them, replaces one that ends, ends one that is stuck, and drains them all.
 * Knows nothing of what they do. One place for each worker; a successor has its predecessor's place.
 *
 * Invariants: a place has at most one process at a time; a process that ends by itself is replaced until `drain` or
 * `stop`, at once the first time and then after growing waits with a limit; every process has ended when `drain`
 * resolves.
 */
import type { Clock } from '../base/clock.ts';
import type { SocketAddress } from '../config/snapshot.ts';
import type { Log } from '../telemetry/log.ts';
import { WorkerLink } from './link.ts';
import type { ToPrimary } from './messages.ts';
import type { StartProcess } from './process.ts';

export interface SupervisorOptions {
  readonly workers: number;
  readonly startProcess: StartProcess;
  readonly clock: Clock;
  readonly log: Log;
  /** The process is loaded and waits for its first message; `first` is what the first one listens on, once it does. */
  readonly onLoaded: (link: WorkerLink, first: Addresses | null) => void;
  /** Of a process that has been told to start; answers and the course of its life apart. */
  readonly onMessage: (link: WorkerLink, message: ToPrimary) => void;
  readonly onServing: (link: WorkerLink) => void;
  readonly onGone: (link: WorkerLink) => void;
}

export type Addresses = Readonly<Record<string, SocketAddress>>;

/** Why a worker ended that was not told to. */
export type EndCause = 'ended' | 'failed' | 'hung' | 'slow-start';

interface Place {
  readonly link: WorkerLink;
  readonly startedMs: number;
  /** Loaded, and then told to start, and then serving. */
  isLoaded: boolean;
  isTold: boolean;
  isServing: boolean;
  /** Why it is about to end, when we know. */
  cause: EndCause | null;
  /** Ends in a row, each soon after the start. */
  readonly quickEnds: number;
}

/** How often the watch looks. */
const BEAT_MS = 1000;
/** Looks without a word from a worker after which it is taken for stuck: its part of the connections gets nowhere. */
const SILENCE_MAX = 10;
/** A worker that does not serve after this many looks will not. */
const START_MAX = 30;
/** A worker that served for this long did not end for a fault in its start. */
const STABLE_MS = 10_000;
const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 5000;
/** What a worker has beyond its time to drain: for what it has to flush. */
const MARGIN_MS = 4000;

/** The wait before a successor, by how many in a row have ended soon after their start. */
export function retryDelayMs(quickEnds: number): number {
  return quickEnds <= 1 ? 0 : Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** (quickEnds - 2));
}

export class Supervisor {
  readonly restarts = new Map<EndCause, number>();
  readonly #options: SupervisorOptions;
  /** Those with a process. */
  readonly #places = new Map<number, Place>();
  /** Those whose next process waits. */
  readonly #retries = new Map<number, NodeJS.Timeout>();
  #first: Addresses | null = null;
  /** Settles `start`; null once it has. */
  #starting: { resolve(addresses: Addresses): void; reject(error: Error): void } | null = null;
  #watch: NodeJS.Timeout | null = null;
  /** No successors any more. */
  #isEnding = false;
  #whenEmpty: (() => void) | null = null;
  #cut = 0;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /**
   * Resolves with what the first one listens on, when all of them serve. They load all at once, but the first one
   * opens its listeners before the others do: a port that the system chose is then the port of all.
   * Rejects when one cannot start; then none is left.
   */
  start(): Promise<Addresses> {
    this.#watch = setInterval(() => this.#beat(), BEAT_MS);
    return new Promise<Addresses>((resolve, reject) => {
      this.#starting = { resolve, reject };
      for (let worker = 1; worker <= this.#options.workers; worker++) this.#spawn(worker, 0);
    });
  }

  /** The process in a place that has been told to start, if there is one. */
  link(worker: number): WorkerLink | undefined {
    const place = this.#places.get(worker);
    return place?.isTold === true ? place.link : undefined;
  }

  /** Those that serve, by place. */
  serving(): WorkerLink[] {
    return this.#those(({ isServing }) => isServing);
  }

  /** Those that have been told to start. */
  told(): WorkerLink[] {
    return this.#those(({ isTold }) => isTold);
  }

  /** All of them, with whether they serve. */
  all(): { readonly link: WorkerLink; readonly isServing: boolean }[] {
    return [...this.#places.values()].map(({ link, isServing }) => ({ link, isServing }));
  }

  /** Each finishes within `timeoutMs`; what has not ended a little later is ended. Answers how many connections were cut. */
  async drain(timeoutMs: number): Promise<number> {
    this.#end();
    if (this.#places.size === 0) return this.#cut;
    const emptied = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    for (const { link, isTold } of this.#places.values()) {
      if (isTold) link.send({ kind: 'drain', timeoutMs });
      else link.process.kill();
    }
    const late = setTimeout(() => this.#endLate(), timeoutMs + MARGIN_MS);
    await emptied;
    clearTimeout(late);
    return this.#cut;
  }

  /** Ends them all at once. */
  stop(): void {
    this.#end();
    for (const { link } of this.#places.values()) link.process.kill();
  }

  #those(is: (place: Place) => boolean): WorkerLink[] {
    return [...this.#places.values()].filter(is).map(({ link }) => link);
  }

  #end(): void {
    this.#isEnding = true;
    if (this.#watch !== null) clearInterval(this.#watch);
    this.#watch = null;
    for (const retry of this.#retries.values()) clearTimeout(retry);
    this.#retries.clear();
  }

  #endLate(): void {
    for (const { link } of this.#places.values()) {
      this.#options.log.error(
        { worker: link.worker },
        `worker ${link.worker} did not drain in time and is ended`,
      );
      link.process.kill();
    }
  }

  #spawn(worker: number, quickEnds: number): void {
    const process = this.#options.startProcess({
      onMessage: (message) => this.#receive(place, message),
      onExit: (how) => this.#exited(place, how),
    });
    const place: Place = {
      link: new WorkerLink(worker, process),
      startedMs: this.#options.clock.now(),
      isLoaded: false,
      isTold: false,
      isServing: false,
      cause: null,
      quickEnds,
    };
    this.#places.set(worker, place);
  }

  #receive(place: Place, message: ToPrimary): void {
    const { link } = place;
    link.silence = 0;
    switch (message.kind) {
      case 'loaded':
        place.isLoaded = true;
        this.#tellWhenReady(place);
        return;
      case 'serving':
        place.isServing = true;
        link.adopted(message.version);
        this.#options.onServing(link);
        this.#started(message.addresses);
        return;
      case 'failed':
        place.cause = 'failed';
        this.#options.log.error(
          { worker: link.worker },
          `worker ${link.worker} cannot start: ${message.message}`,
        );
        this.#startFailed(message.message);
        return;
      case 'adopted':
        link.adopted(message.version);
        break;
      case 'answer':
        link.answered(message);
        return;
      case 'drained':
        this.#cut += message.cut;
    }
    this.#options.onMessage(link, message);
  }

  /** The others wait until it is known what the first one listens on. */
  #tellWhenReady(place: Place): void {
    if (!place.isLoaded || place.isTold || this.#isEnding) return;
    if (this.#first === null && place.link.worker !== 1) return;
    place.isTold = true;
    this.#options.onLoaded(place.link, this.#first);
  }

  #started(addresses: Addresses): void {
    if (this.#first === null) {
      this.#first = addresses;
      for (const place of this.#places.values()) this.#tellWhenReady(place);
    }
    if (this.serving().length < this.#options.workers) return;
    this.#starting?.resolve(this.#first);
    this.#starting = null;
  }

  #startFailed(why: string): void {
    if (this.#starting === null) return;
    this.#starting.reject(new Error(why));
    this.#starting = null;
    this.stop();
  }

  #exited(place: Place, how: string): void {
    const { link } = place;
    const { worker } = link;
    this.#places.delete(worker);
    link.gone();
    if (place.isTold) this.#options.onGone(link);
    this.#startFailed(`a worker ended before it served (${how})`);
    if (this.#isEnding) {
      if (this.#places.size === 0) this.#whenEmpty?.();
      return;
    }
    const cause = place.cause ?? 'ended';
    this.restarts.set(cause, (this.restarts.get(cause) ?? 0) + 1);
    const livedMs = this.#options.clock.now() - place.startedMs;
    const quickEnds = livedMs < STABLE_MS ? place.quickEnds + 1 : 1;
    const delayMs = retryDelayMs(quickEnds);
    const facts = { worker, pid: link.process.pid, cause, livedMs: Math.round(livedMs), delayMs };
    this.#options.log.error(facts, `worker ${worker} ended (${how}); its successor starts in ${delayMs} ms`);
    const start = (): void => {
      this.#retries.delete(worker);
      this.#spawn(worker, quickEnds);
    };
    this.#retries.set(worker, setTimeout(start, delayMs));
  }

  #beat(): void {
    for (const place of this.#places.values()) {
      const { link } = place;
      const limit = place.isServing ? SILENCE_MAX : START_MAX;
      if (++link.silence <= limit) {
        if (place.isServing) void link.ask('sign', BEAT_MS);
        continue;
      }
      place.cause ??= place.isServing ? 'hung' : 'slow-start';
      const what = place.isServing ? 'has said nothing' : 'has not begun to serve';
      this.#options.log.error(
        { worker: link.worker },
        `worker ${link.worker} ${what} for ${limit} s and is ended`,
      );
      link.process.kill();
    }
  }
}
