/** Whole experiments of users that come back, with somebody who reads the whole report again and again. */
import type { AnalysisPlan } from '../../src/analysis/collection/collected.ts';
import { resultsOf } from '../../src/analysis/results/report.ts';
import type { Results } from '../../src/analysis/results/results.ts';
import type { TrustMemory } from '../../src/analysis/results/trust.ts';
import type { Random } from '../../src/base/clock.ts';
import { MadeUpExperiment } from './collected.ts';
import { normal } from './peeking.ts';
import { seededRandom } from './seeded-random.ts';

/** A step of a rollout, or all of the experiment. */
export interface Step {
  readonly requests: number;
  /** The candidate's share of the units. */
  readonly share: number;
  /** Of the requests of both variants. */
  readonly failures: number;
}

export interface Simulation {
  readonly plan: AnalysisPlan;
  readonly steps: readonly Step[];
  readonly runs: number;
  readonly seed: number;
  /** How many times as many requests of the candidate fail, and how many times as long they take. */
  readonly failing?: number;
  readonly slower?: number;
  /** Users who are there before the first request and come back all the time, in every step. */
  readonly regulars?: number;
  /** The mistake that is not made: all splits as if they were one. */
  readonly isAddedUp?: boolean;
  /** How many more requests, as a factor, until somebody looks again. */
  readonly growth?: number;
}

interface User {
  readonly place: number;
  /** Half of them never fail, the others twice as often as all. */
  readonly fails: 0 | 2;
  readonly slowness: number;
}

const REQUEST_MS = 50;
const START_MS = 1_700_000_000_000;
/** Users that have been here before, of those who come. */
const RETURNING = 0.7;

/** Calls `look` with every report; counts the runs for which it ever said yes, and after how many requests it first did. */
export function simulate(
  {
    plan,
    steps,
    runs,
    seed,
    failing = 1,
    slower = 1,
    regulars = 0,
    isAddedUp = false,
    growth = 1.5,
  }: Simulation,
  look: (results: Results) => boolean,
): { readonly share: number; readonly foundAfter: readonly number[] } {
  const random = seededRandom(seed);
  const foundAfter: number[] = [];
  for (let run = 0; run < runs; run++) {
    const users: User[] = Array.from({ length: regulars }, () => newUser(random));
    const experiment = new MadeUpExperiment([1 - steps[0]!.share, steps[0]!.share]);
    let memory: TrustMemory | null = null;
    let found = Number.POSITIVE_INFINITY;
    let n = 0;
    for (const [index, step] of steps.entries()) {
      if (index > 0 && !isAddedUp) experiment.split([1 - step.share, step.share]);
      // After each step is begun, the first requests are looked at closely again.
      let next = n + 50;
      const end = n + step.requests;
      while (n < end) {
        n++;
        const isReturning = users.length > 0 && (regulars > 0 || random.next() < RETURNING);
        if (!isReturning) users.push(newUser(random));
        const unit = isReturning ? Math.floor(random.next() * users.length) : users.length - 1;
        const { place, fails, slowness } = users[unit]!;
        const variant = place < step.share ? 1 : 0;
        experiment.add({
          unit,
          variant,
          isFailure: random.next() < fails * step.failures * (variant === 1 ? failing : 1),
          ms: 20 * slowness * Math.exp(0.5 * normal(random)) * (variant === 1 ? slower : 1),
          atMs: START_MS + n * REQUEST_MS,
        });
        if (n < next && n < end) continue;
        next = n + Math.max(1, Math.ceil((n - (end - step.requests)) * (growth - 1)));
        const nowMs = START_MS + n * REQUEST_MS;
        const report = resultsOf({
          collected: experiment.collected(),
          plan,
          pairs: [],
          nowMs,
          before: memory,
        });
        ({ memory } = report.trust);
        if (look(report.results)) found = Math.min(found, n);
      }
    }
    foundAfter.push(found);
  }
  foundAfter.sort((a, b) => a - b);
  return { share: foundAfter.filter(Number.isFinite).length / runs, foundAfter };
}

function newUser(random: Random): User {
  return {
    place: random.next(),
    fails: random.next() < 0.5 ? 0 : 2,
    slowness: Math.exp(0.5 * normal(random)),
  };
}

/** Whether any metric says anything but "the same", "holds" or "not known yet", or the numbers are called invalid. */
export function isAlarmed({ comparisons, invalid }: Results): boolean {
  if (invalid.length > 0) return true;
  return comparisons.some(({ metrics }) =>
    metrics.some(({ verdict: { kind } }) => kind === 'better' || kind === 'worse' || kind === 'breach'),
  );
}
