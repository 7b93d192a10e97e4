/**
 * Do units arrive in the declared shares? A test that may be looked at after every unit: Lindon and Malek, "Anytime-valid
 * inference for multinomial count data" (NeurIPS 2022): the likelihood of the counts under a Dirichlet prior around the
 * declared shares by that under the shares. While the shares are true it ever exceeds 1 / alpha with at most the
 * probability alpha, exactly. Pure.
 */
import { logGamma } from './special.ts';

/** Counts of units dealt out under the same shares, in the same order. Shares of any scale. */
export interface Dealt {
  readonly counts: readonly number[];
  readonly shares: readonly number[];
}

/** As strong as the prior of Optimizely's `ssrm-test`: quick to find shares that are off by 1 in 100. */
const CONCENTRATION = 10_000;

/** Alarm below this, as for the chi-squared test. */
export const SRM_ALPHA = 0.001;

/**
 * What speaks against the shares, in nats: 6.9 is enough for an alpha of 0.001. Several parts, one for each time
 * that the shares were others, add up.
 */
export function mismatchEvidence(parts: readonly Dealt[], concentration = CONCENTRATION): number {
  return parts.reduce((sum, part) => sum + evidenceOf(part, concentration), 0);
}

function evidenceOf({ counts, shares }: Dealt, concentration: number): number {
  const whole = shares.reduce((sum, share) => sum + share, 0);
  let total = 0;
  let evidence = 0;
  for (const [index, share] of shares.entries()) {
    const count = counts[index] ?? 0;
    if (count === 0) continue;
    // What cannot be, is.
    if (share === 0) return Number.POSITIVE_INFINITY;
    const prior = (concentration * share) / whole;
    evidence += logGamma(prior + count) - logGamma(prior) - count * Math.log(share / whole);
    total += count;
  }
  return total === 0 ? 0 : evidence + logGamma(concentration) - logGamma(concentration + total);
}

/**
 * The always-valid p-value: at most alpha at any look with at most the probability alpha. What was once unlikely
 * stays so: hand in the lowest there has been, 1 before the first look.
 */
export function mismatchP(parts: readonly Dealt[], lowest = 1, concentration = CONCENTRATION): number {
  return Math.min(lowest, Math.exp(-mismatchEvidence(parts, concentration)));
}
