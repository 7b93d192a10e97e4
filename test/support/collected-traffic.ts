/** Users who send their requests to an experiment that is made up, and what is said of it then. */
import type { AnalysisMetric, AnalysisPlan } from '../../src/analysis/collection/collected.ts';
import { resultsOf } from '../../src/analysis/results/report.ts';
import type { Results } from '../../src/analysis/results/results.ts';
import type { MadeUpExperiment } from './collected.ts';

export const START_MS = 1_700_000_000_000;

export const planOf = (...metrics: readonly AnalysisMetric[]): AnalysisPlan => ({ alpha: 0.05, metrics });

export interface Traffic {
  readonly users: number;
  readonly each?: number;
  /** Every so many-th unit's requests fail, by variant; 0: none does. */
  readonly failing?: readonly number[];
  readonly ms?: readonly number[];
  readonly fromMs?: number;
  readonly share?: number;
  readonly firstUser?: number;
}

/** Users who each send their requests, a second for a hundred of them. Times vary by a tenth. */
export function send(experiment: MadeUpExperiment, traffic: Traffic): number {
  const { users, each = 4, failing = [], ms = [], fromMs = START_MS, share = 0.5, firstUser = 0 } = traffic;
  let at = fromMs;
  for (let round = 0; round < each; round++)
    for (let user = 0; user < users; user++) {
      // The golden ratio deals them out evenly.
      const variant = (user * 0.618033988749895) % 1 < share ? 1 : 0;
      const every = failing[variant] ?? 0;
      experiment.add({
        unit: user + firstUser,
        variant,
        isFailure: every > 0 && user % every === 0,
        ms: (ms[variant] ?? 20) * (0.9 + 0.2 * ((user * 0.7548776662) % 1)),
        atMs: at,
      });
      at += 10;
    }
  return at;
}

export function report(experiment: MadeUpExperiment, plan: AnalysisPlan, nowMs: number): Results {
  return resultsOf({ collected: experiment.collected(), plan, pairs: [], nowMs, before: null }).results;
}
