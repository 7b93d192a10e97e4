/**
 * What rollouts are decided by, as the control plane is given it: how many requests each variant has had and what became
 * of them. Another collection of the same numbers, by assigned variant or with metrics of one's own, is another
 * implementation of this.
 */
import type { Results } from '../analysis/results/results.ts';
import type { ArmCounts } from '../analysis/rollout/rollout-plan.ts';

export interface RolloutEvidence {
  /**
   * Totals since any point in time that stays the same, by experiment and then by variant; they never fall. What is not
   * counted is not there. Never rejects.
   */
  read(experiments: readonly RolloutQuestion[]): Promise<ReadonlyMap<string, ReadonlyMap<string, ArmCounts>>>;
  /** The breaker that turns requests of this variant away, on any route; null: none does. */
  openBreaker(experiment: string, variant: string): OpenBreaker | null;
  /** What the analysis of this experiment says; null: it has none. */
  results(experiment: string): Results | null;
}

export interface OpenBreaker {
  readonly name: string;
  /** Why it opened, in its own words. */
  readonly reason: string;
}

export interface RolloutQuestion {
  readonly experiment: string;
  readonly candidate: string;
}
