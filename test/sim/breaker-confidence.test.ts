/**
 * How often does a breaker open by chance? Two arms get the same traffic, or traffic exactly at the limit, for 10,000
 * windows in which every tick looks; the breaker may open in no more of them than its confidence leaves.
 */
import { afterAll, describe, expect, test } from 'vitest';
import type { BreakerSettings } from '../../src/resilience/breaker.ts';
import { criticalSurprise } from '../../src/resilience/confidence.ts';
import type { Compared, Confidence, QuantileLimit } from '../../src/resilience/limits.ts';
import { COMPARED, UNLIMITED } from '../support/arms-bench.ts';
import { simulateArms } from '../support/arms-traffic.ts';
import { logNormalMs, type Service } from '../support/traffic.ts';

const WINDOWS = 10_000;
/** Short, as all other times are here; what matters is the calls in it and the looks at it: 100. */
const WINDOW_MS = 500;
const TICK_MS = 5;
const SEED = 1;
/** Some seconds; more on a machine that has other things to do. */
const TIMEOUT_MS = 120_000;

const report: string[] = [];
afterAll(() => console.log([`opened by chance in ${WINDOWS} windows`, ...report].join('\n')));

function confidenceOf(alpha: number): Confidence {
  return { ratio: 1 - alpha, surprise: criticalSurprise(alpha) };
}

/** This share of the calls fails; they take 4 ms or so. */
function failing(share: number): Service {
  return (_, random) => ({
    durationMs: logNormalMs(4, random),
    outcome: random() < share ? 'failure' : 'ok',
  });
}

/** This share takes 20 ms, the others 3. */
function slow(share: number): Service {
  return (_, random) => ({ durationMs: random() < share ? 20 : 3, outcome: 'ok' });
}

interface Case {
  readonly name: string;
  readonly compared: Partial<Compared>;
  readonly settings?: Partial<BreakerSettings>;
  readonly candidate: Service;
  readonly control: Service;
  /** Calls in a window. */
  readonly calls: readonly [candidate: number, control: number];
}

/** In how many of the windows the candidate's breaker opened. */
function opened(
  { name, compared, settings, candidate, control, calls }: Case,
  alpha: number,
  anewMs = Infinity,
) {
  const common = { ...UNLIMITED, windowMs: WINDOW_MS, ...settings };
  const { moves } = simulateArms({
    candidate: {
      settings: { ...common, compared: { ...COMPARED, ...compared, confidence: confidenceOf(alpha) } },
      callsPerSecond: (calls[0] * 1_000) / WINDOW_MS,
      service: candidate,
    },
    control: { settings: common, callsPerSecond: (calls[1] * 1_000) / WINDOW_MS, service: control },
    seed: SEED,
    lengthMs: WINDOWS * WINDOW_MS,
    tickMs: TICK_MS,
    anewMs,
  });
  const start = anewMs === Infinity ? '' : ', from a start';
  report.push(`${name}${start}: ${moves.length}, allowed ${alpha * WINDOWS}`);
  return moves.length;
}

function quantile(
  name: string,
  share: number,
  limit: QuantileLimit['limit'],
): Pick<Case, 'compared' | 'settings'> {
  const watch = {
    levelsMs: limit.kind === 'fixed' ? [limit.ms] : [],
    hasHistogram: limit.kind === 'relative',
  };
  return { compared: { quantiles: [{ name, share, limit }] }, settings: { watch } };
}

const SAME = { factor: 1, plus: 0 };
const A_A_ERRORS: Case = {
  name: 'errors no more than control, both 2 %',
  compared: { error: SAME },
  candidate: failing(0.02),
  control: failing(0.02),
  calls: [200, 400],
};

const CASES: readonly Case[] = [
  A_A_ERRORS,
  {
    ...A_A_ERRORS,
    name: 'the same with few calls',
    candidate: failing(0.1),
    control: failing(0.1),
    calls: [30, 300],
  },
  {
    ...A_A_ERRORS,
    name: 'errors 2 x control, exactly twice as many',
    compared: { error: { factor: 2, plus: 0 } },
    candidate: failing(0.04),
  },
  {
    ...A_A_ERRORS,
    name: 'errors control + 1 %, exactly 1 % more',
    compared: { error: { factor: 1, plus: 0.01 } },
    candidate: failing(0.03),
  },
  {
    name: 'slow calls no more than control, both 10 %',
    compared: { slow: SAME },
    settings: { slow: { thresholdMs: 10, ratio: 1 }, watch: { levelsMs: [10], hasHistogram: false } },
    candidate: slow(0.1),
    control: slow(0.1),
    calls: [200, 400],
  },
  {
    name: 'p99 of 10 ms, exactly 1 % over it',
    ...quantile('p99', 0.01, { kind: 'fixed', ms: 10 }),
    candidate: slow(0.01),
    control: slow(0),
    calls: [500, 1],
  },
  {
    name: 'p99 no more than control, both the same',
    ...quantile('p99', 0.01, { kind: 'relative', ...SAME }),
    candidate: failing(0),
    control: failing(0),
    calls: [300, 300],
  },
];

/** The example of docs/breakers.md, told in a hundredth of its times. */
const EXAMPLE: Case = {
  name: 'errors 50 % or control + 1 %, slow 50 % or control + 5 %, p99 1.3 x control, both the same',
  compared: {
    error: { factor: 1, plus: 0.01 },
    slow: { factor: 1, plus: 0.05 },
    quantiles: [{ name: 'p99', share: 0.01, limit: { kind: 'relative', factor: 1.3, plus: 0 } }],
  },
  settings: {
    errorRatio: 0.5,
    slow: { thresholdMs: 10, ratio: 0.5 },
    watch: { levelsMs: [10], hasHistogram: true },
  },
  candidate: failing(0.005),
  control: failing(0.005),
  calls: [200, 400],
};

describe('by chance, a breaker that is 95 % sure opens in at most 500 of 10,000 windows', {
  timeout: TIMEOUT_MS,
}, () => {
  test.each(CASES)('$name', (one) => {
    expect(opened(one, 0.05)).toBeLessThanOrEqual(0.05 * WINDOWS);
  });
});

describe('by chance, a breaker that is 99 % sure opens in at most 100 of 10,000 windows', {
  timeout: TIMEOUT_MS,
}, () => {
  test.each([A_A_ERRORS])('$name', (one) => {
    expect(opened(one, 0.01)).toBeLessThanOrEqual(0.01 * WINDOWS);
  });

  test.each([A_A_ERRORS])('$name, in each first window of a start', (one) => {
    expect(opened(one, 0.01, WINDOW_MS)).toBeLessThanOrEqual(0.01 * WINDOWS);
  });
});

describe('by chance, a breaker as sure as it is unless told otherwise opens in none of 10,000 windows', {
  timeout: TIMEOUT_MS,
}, () => {
  test.each([A_A_ERRORS, EXAMPLE])('$name', (one) => {
    expect(opened(one, 0.00001)).toBe(0);
  });
});
