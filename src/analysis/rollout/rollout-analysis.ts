/**
 * What the analysis of an experiment says to its rollout: whether its numbers can be believed at all, and how the metrics
 * stand that a step names. Their alpha is that of the analysis, over all its looks, so none of the rollout's is spent. Pure.
 */
import type { MetricResult, Results } from '../results/results.ts';
import type { Check } from './rollout-verdict.ts';

/** Why the numbers are not to be believed, in one sentence; null: they are, or there are none. */
export function doubtOf(results: Results | null): string | null {
  if (results === null || results.invalid.length === 0) return null;
  return `the analysis is invalid: ${results.invalid.map(({ reason }) => reason).join('; ')}`;
}

/** One check of each name. What is not there yet, or not to be believed, is too little to say. */
export function analysisChecks(
  names: readonly string[],
  candidate: string,
  results: Results | null,
): Check[] {
  const metrics = results?.comparisons.find(({ variant }) => variant === candidate)?.metrics ?? [];
  const isBelieved = doubtOf(results) === null;
  return names.map((name) => {
    const metric = metrics.find((one) => one.name === name);
    return metric === undefined ? nothing(name) : checkOf(metric, isBelieved);
  });
}

function nothing(name: string): Check {
  const reason = `${name}: not enough data yet, nothing was collected`;
  return { guardrail: name, kind: 'insufficient', reason, ...NO_COUNTS, margin: null, alpha: 0, etaMs: null };
}

function checkOf(metric: MetricResult, isBelieved: boolean): Check {
  const { name, margin, alpha, control, candidate, low, high, observations, verdict } = metric;
  const isSaid = verdict.kind === 'pass' || (verdict.kind === 'breach' && isBelieved);
  return {
    guardrail: name,
    kind: isSaid ? (verdict.kind as 'pass' | 'breach') : 'insufficient',
    reason: verdict.reason,
    ...NO_COUNTS,
    seen: { control, candidate, low, high, observations },
    margin,
    alpha,
    etaMs: verdict.etaMs,
  };
}

const NO_COUNTS = { control: null, candidate: null, limit: null } as const;
