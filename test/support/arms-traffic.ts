/** Simulated traffic to a candidate beside its control: seeded, on a manual clock, no sockets, no waiting. */
import { Breaker, type BreakerSettings, Call, type Transition } from '../../src/resilience/breaker.ts';
import { seededRandom } from './seeded-random.ts';
import type { Service } from './traffic.ts';

export interface Arm {
  readonly settings: BreakerSettings;
  readonly callsPerSecond: number;
  readonly service: Service;
}

export interface ArmsTraffic {
  readonly candidate: Arm;
  readonly control: Arm;
  readonly seed: number;
  readonly lengthMs: number;
  /** Between two looks; left out: 50 ms, as the proxy does it. */
  readonly tickMs?: number;
  /** Both begin anew when it has opened, and each time so much has passed: how often does it open at all? */
  readonly anewMs?: number;
}

export interface ArmsTrace {
  readonly moves: readonly Transition[];
  /** Calls that the candidate got, and of those the ones that did not end `ok`. */
  readonly admitted: number;
  readonly bad: number;
}

/** Calls are settled in the millisecond they end in; nothing takes longer than this. */
const LONGEST_MS = 32_768;

class SimulatedArm {
  readonly breaker: Breaker;
  admitted = 0;
  bad = 0;
  readonly #arm: Arm;
  readonly #random: () => number;
  readonly #tickMs: number;
  readonly #ends: { call: Call; outcome: 'ok' | 'failure' | 'slow' | 'ignored' }[][] = Array.from(
    { length: LONGEST_MS },
    () => [],
  );
  #nextMs = 0;

  constructor(arm: Arm, breaker: Breaker, random: () => number, tickMs: number) {
    this.#tickMs = tickMs;
    this.#arm = arm;
    this.breaker = breaker;
    this.#random = random;
  }

  step(nowMs: number): void {
    const ending = this.#ends[nowMs % LONGEST_MS]!;
    for (const { call, outcome } of ending) this.breaker.settle(call, outcome, nowMs);
    ending.length = 0;
    if (nowMs % this.#tickMs === 0) this.breaker.tick(nowMs);
    while (this.#nextMs <= nowMs) {
      this.#nextMs += (-Math.log(1 - this.#random()) * 1_000) / this.#arm.callsPerSecond;
      this.#call(nowMs);
    }
  }

  #call(nowMs: number): void {
    const call = new Call();
    if (!this.breaker.admit(call, nowMs)) return;
    const { durationMs, outcome } = this.#arm.service(nowMs, this.#random);
    this.admitted++;
    if (outcome !== 'ok') this.bad++;
    const takesMs = Math.min(LONGEST_MS - 1, Math.max(1, Math.round(durationMs)));
    this.#ends[(nowMs + takesMs) % LONGEST_MS]!.push({ call, outcome });
  }
}

/** Poisson arrivals at both; each admitted call is settled when its service is done with it. */
export function simulateArms({
  candidate,
  control,
  seed,
  lengthMs,
  tickMs = 50,
  anewMs,
}: ArmsTraffic): ArmsTrace {
  const random = seededRandom(seed);
  const moves: Transition[] = [];
  const make = (name: string, { settings }: Arm): Breaker =>
    new Breaker(name, settings, random, (move) => {
      if (name === 'candidate' && move.cause !== 'reset') moves.push(move);
    });
  const arms = {
    candidate: new SimulatedArm(candidate, make('candidate', candidate), random.next, tickMs),
    control: new SimulatedArm(control, make('control', control), random.next, tickMs),
  };
  arms.candidate.breaker.compareWith(arms.control.breaker);
  for (let nowMs = 0; nowMs <= lengthMs; nowMs++) {
    arms.control.step(nowMs);
    arms.candidate.step(nowMs);
    const isOpen = arms.candidate.breaker.state !== 'closed';
    if (anewMs === undefined || (!isOpen && nowMs % anewMs !== 0)) continue;
    arms.candidate.breaker.reset(nowMs, 'again');
    arms.control.breaker.reset(nowMs, 'again');
  }
  return { moves, admitted: arms.candidate.admitted, bad: arms.candidate.bad };
}
