import { describe, expect, test } from 'vitest';
import { criticalSurprise } from '../../../src/resilience/confidence.ts';
import { columnOf, LATENCY_COLUMNS } from '../../../src/resilience/latency-scale.ts';
import { compareQuantiles, type Sizes } from '../../../src/resilience/quantile.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { logNormalMs } from '../../support/traffic.ts';

function sizesOf(finishedMs: readonly number[], inFlightMs: readonly number[] = []): Sizes {
  const count = (all: readonly number[]): Uint32Array => {
    const columns = new Uint32Array(LATENCY_COLUMNS);
    for (const ms of all) columns[columnOf(ms)]! += 1;
    return columns;
  };
  return { finished: count(finishedMs), inFlight: count(inFlightMs) };
}

/** Log-normal around a median. */
function calls(count: number, medianMs: number, seed: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => logNormalMs(medianMs, random.next));
}

function isWorse(candidate: Sizes, control: Sizes, share = 0.01, factor = 1.3, plus = 0) {
  return compareQuantiles({
    candidate,
    control,
    share,
    limit: { factor, plus },
    critical: criticalSurprise(0.00001),
    callsMin: 20,
    badMin: 5,
  });
}

describe('quantiles of two arms', () => {
  test('that are the same are not told apart, whatever the luck of either', () => {
    for (let seed = 1; seed <= 50; seed++)
      for (const share of [0.5, 0.1, 0.05, 0.01, 0.001])
        expect(isWorse(sizesOf(calls(2000, 40, seed)), sizesOf(calls(8000, 40, -seed)), share, 1)).toBeNull();
  });

  test('that are twice as high are told apart, and named', () => {
    const found = isWorse(sizesOf(calls(2000, 80, 1)), sizesOf(calls(8000, 40, 2)))!;
    // p99 of a log-normal with a sigma of 0.5 is 3.2 medians.
    expect(found.candidateMs / 256).toBeCloseTo(1, 0);
    expect(found.controlMs / 128).toBeCloseTo(1, 0);
    expect([found.calls, found.controlCalls]).toEqual([2000, 8000]);
  });

  test('that differ by less than is allowed are not', () => {
    const control = sizesOf(calls(50_000, 40, 2));
    expect(isWorse(sizesOf(calls(50_000, 50, 1)), control)).toBeNull();
    expect(isWorse(sizesOf(calls(50_000, 70, 1)), control)).not.toBeNull();
    expect(isWorse(sizesOf(calls(50_000, 70, 1)), control, 0.01, 1, 120)).toBeNull();
    expect(isWorse(sizesOf(calls(50_000, 70, 1)), control, 0.01, 1, 20)).not.toBeNull();
  });

  test('say nothing of few calls: 1 slow one in 20, or 3 in 60', () => {
    const control = sizesOf(calls(8000, 40, 2));
    expect(isWorse(sizesOf([...calls(19, 40, 1), 5000]), control)).toBeNull();
    expect(isWorse(sizesOf([...calls(57, 40, 1), 5000, 5000, 5000]), control)).toBeNull();
    expect(isWorse(sizesOf(calls(2000, 80, 1)), sizesOf(calls(19, 40, 2)))).toBeNull();
  });

  test('need as many calls of the control as show where its quantile is: 1,330 for p99, 20 for p50', () => {
    const slow = sizesOf(new Array<number>(1000).fill(500));
    const control = (count: number): Sizes => sizesOf(new Array<number>(count).fill(40));
    expect(isWorse(slow, control(1_300))).toBeNull();
    expect(isWorse(slow, control(1_330))).not.toBeNull();
    expect(isWorse(slow, control(19), 0.5)).toBeNull();
    expect(isWorse(slow, control(20), 0.5)).not.toBeNull();
  });

  test('see calls that hang in flight, and are not misled by those that have just begun', () => {
    const control = sizesOf(calls(8000, 40, 2));
    const hung = new Array<number>(60).fill(1500);
    expect(isWorse(sizesOf(calls(2000, 40, 1), hung), control)).not.toBeNull();
    const young = new Array<number>(5000).fill(1);
    expect(isWorse(sizesOf(calls(2000, 80, 1), young), control)).not.toBeNull();
  });

  test('that are beyond the scale are not invented', () => {
    const endless = new Array<number>(100).fill(70_000);
    expect(isWorse(sizesOf(endless), sizesOf(endless))).toBeNull();
    expect(isWorse(sizesOf(endless), sizesOf(calls(8000, 40, 2)))).not.toBeNull();
  });
});
