/**
 * Pearson's chi-squared test of counts against the shares they should have, and the tail of the distribution, which is
 * all it needs. Pure. Degrees of freedom are whole numbers, so the tail is a finite sum (Abramowitz and Stegun, 26.4.4
 * and 26.4.5) and no general incomplete gamma function is.
 */
import { erfc } from './special.ts';

/** Fewer than this expected in a cell and the distribution is not a chi-squared one any more (Cochran's rule). */
export const EXPECTED_MIN = 5;

export interface GoodnessOfFit {
  readonly statistic: number;
  readonly degreesOfFreedom: number;
  /** How likely counts at least this far off are, when the shares are true. */
  readonly p: number;
}

/**
 * Do the counts have these shares? Shares of any scale, 0 or more, in the order of the counts.
 *
 * @returns null when there are too few counts to tell, or only one of the shares is not 0 and all counts are its.
 */
export function goodnessOfFit(counts: readonly number[], shares: readonly number[]): GoodnessOfFit | null {
  const total = sum(counts);
  const whole = sum(shares);
  let statistic = 0;
  let cells = 0;
  for (const [index, share] of shares.entries()) {
    const count = counts[index] ?? 0;
    if (share === 0 && count === 0) continue;
    // What cannot be, is.
    if (share === 0)
      return { statistic: Number.POSITIVE_INFINITY, degreesOfFreedom: shares.length - 1, p: 0 };
    const expected = (total * share) / whole;
    if (expected < EXPECTED_MIN) return null;
    statistic += (count - expected) ** 2 / expected;
    cells++;
  }
  if (cells < 2) return null;
  return { statistic, degreesOfFreedom: cells - 1, p: chiSquaredTail(statistic, cells - 1) };
}

/**
 * The probability that a chi-squared variable is at least `x`, to about 12 digits. `degreesOfFreedom`: whole, from 1.
 */
export function chiSquaredTail(x: number, degreesOfFreedom: number): number {
  if (!(x > 0)) return 1;
  if (x === Number.POSITIVE_INFINITY) return 0;
  const half = x / 2;
  const isOdd = degreesOfFreedom % 2 === 1;
  // Q(a + 1) = Q(a) + half^a e^-half / Gamma(a + 1), from Q(1/2) or Q(1) up to Q(degreesOfFreedom / 2).
  let tail = isOdd ? erfc(Math.sqrt(half)) : Math.exp(-half);
  let term = isOdd ? (2 * Math.sqrt(half) * Math.exp(-half)) / Math.sqrt(Math.PI) : half * Math.exp(-half);
  for (let a = isOdd ? 0.5 : 1; a < degreesOfFreedom / 2; a++) {
    tail += term;
    term *= half / (a + 1);
  }
  return Math.min(1, tail);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
