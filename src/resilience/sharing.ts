/**
 * What the workers of one sidecar tell each other of a breaker that they share, through the primary
 * (`shared-breaker.ts`): plain data, and what one worker has already told.
 *
 * Every worker judges the calls of all of them, and opens at once by itself. Only the primary lets a breaker recover:
 * it says when probes may go, which worker may make how many, and when they have proven enough.
 */
import type { ForceView } from './breaker-view.ts';
import type { Budget } from './budget.ts';
import type { CircuitState } from './circuit.ts';
import type { Evidence, Tally, TripCause } from './evidence.ts';
import type { Probes } from './probes.ts';
import type { Spent } from './span-ring.ts';

/** Where a breaker stands, as the primary says to one worker. Times are lengths: workers have clocks of their own. */
export interface Standing {
  readonly breaker: string;
  /** A number of this move and no other; what was counted under another one counts for nothing. */
  readonly era: number;
  readonly state: CircuitState;
  readonly reason: string;
  /** From now; 0 unless open. */
  readonly openForMs: number;
  /** What a person has asked for, and for how long from now; null: nothing. */
  readonly force: ForceView | null;
  /** Openings in a row: the exponent of the back-off. */
  readonly openings: number;
  /** Probes that this worker may make; 0 unless half-open. */
  readonly slots: number;
}

/** A worker has opened a breaker that stood at `era`. */
export interface Opening {
  readonly breaker: string;
  readonly era: number;
  readonly cause: TripCause | 'probe-failed';
  readonly reason: string;
  readonly openForMs: number;
  readonly openings: number;
}

/** A worker's own calls. All but `calls` say how it is now. */
export interface Report {
  readonly breaker: string;
  readonly era: number;
  /** Finished since the report before; null: none. */
  readonly calls: Tally | null;
  /** Finished since the report before, for the budget, whatever the era; null: none, or there is no budget. */
  readonly spent: Spent | null;
  /** In flight past the slow threshold. */
  readonly overdue: number;
  /** In flight past each level that is counted; see `latencies.ts`. */
  readonly aged: readonly number[];
  /** Why a limit that is reached does not open the breaker; null: none is reached. */
  readonly held: string | null;
  readonly probes: number;
  readonly probesOk: number;
  readonly slots: number;
  /** In its lifetime, with those that only observing let through. */
  readonly turnedAway: number;
}

/** What the other workers have counted, as the primary passes it on. */
export interface Elsewhere {
  readonly breaker: string;
  readonly era: number;
  readonly calls: Tally | null;
  readonly overdue: number;
  readonly aged: readonly number[];
}

/** What a worker's breaker is made of, as far as the others need to know. */
export interface Reported {
  readonly evidence: Evidence;
  readonly aged: readonly number[];
  readonly held: string | null;
  readonly probes: Probes;
  readonly budget: Budget | null;
  readonly turnedAway: number;
}

/** One worker's place in a shared breaker. */
export class Share {
  era = 0;
  /** Probes that may be made here. */
  slots = 0;
  #told: Report | null = null;

  /** Takes what the primary says; true: the breaker has moved. Slots that are in use are not given up. */
  follow(standing: Standing, probesInUse: number): boolean {
    // What was told counts for another era, or the primary waits to hear what became of the slots.
    this.#told = null;
    if (standing.era === this.era) {
      this.slots = Math.max(standing.slots, probesInUse);
      return false;
    }
    this.era = standing.era;
    this.slots = standing.slots;
    return true;
  }

  /** What is new since the last report, or null. */
  report(breaker: string, { evidence, aged, held, probes, budget, turnedAway }: Reported): Report | null {
    const { era, slots } = this;
    const spent = budget?.take() ?? null;
    const { overdue } = evidence;
    const calls = evidence.take();
    const told = this.#told;
    const isTold =
      calls === null &&
      spent === null &&
      told !== null &&
      told.overdue === overdue &&
      told.held === held &&
      told.aged.every((count, level) => count === aged[level]) &&
      told.probes === probes.admitted &&
      told.probesOk === probes.ok &&
      told.slots === slots &&
      told.turnedAway === turnedAway;
    if (isTold) return null;
    this.#told = {
      breaker,
      era,
      calls,
      spent,
      overdue,
      aged,
      held,
      probes: probes.admitted,
      probesOk: probes.ok,
      slots,
      turnedAway,
    };
    return this.#told;
  }
}
