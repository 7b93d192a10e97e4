/**
 * How much speaks against a coin having the share `p`, at every look: the beta-binomial mixture martingale (Robbins 1970;
 * Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", 2021). It is the
 * likelihood of the counts under a beta prior around p by that under p. If the coin has p, the evidence ever exceeds
 * ln(1 / alpha) with at most the probability alpha: exactly so, for any number of tosses, from the first. Pure.
 */
import { logBeta, logGamma } from './special.ts';

/** `hits` of `trials`. The counts need not be whole: between two whole numbers the evidence is convex. */
export interface Tosses {
  readonly hits: number;
  readonly trials: number;
}

/**
 * In nats. `concentration`: how many tosses the prior is worth, above 0; the evidence grows fastest for truths about
 * sqrt(p (1 - p) / concentration) away from p.
 */
export function evidenceAgainst({ hits, trials }: Tosses, p: number, concentration: number): number {
  if (p <= 0) return hits > 0 ? Number.POSITIVE_INFINITY : 0;
  if (p >= 1) return hits < trials ? Number.POSITIVE_INFINITY : 0;
  return mixtureAgainst(p, concentration, trials)(hits);
}

/** The same for many numbers of hits of as many trials; 0 < p < 1. */
export function mixtureAgainst(p: number, concentration: number, trials: number): (hits: number) => number {
  const a = p * concentration;
  const b = (1 - p) * concentration;
  const [logP, logQ] = [Math.log(p), Math.log1p(-p)];
  const constant = -logBeta(a, b) - logGamma(a + b + trials);
  return (hits) => {
    const misses = trials - hits;
    return constant + logGamma(a + hits) + logGamma(b + misses) - hits * logP - misses * logQ;
  };
}

/**
 * The concentration for which the interval is narrowest after `tunedFor` tosses: the mixing variance of
 * `sequence.ts`, per toss, as that of a beta prior, p (1 - p) / (concentration + 1).
 */
export function concentrationFor(mixingVariance: number): number {
  return Math.max(1, 1 / mixingVariance - 1);
}

export interface Bounds {
  readonly low: number;
  readonly high: number;
}

const HALVINGS = 50;

/** Where the share of a coin is, at every look, with probability 1 - alpha; exact. */
export function shareBounds(tosses: Tosses, alpha: number, concentration: number): Bounds {
  const { hits, trials } = tosses;
  if (trials === 0) return { low: 0, high: 1 };
  const seen = hits / trials;
  const isOut = (p: number): boolean => evidenceAgainst(tosses, p, concentration) >= -Math.log(alpha);
  const edge = (out: number): number => {
    let [outside, inside] = [out, seen];
    for (let i = 0; i < HALVINGS; i++) {
      const p = (outside + inside) / 2;
      if (isOut(p)) outside = p;
      else inside = p;
    }
    return outside;
  };
  return { low: seen === 0 ? 0 : edge(0), high: seen === 1 ? 1 : edge(1) };
}
