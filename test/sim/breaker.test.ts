import { afterAll, describe, expect, test } from 'vitest';
import type { BreakerSettings } from '../../src/resilience/breaker.ts';
import {
  brownOut,
  flapping,
  hang,
  logNormalMs,
  type Service,
  sickens,
  simulate,
  type Trace,
} from '../support/traffic.ts';

/** The breaker of the example in docs/breakers.md. */
const SETTINGS: BreakerSettings = {
  windowMs: 10_000,
  minimumRequests: 20,
  errorRatio: 0.05,
  slow: { thresholdMs: 250, ratio: 0.2 },
  consecutiveFailures: null,
  openForMs: 5_000,
  openForMaxMs: 60_000,
  halfOpenRequests: 5,
};

const SEEDS = Array.from({ length: 20 }, (_, index) => index + 1);
const FAULT_MS = 20_000;

/** Median 40 ms, p99 128 ms, one error in 200. */
const healthy: Service = (_, random) => ({
  durationMs: logNormalMs(40, random),
  outcome: random() < 0.005 ? 'failure' : 'ok',
});

function failing(ratio: number): Service {
  return (_, random) => ({
    durationMs: logNormalMs(40, random),
    outcome: random() < ratio ? 'failure' : 'ok',
  });
}

/** From 0.5 % errors up by one point every ten seconds. */
const slowDrip: Service = (atMs, random) =>
  failing(0.005 + Math.max(0, atMs - FAULT_MS) / 1_000_000)(atMs, random);

const report: string[] = [];

/** Milliseconds from the fault to the trip, one for each seed, ascending. */
function timesToTrip(name: string, service: Service, callsPerSecond: number, lengthMs = 60_000): number[] {
  const traces = SEEDS.map((seed) =>
    simulate({ settings: SETTINGS, seed, callsPerSecond, lengthMs, service }),
  );
  const times = traces.map((trace) => tripTime(trace)).sort((a, b) => a - b);
  const bad = traces.map((trace) => trace.bad).sort((a, b) => a - b);
  const cause = traces[0]!.moves[0]?.cause ?? 'none';
  report.push(
    `${name.padEnd(34)} ${String(callsPerSecond).padStart(4)}/s  trip after ${String(times[10]).padStart(6)} ms (median), ${String(times.at(-1)).padStart(6)} ms (longest); ${String(bad[10]).padStart(4)} bad calls in ${lengthMs / 1_000} s; ${cause}`,
  );
  return times;
}

function tripTime({ moves }: Trace): number {
  const trip = moves.find((move) => move.to === 'open');
  expect(trip?.atMs ?? 0, 'tripped before the fault, or never').toBeGreaterThanOrEqual(FAULT_MS);
  return trip!.atMs - FAULT_MS;
}

afterAll(() => console.log(['time to trip, 20 seeds each', ...report].join('\n')));

describe('the time to trip', () => {
  test('of a total outage is the time that 5 percent of the window takes to arrive', () => {
    expect(timesToTrip('total outage', sickens(FAULT_MS, healthy, failing(1)), 200).at(-1)).toBeLessThan(800);
    expect(
      timesToTrip('total outage, little traffic', sickens(FAULT_MS, healthy, failing(1)), 5).at(-1),
    ).toBeLessThan(2_500);
  });

  test('of a hang is the threshold and the time that 20 percent of the window takes to arrive', () => {
    expect(timesToTrip('hang', sickens(FAULT_MS, healthy, hang), 200).at(-1)).toBeLessThan(3_500);
  });

  test('of a candidate that hangs from the start is the threshold, the minimum and a tick', () => {
    const late: Service = (atMs, random) => hang(atMs, random);
    const times = SEEDS.map((seed) => {
      const trace = simulate({
        settings: SETTINGS,
        seed,
        callsPerSecond: 200,
        lengthMs: 2_000,
        service: late,
      });
      return trace.moves[0]?.atMs ?? Number.POSITIVE_INFINITY;
    });
    report.push(`hang from the first call              200/s  trip at ${Math.max(...times)} ms (longest)`);
    expect(Math.max(...times)).toBeLessThan(500);
    expect(Math.min(...times)).toBeGreaterThan(250);
  });

  test('of a brown-out of latency is under a window', () => {
    expect(
      timesToTrip('brown-out, half over 250 ms', sickens(FAULT_MS, healthy, brownOut), 200).at(-1),
    ).toBeLessThan(7_000);
  });

  test('of a brown-out of errors is under a window', () => {
    expect(
      timesToTrip('brown-out, 30 % errors', sickens(FAULT_MS, healthy, failing(0.3)), 200).at(-1),
    ).toBeLessThan(3_000);
    expect(
      timesToTrip('brown-out, 8 % errors', sickens(FAULT_MS, healthy, failing(0.08)), 200).at(-1),
    ).toBeLessThan(15_000);
  });

  test('of a slow drip is near the moment it drips through the limit', () => {
    const times = timesToTrip('slow drip, +1 point in 10 s', slowDrip, 200, 120_000);
    // The true rate is 5 % after 45 s.
    expect(times[0]).toBeGreaterThan(20_000);
    expect(times.at(-1)).toBeLessThan(60_000);
  });
});

describe('flapping(failing(1), healthy)', () => {
  test('is held off by the back-off: few bad calls, few moves', () => {
    const lengthMs = 300_000;
    const traces = SEEDS.map((seed) =>
      simulate({
        settings: SETTINGS,
        seed,
        callsPerSecond: 200,
        lengthMs,
        service: flapping(failing(1), healthy),
      }),
    );
    const trips = Math.max(...traces.map(({ moves }) => moves.filter((move) => move.to === 'open').length));
    const bad = Math.max(...traces.map((trace) => trace.bad));
    report.push(
      `flapping(failing(1), healthy), 2 s bad, 2 s good           200/s  at most ${trips} trips and ${bad} bad calls in 300 s`,
    );
    // Unprotected it would be 30,000 bad calls, and without back-off a trip in every period: 75.
    expect(trips).toBeLessThanOrEqual(20);
    expect(bad).toBeLessThan(1_500);
  });
});

describe('healthy traffic', () => {
  test('never trips the breaker, in 20 times 10 minutes', () => {
    for (const seed of SEEDS) {
      const trace = simulate({
        settings: SETTINGS,
        seed,
        callsPerSecond: 50,
        lengthMs: 600_000,
        service: healthy,
      });
      expect([seed, trace.moves, trace.turnedAway]).toEqual([seed, [], 0]);
    }
  });
});

describe('after the fault', () => {
  test('the breaker closes with the first probes once the service is well, and stays closed', () => {
    const outage: Service = (atMs, random) =>
      (atMs < 23_000 ? sickens(FAULT_MS, healthy, failing(1)) : healthy)(atMs, random);
    for (const seed of SEEDS) {
      const { moves } = simulate({
        settings: { ...SETTINGS, errorRatio: 0.2 },
        seed,
        callsPerSecond: 100,
        lengthMs: 120_000,
        service: outage,
      });
      expect([seed, moves.map((move) => move.cause)]).toEqual([seed, ['error-rate', 'timer', 'probes-ok']]);
      const [trip, , closed] = moves;
      expect(closed!.atMs - trip!.atMs).toBeLessThan(8_500);
    }
  });
});
