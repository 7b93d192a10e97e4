/** When the fallback serves what another variant of a route has failed, bound to the budget for it. */
import type { FailoverSettings } from '../config/compile-retry.ts';
import type { Route } from '../config/snapshot.ts';
import { RetryBudget } from '../resilience/retry-budget.ts';

/** So many a second may fail over whatever the budget is: what is seldom asked can be served all the same. */
const MIN_PER_SECOND = 3;

export interface Failover {
  readonly settings: FailoverSettings;
  /** Null: all may. */
  readonly budget: RetryBudget | null;
  /** When the first of the variants is slow to its breaker; Infinity: none ever is. */
  readonly slowAfterMs: number;
}

/** Null: never, or no variant has an upstream that its fallback does not have. */
export function failoverPlan({ failover, experiments }: Route): Failover | null {
  if (failover === null) return null;
  const leaving = experiments.flatMap(({ experiment, variants }) => {
    const fallback = variants[experiment.fallback.index]!;
    return variants.filter(({ upstream }) => upstream !== fallback.upstream);
  });
  if (leaving.length === 0) return null;
  const slowAfterMs = Math.min(
    ...leaving.map(({ breaker }) => breaker?.slow?.thresholdMs ?? Number.POSITIVE_INFINITY),
  );
  const { budgetRatio } = failover;
  const budget =
    budgetRatio >= 1 ? null : new RetryBudget({ ratio: budgetRatio, minPerSecond: MIN_PER_SECOND });
  return { settings: failover, budget, slowAfterMs };
}
