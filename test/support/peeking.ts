/**
 * Experiments that are looked at all the time: values come in one by one, and after every one of the first, then
 * after every 2 % more, and at the end, somebody looks. How often did they see what is not there, when, and was the truth ever outside?
 */

import type { Interval } from '../../src/analysis/interval.ts';
import type { Random } from '../../src/base/clock.ts';
import { seededRandom } from './seeded-random.ts';

/** One experiment under way. */
export interface Experiment {
  /** One more value, of the candidate or the control. */
  draw(isCandidate: boolean, random: Random): void;
  look(): Pick<Interval, 'low' | 'high'>;
}

export interface Peeking {
  readonly start: () => Experiment;
  readonly runs: number;
  readonly observations: number;
  /** The candidate's share of the values. */
  readonly candidateShare: number;
  /** What the difference is in truth. */
  readonly truth: number;
  readonly seed: number;
  /** How many more observations, as a factor, until somebody looks again. */
  readonly growth?: number;
}

export interface Seen {
  /** Share of the runs in which the truth was below, or above, the interval at any look. */
  readonly below: number;
  readonly above: number;
  readonly outside: number;
  /** Observations after which 0 was outside for the first time, by run, ascending; infinite where it never was. */
  readonly decidedAfter: readonly number[];
}

export function peek({
  start,
  runs,
  observations,
  candidateShare,
  truth,
  seed,
  growth = 1.02,
}: Peeking): Seen {
  const random = seededRandom(seed);
  const decidedAfter: number[] = [];
  let [below, above, outside] = [0, 0, 0];
  for (let run = 0; run < runs; run++) {
    const experiment = start();
    let [isBelow, isAbove, decided] = [false, false, Number.POSITIVE_INFINITY];
    let next = 1;
    for (let n = 1; n <= observations; n++) {
      experiment.draw(random.next() < candidateShare, random);
      if (n < next && n < observations) continue;
      next = Math.max(n + 1, Math.ceil(n * growth));
      const { low, high } = experiment.look();
      isBelow ||= truth < low;
      isAbove ||= truth > high;
      if ((low > 0 || high < 0) && decided === Number.POSITIVE_INFINITY) decided = n;
    }
    below += isBelow ? 1 : 0;
    above += isAbove ? 1 : 0;
    outside += isBelow || isAbove ? 1 : 0;
    decidedAfter.push(decided);
  }
  decidedAfter.sort((a, b) => a - b);
  return { below: below / runs, above: above / runs, outside: outside / runs, decidedAfter };
}

/** The most a share may be, of so many runs, when its true one is `alpha`: three standard deviations more. */
export function tolerated(alpha: number, runs: number): number {
  return alpha + 3 * Math.sqrt((alpha * (1 - alpha)) / runs);
}

/** Standard normal, by Box and Muller. */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
}
