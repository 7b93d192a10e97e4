/** The experiment that docs/results.md shows: users who come back, a candidate that is faster and fails as often. */
import { resultsOf } from '../../src/analysis/results/report.ts';
import type { Results } from '../../src/analysis/results/results.ts';
import { ERRORS, LATENCY, MadeUpExperiment, P90 } from './collected.ts';
import { normal } from './peeking.ts';
import { seededRandom } from './seeded-random.ts';

const START_MS = Date.UTC(2026, 10, 21, 19);
const USERS = 9000;
const REQUESTS = 15_500;
const EVERY_MS = 150;

/** @param failing How many times as many requests of the candidate fail. */
export function exampleResults(failing = 1): Results {
  const random = seededRandom(7);
  const experiment = new MadeUpExperiment([0.8, 0.2]);
  const places = Array.from({ length: USERS }, () => random.next());
  for (let i = 0; i < REQUESTS; i++) {
    const unit = Math.floor(USERS * random.next() ** 2);
    const variant = places[unit]! < 0.2 ? 1 : 0;
    const ms = (variant === 1 ? 26 : 30) * Math.exp(0.4 * normal(random));
    const isFailure = random.next() < 0.02 * (variant === 1 ? failing : 1);
    experiment.add({ unit, variant, isFailure, ms, bytes: 2000, atMs: START_MS + EVERY_MS * i });
  }
  const plan = {
    alpha: 0.05,
    metrics: [ERRORS, LATENCY, { ...P90, name: 'p99', quantile: 0.99, margin: 5 }],
  };
  const nowMs = START_MS + EVERY_MS * REQUESTS;
  return resultsOf({ collected: experiment.collected(), plan, pairs: [], nowMs, before: null }).results;
}
