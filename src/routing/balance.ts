/**
 * Which endpoint is next, out of those that may be used. Pure: entropy and time are arguments, what is known of an
 * endpoint is read from it, and only the turn is remembered. Never looks at whether an endpoint may be used.
 *
 * `leastRequest` and `peakEwma` compare two endpoints, one in turn and one at random (Mitzenmacher's two choices):
 * with nothing to tell them apart they come round in turn, under load the busier half of every pair is spared.
 */
import type { Random } from '../base/clock.ts';

export type BalancePolicy = 'roundRobin' | 'leastRequest' | 'peakEwma' | 'ringHash';

/** What choosing needs to know of an endpoint. */
export interface Candidate {
  /** Requests that it is busy with, or that wait for it. */
  readonly inFlight: number;
  /** How much of its share it gets: below 1 during slow start, never 0. */
  weight(nowMs: number): number;
  /** How long its answers take, decayed to now; below 0: nobody knows yet. */
  latencyMs(nowMs: number): number;
}

/** An endpoint that nothing is known of gets one request, and the next when that has been answered. */
const UNKNOWN_BUSY_MS = 1e9;

/** Keeps estimates that have faded, or were never above nothing, apart by what is in flight. */
const LATENCY_MIN_MS = 0.1;

export class Balancer<T extends Candidate> {
  readonly #policy: BalancePolicy;
  readonly #random: Random;
  #turn: number;

  /** @param random also gives the first turn, so that the sidecars of a fleet do not all begin with one endpoint. */
  constructor(policy: BalancePolicy, random: Random) {
    this.#policy = policy;
    this.#random = random;
    this.#turn = Math.floor(random.next() * 0x10000);
  }

  /**
   * One of `usable`, of which there is at least one. `takesTurn`: false for a second try, which would otherwise send
   * every first one to the dead one of two endpoints. `isWarming`: any of them may have a weight below 1.
   */
  choose(usable: readonly T[], takesTurn: boolean, isWarming: boolean, nowMs: number): T {
    const turn = isWarming ? this.#nextLetIn(usable, nowMs) : this.#turn + 1;
    if (takesTurn) this.#turn = turn;
    const count = usable.length;
    const at = turn % count;
    const first = usable[at]!;
    if (count === 1 || this.#policy === 'roundRobin') return first;
    const other = usable[(at + 1 + Math.floor(this.#random.next() * (count - 1))) % count]!;
    if (isWarming && !this.#isLetIn(other, nowMs)) return first;
    if (this.#policy === 'peakEwma') return cost(other, nowMs) < cost(first, nowMs) ? other : first;
    return other.inFlight < first.inFlight ? other : first;
  }

  /** The next turn of somebody who is let in; of a round in which nobody is, the first. */
  #nextLetIn(usable: readonly T[], nowMs: number): number {
    const next = this.#turn + 1;
    for (let step = 0; step < usable.length; step++)
      if (this.#isLetIn(usable[(next + step) % usable.length]!, nowMs)) return next + step;
    return next;
  }

  #isLetIn(candidate: T, nowMs: number): boolean {
    const weight = candidate.weight(nowMs);
    return weight >= 1 || this.#random.next() < weight;
  }
}

/** What a request would wait for: the time of an answer, once for each that is before it and once for its own. */
function cost(candidate: Candidate, nowMs: number): number {
  const { inFlight } = candidate;
  const latencyMs = candidate.latencyMs(nowMs);
  if (latencyMs < 0) return inFlight * UNKNOWN_BUSY_MS;
  return Math.max(latencyMs, LATENCY_MIN_MS) * (inFlight + 1);
}
