import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  criticalSurprise,
  type Share,
  surpriseAt,
  surpriseBelow,
  surpriseBeside,
} from '../../../src/resilience/confidence.ts';

const SAME = { factor: 1, plus: 0 };

function share(bad: number, calls: number): Share {
  return { bad, calls };
}

describe('the surprise that is needed', () => {
  test('solves (3z + 1/z) φ(z) = alpha, in z²/2', () => {
    for (const alpha of [0.1, 0.05, 0.001, 0.00001, 0.000001]) {
      const z = Math.sqrt(2 * criticalSurprise(alpha));
      const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
      expect(density * (3 * z + 1 / z)).toBeCloseTo(alpha, 9);
    }
  });

  test('grows as the chance of being wrong shrinks: 4.3 nats for 5 %, 13.3 for one in 100,000', () => {
    expect(criticalSurprise(0.05)).toBeCloseTo(4.288, 3);
    expect(criticalSurprise(0.00001)).toBeCloseTo(13.347, 3);
  });
});

describe('the surprise at a count that should be at most a limit', () => {
  test('is the calls times the divergence of the two shares', () => {
    // 100 (0.3 ln 3 + 0.7 ln (0.7 / 0.9)), by hand.
    expect(surpriseAt(share(30, 100), 0.1)).toBeCloseTo(15.3664, 3);
    expect(surpriseAt(share(20, 20), 0.01)).toBeCloseTo(20 * Math.log(100), 9);
  });

  test('is none at the limit and under it', () => {
    expect(surpriseAt(share(10, 100), 0.1)).toBe(0);
    expect(surpriseAt(share(0, 100), 0.1)).toBe(0);
  });

  test('is the same from below, for a count that should be at least a limit', () => {
    expect(surpriseBelow(share(0, 100), 0.1)).toBeCloseTo(100 * Math.log(1 / 0.9), 9);
    expect(surpriseBelow(share(10, 100), 0.1)).toBe(0);
    expect(surpriseBelow(share(11, 100), 0.1)).toBe(0);
  });
});

describe('the surprise at a candidate beside its control', () => {
  test('is half of the G statistic when it should be no worse', () => {
    // Expected 15 and 85 of each: 10 ln(10/15) + 90 ln(90/85) + 20 ln(20/15) + 80 ln(80/85).
    expect(surpriseBeside(share(20, 100), share(10, 100), SAME)).toBeCloseTo(1.9937, 3);
  });

  test('is small for one error in three, and large for 300 in 900', () => {
    const control = share(5, 1000);
    expect(surpriseBeside(share(1, 3), control, SAME)).toBeLessThan(4);
    expect(surpriseBeside(share(300, 900), control, SAME)).toBeGreaterThan(100);
  });

  test('is none as long as it is within what it is allowed', () => {
    expect(surpriseBeside(share(20, 1000), share(10, 1000), { factor: 2, plus: 0 })).toBe(0);
    expect(surpriseBeside(share(20, 1000), share(10, 1000), { factor: 1, plus: 0.01 })).toBe(0);
  });

  test('allows for a control whose errors are none so far, when a multiple of them is the limit', () => {
    const few = surpriseBeside(share(5, 20), share(0, 20), { factor: 2, plus: 0 });
    const many = surpriseBeside(share(5, 20), share(0, 2000), { factor: 2, plus: 0 });
    expect(few).toBeLessThan(criticalSurprise(0.05));
    expect(many).toBeGreaterThan(criticalSurprise(0.00001));
  });

  test('is that of the kindest truth: no other share of the control explains both counts better', () => {
    const counts = fc
      .tuple(fc.nat(50), fc.integer({ min: 1, max: 500 }))
      .map(([bad, more]) => share(bad, bad + more));
    const limits = fc.record({
      factor: fc.constantFrom(1, 1.3, 2, 5),
      plus: fc.constantFrom(0, 0.001, 0.01, 0.2),
    });
    const likelihood = ({ bad, calls }: Share, p: number): number =>
      (bad === 0 ? 0 : bad * Math.log(p)) + (calls === bad ? 0 : (calls - bad) * Math.log(1 - p));
    fc.assert(
      fc.property(counts, counts, limits, (candidate, control, limit) => {
        const surprise = surpriseBeside(candidate, control, limit);
        const best =
          likelihood(candidate, candidate.bad / candidate.calls) +
          likelihood(control, control.bad / control.calls);
        for (let p = 0.0005; limit.factor * p + limit.plus < 1; p += 0.0005) {
          const explained = likelihood(candidate, limit.factor * p + limit.plus) + likelihood(control, p);
          const isAllowed =
            candidate.bad / candidate.calls <= limit.factor * (control.bad / control.calls) + limit.plus;
          if (!isAllowed) expect(best - explained).toBeGreaterThanOrEqual(surprise - 1e-6);
        }
        expect(surprise).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 200 },
    );
  });
});
