/** Simulated traffic through one breaker: seeded, on a manual clock of whole milliseconds, no sockets, no waiting. */
import { Breaker, type BreakerSettings, Call, type Transition } from '../../src/resilience/breaker.ts';
import type { Outcome } from '../../src/resilience/outcome.ts';
import { seededRandom } from './seeded-random.ts';

/** What the service does with one call. */
export interface Served {
  readonly durationMs: number;
  readonly outcome: Outcome;
}

/** How the service behaves at a moment, given entropy. */
export type Service = (atMs: number, random: () => number) => Served;

export interface Traffic {
  readonly settings: BreakerSettings;
  readonly seed: number;
  readonly callsPerSecond: number;
  readonly lengthMs: number;
  readonly service: Service;
}

export interface Trace {
  readonly moves: readonly Transition[];
  /** Calls let through, and of those the ones that did not end `ok`. */
  readonly admitted: number;
  readonly bad: number;
  readonly turnedAway: number;
}

/** As often as the proxy does it, at the slow end. */
const TICK_MS = 50;

/** Poisson arrivals; each admitted call is settled when the service is done with it. */
export function simulate({ settings, seed, callsPerSecond, lengthMs, service }: Traffic): Trace {
  const random = seededRandom(seed);
  const moves: Transition[] = [];
  const breaker = new Breaker(`seed ${seed}`, settings, random, (move) => moves.push(move));
  const ends = new Map<number, { call: Call; outcome: Outcome }[]>();
  let [admitted, bad, turnedAway, nextMs] = [0, 0, 0, 0];
  for (let nowMs = 0; nowMs <= lengthMs; nowMs++) {
    for (const { call, outcome } of ends.get(nowMs) ?? []) breaker.settle(call, outcome, nowMs);
    ends.delete(nowMs);
    if (nowMs % TICK_MS === 0) breaker.tick(nowMs);
    while (nextMs <= nowMs) {
      nextMs += (-Math.log(1 - random.next()) * 1_000) / callsPerSecond;
      const call = new Call();
      if (!breaker.admit(call, nowMs)) {
        turnedAway++;
        continue;
      }
      const { durationMs, outcome } = service(nowMs, random.next);
      admitted++;
      if (outcome !== 'ok') bad++;
      const endMs = nowMs + Math.max(1, Math.round(durationMs));
      ends.set(endMs, [...(ends.get(endMs) ?? []), { call, outcome }]);
    }
  }
  return { moves, admitted, bad, turnedAway };
}

/** Log-normal durations: `medianMs`, and a sigma of 0.5, so that p99 is 3.2 medians. */
export function logNormalMs(medianMs: number, random: () => number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return medianMs * Math.exp(0.5 * normal);
}

/** Median 260 ms: over a threshold of 250 ms for half of the calls. */
export const brownOut: Service = (_, random) => {
  const durationMs = logNormalMs(260, random);
  return { durationMs, outcome: durationMs > 250 ? 'slow' : 'ok' };
};

/** Nothing comes back until the proxy gives up after 30 s. */
export const hang: Service = () => ({ durationMs: 30_000, outcome: 'failure' });

/** Healthy until the fault begins. */
export function sickens(fromMs: number, healthy: Service, fault: Service): Service {
  return (atMs, random) => (atMs < fromMs ? healthy(atMs, random) : fault(atMs, random));
}

/** Two seconds bad, two seconds good. */
export function flapping(bad: Service, good: Service): Service {
  return (atMs, random) => (atMs % 4_000 < 2_000 ? bad : good)(atMs, random);
}
