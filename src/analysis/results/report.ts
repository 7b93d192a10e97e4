/**
 * Collected -> Results: everything that is said of an experiment. `docs/results.md` says how to read it; what each number
 * is worth is in `docs/analysis.md`. Pure.
 */
import { alphaBudget } from '../alpha-budget.ts';
import type { AnalysisPlan, Collected, CollectedPair } from '../collection/collected.ts';
import { interactionResults } from './interaction-result.ts';
import { metricResult } from './metric-result.ts';
import { overallVerdict } from './overall-verdict.ts';
import type { Comparison, Results } from './results.ts';
import { judgeTrust, type Trust, type TrustQuestion } from './trust.ts';
import { summariesOf } from './variant-summary.ts';

export interface ReportQuestion extends TrustQuestion {
  readonly collected: Collected;
  readonly plan: AnalysisPlan;
  readonly pairs: readonly CollectedPair[];
}

/** The results, and what they are worth, with what to hand in at the next look. */
export function resultsOf(question: ReportQuestion): { readonly results: Results; readonly trust: Trust } {
  const { collected, plan, pairs } = question;
  const { experiment, variants, fallback, strata } = collected;
  const trust = judgeTrust(collected, question);
  const isEmpty = strata.every(({ assigned, served }) =>
    [...assigned, ...served].every(({ requests }) => requests === 0),
  );
  const comparisons = isEmpty ? [] : comparisonsOf(question);
  const results: Results = {
    experiment,
    state: isEmpty ? 'empty' : 'collecting',
    fallback: variants[fallback]!,
    since: isEmpty ? null : isoOf(strata[0]!.fromMs),
    until: isEmpty ? null : isoOf(strata.at(-1)!.toMs),
    verdict: isEmpty ? NOTHING_YET : overallVerdict(comparisons, trust.invalid),
    assigned: summariesOf(collected, 'assigned'),
    served: summariesOf(collected, 'served'),
    comparisons,
    ...saidOf(trust),
    interactions: isEmpty ? [] : interactionResults(pairs, { variants, fallback, plan }),
  };
  return { results, trust };
}

/** Of an experiment that has no `analysis`. */
export function resultsOff(experiment: string, fallback: string): Results {
  return {
    experiment,
    state: 'off',
    fallback,
    since: null,
    until: null,
    verdict: {
      kind: 'off',
      reason: `nothing is collected: give ${experiment} an \`analysis: {}\` in the configuration file`,
      etaMs: null,
    },
    assigned: [],
    served: [],
    comparisons: [],
    shares: { p: 1, isMismatch: false, reason: 'no units yet', culprits: [] },
    crossover: { state: 'insufficient', share: 0, low: 0, high: 1, reason: 'no units yet' },
    interactions: [],
    invalid: [],
  };
}

const NOTHING_YET: Results['verdict'] = {
  kind: 'insufficient',
  reason: 'no requests yet',
  etaMs: null,
};

/** All metrics of all variants share one alpha. */
function comparisonsOf({ collected, plan, nowMs }: ReportQuestion): Comparison[] {
  const { variants, fallback: control } = collected;
  // By their place: the same metric may be there by assigned and by served.
  const parts = alphaBudget(
    plan.alpha,
    plan.metrics.map(({ weight }, index) => ({ name: String(index), weight })),
  );
  return variants.flatMap((variant, candidate) => {
    if (candidate === control) return [];
    const metrics = plan.metrics.map((metric, index) => {
      const alpha = parts.get(String(index))! / (variants.length - 1);
      return metricResult(metric, { collected, arms: { control, candidate }, alpha, nowMs });
    });
    return [{ variant, metrics }];
  });
}

function saidOf({ shares, crossover, invalid }: Trust): Pick<Results, 'shares' | 'crossover' | 'invalid'> {
  return { shares, crossover, invalid };
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
