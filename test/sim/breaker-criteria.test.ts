/** How fast a breaker opens that judges the candidate beside its control, and when it must not. */
import { afterAll, describe, expect, test } from 'vitest';
import type { BreakerSettings } from '../../src/resilience/breaker.ts';
import { COMPARED, SURE } from '../support/arms-bench.ts';
import { type ArmsTrace, simulateArms } from '../support/arms-traffic.ts';
import { SETTINGS } from '../support/breaker-bench.ts';
import { brownOut, flapping, hang, logNormalMs, type Service, sickens } from '../support/traffic.ts';

const WATCH = { levelsMs: [250], hasHistogram: true };

/** The example "beside the control" of docs/breakers.md: a tenth of 1,000 calls a second goes to the candidate. */
const CANDIDATE: BreakerSettings = {
  ...SETTINGS,
  errorRatio: 0.5,
  slow: { thresholdMs: 250, ratio: 0.5 },
  compared: {
    ...COMPARED,
    error: { factor: 1, plus: 0.01 },
    slow: { factor: 1, plus: 0.05 },
    quantiles: [{ name: 'p99', share: 0.01, limit: { kind: 'relative', factor: 1.3, plus: 0 } }],
  },
  sharedOutage: { policy: 'hold', confidence: SURE },
  watch: WATCH,
};

const CONTROL: BreakerSettings = { ...SETTINGS, errorRatio: 0.5, slow: null, watch: WATCH };

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const FAULT_MS = 15_000;

/** This share fails; the others take 40 ms or so, p99 128 ms. */
function failing(share: number, medianMs = 40): Service {
  return (_, random) => ({
    durationMs: logNormalMs(medianMs, random),
    outcome: random() < share ? 'failure' : 'ok',
  });
}

const healthy = failing(0.005);

/** From 0.5 % errors up by one point every two seconds. */
const slowDrip: Service = (atMs, random) =>
  failing(0.005 + Math.max(0, atMs - FAULT_MS) / 200_000)(atMs, random);

const report: string[] = [];
afterAll(() =>
  console.log(['beside the control, 100 and 900 calls a second, 10 seeds', ...report].join('\n')),
);

function runs(candidate: Service, control: Service, lengthMs = 40_000, seeds = SEEDS): ArmsTrace[] {
  return seeds.map((seed) =>
    simulateArms({
      candidate: { settings: CANDIDATE, callsPerSecond: 100, service: candidate },
      control: { settings: CONTROL, callsPerSecond: 900, service: control },
      seed,
      lengthMs,
    }),
  );
}

/** Milliseconds from the fault to the opening, ascending. */
function timesToOpen(name: string, fault: Service): number[] {
  const traces = runs(sickens(FAULT_MS, healthy, fault), healthy);
  const times = traces
    .map(({ moves }) => moves.find(({ to }) => to === 'open')!.atMs - FAULT_MS)
    .sort((left, right) => left - right);
  expect(times[0], 'before the fault').toBeGreaterThan(0);
  const cause = traces[0]!.moves[0]!.cause;
  report.push(`${name.padEnd(40)} after ${times[5]} ms (median), ${times.at(-1)} ms (longest): ${cause}`);
  return times;
}

describe('beside a healthy control, the time to open', () => {
  test.each([
    ['fails every call', failing(1), 800],
    ['hangs', hang, 800],
    ['fails 30 %', failing(0.3), 2_500],
    ['fails 8 %', failing(0.08), 10_000],
    ['fails 5 %', failing(0.05), 15_000],
    ['is over 250 ms half of the time', brownOut, 1_000],
    ['takes twice as long', failing(0.005, 80), 15_000],
    ['gets worse by one point every 2 s', slowDrip, 20_000],
  ] as const)('of a candidate that %s is bounded', (name, fault, limitMs) => {
    expect(timesToOpen(name, fault).at(-1)).toBeLessThan(limitMs);
  });

  test('of one that flaps is followed by back-off: few bad calls', () => {
    const lengthMs = 120_000;
    const traces = runs(flapping(failing(1), healthy), healthy, lengthMs);
    const opened = Math.max(...traces.map(({ moves }) => moves.filter(({ to }) => to === 'open').length));
    const bad = Math.max(...traces.map((trace) => trace.bad));
    report.push(
      `flaps for ${lengthMs / 1_000} s: at most ${opened} openings and ${bad} bad calls instead of 6,000`,
    );
    expect(opened).toBeLessThanOrEqual(12);
    expect(bad).toBeLessThan(600);
  });
});

describe('when both arms go bad together', () => {
  test.each([
    ['fail 30 %', failing(0.3)],
    ['fail 8 %', failing(0.08)],
    ['take three times as long', failing(0.005, 120)],
    ['are over 250 ms half of the time', brownOut],
    ['get worse by one point every 2 s', slowDrip],
  ] as const)('and %s, the candidate is not blamed', (name, fault) => {
    const traces = runs(sickens(FAULT_MS, healthy, fault), sickens(FAULT_MS, healthy, fault));
    const opened = traces.filter(({ moves }) => moves.some(({ to }) => to === 'open')).length;
    report.push(`both ${name}: ${opened} of ${traces.length} opened`);
    expect(opened).toBe(0);
  });

  test('and fail every call, it is held back while the control is bad or open', () => {
    const traces = runs(sickens(FAULT_MS, healthy, failing(1)), sickens(FAULT_MS, healthy, failing(1)));
    expect(traces.map(({ moves }) => moves.map(({ cause }) => cause)[0])).toEqual(
      SEEDS.map(() => 'held-back'),
    );
    const opened = traces.filter(({ moves }) => moves.some(({ to }) => to === 'open')).length;
    report.push(`both fail every call: ${opened} of ${traces.length} opened`);
    expect(opened).toBe(0);
  });
});

describe('two healthy arms', { timeout: 60_000 }, () => {
  test('are left alone for 10 times 5 minutes', () => {
    for (const { moves } of runs(healthy, healthy, 300_000)) expect(moves).toEqual([]);
  });
});
