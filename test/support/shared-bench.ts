/** A breaker shared by several workers: a manual clock, and a wire to each worker that delivers in order, late. */
import { Breaker, type BreakerSettings, Call, type Transition } from '../../src/resilience/breaker.ts';
import type { Outcome } from '../../src/resilience/outcome.ts';
import { SharedBreaker } from '../../src/resilience/shared-breaker.ts';
import { SETTINGS } from './breaker-bench.ts';
import { seededRandom } from './seeded-random.ts';

const NAME = 'api/ranking/candidate';
/** As the workers and the primary do it. */
const REPORT_MS = 50;
const PASS_ON_MS = 25;

export interface SharedBenchOptions {
  readonly workers: number;
  readonly settings?: BreakerSettings;
  /** How long a message is under way. */
  readonly wireMs?: number;
  readonly seed?: number;
}

export class SharedBench {
  nowMs = 0;
  readonly moves: Transition[] = [];
  readonly shared: SharedBreaker;
  readonly workers = new Map<number, Breaker>();
  readonly #settings: BreakerSettings;
  readonly #wireMs: number;
  readonly #random: ReturnType<typeof seededRandom>;
  /** What is under way, in the order it was sent. */
  #wire: { readonly atMs: number; readonly deliver: () => void }[] = [];
  #era = 0;

  constructor({ workers, settings = SETTINGS, wireMs = 2, seed = 1 }: SharedBenchOptions) {
    this.#settings = settings;
    this.#wireMs = wireMs;
    this.#random = seededRandom(seed);
    this.shared = new SharedBreaker(NAME, settings, {
      nextEra: () => ++this.#era,
      random: this.#random,
      onTransition: (move) => this.moves.push(move),
      onStanding: (worker, standing) =>
        this.#send(() => this.workers.get(worker)?.follow(standing, this.nowMs)),
    });
    for (let worker = 1; worker <= workers; worker++) this.join(worker);
    this.wait(wireMs);
  }

  join(worker: number): void {
    const breaker = new Breaker(
      NAME,
      this.#settings,
      this.#random,
      ({ to, cause, reason }) => {
        if (to !== 'open') return;
        const opening = breaker.opening(this.nowMs);
        this.#send(() => {
          this.shared.opened({ breaker: NAME, cause: cause as 'error-rate', reason, ...opening }, this.nowMs);
        });
      },
      true,
    );
    this.workers.set(worker, breaker);
    this.shared.join(worker, this.nowMs);
  }

  /** The worker is gone, with everything it had not told. */
  crash(worker: number): void {
    this.workers.delete(worker);
    this.shared.leave(worker, this.nowMs);
  }

  worker(id: number): Breaker {
    return this.workers.get(id)!;
  }

  /** What each worker's breaker is, in the order of the workers. */
  states(): string[] {
    return [...this.workers.values()].map(({ state }) => state);
  }

  /** Calls that end after `ms`, which do not pass; answers how many were let through. */
  run(worker: number, count: number, outcome: Outcome, ms = 0): number {
    let admitted = 0;
    for (let i = 0; i < count; i++) {
      const call = new Call();
      if (!this.worker(worker).admit(call, this.nowMs)) continue;
      admitted++;
      if (ms > 0) this.worker(worker).answered(call, this.nowMs + ms);
      this.worker(worker).settle(call, outcome, this.nowMs);
    }
    return admitted;
  }

  /** Calls that stay in flight, those that were let through. */
  start(worker: number, count: number): Call[] {
    return Array.from({ length: count }, () => new Call()).filter((call) =>
      this.worker(worker).admit(call, this.nowMs),
    );
  }

  wait(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) this.step();
  }

  /** Until all that was counted so far is known everywhere. */
  spread(): void {
    this.wait(REPORT_MS + PASS_ON_MS + 2 * this.#wireMs);
  }

  /** One millisecond. */
  step(): void {
    this.nowMs++;
    this.#deliver();
    for (const [id, breaker] of this.workers) {
      // Each process has its own phase.
      if ((this.nowMs + id * 7) % REPORT_MS === 0) this.#tick(id, breaker);
    }
    if (this.nowMs % PASS_ON_MS === 0) this.#passOn();
  }

  #tick(id: number, breaker: Breaker): void {
    breaker.tick(this.nowMs);
    const report = breaker.report(this.nowMs);
    if (report !== null) this.#send(() => this.shared.report(id, report, this.nowMs));
  }

  #passOn(): void {
    this.shared.tick(this.nowMs);
    for (const id of this.workers.keys()) {
      const elsewhere = this.shared.takeElsewhere(id);
      if (elsewhere !== null) this.#send(() => this.workers.get(id)?.merge(elsewhere, this.nowMs));
    }
  }

  #send(deliver: () => void): void {
    this.#wire.push({ atMs: this.nowMs + this.#wireMs, deliver });
  }

  #deliver(): void {
    while (this.#wire[0] !== undefined && this.#wire[0].atMs <= this.nowMs) this.#wire.shift()!.deliver();
  }
}
