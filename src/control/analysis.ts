/**
 * What was collected of the experiments that have an `analysis`, in one place whoever carried the traffic. It adds up
 * what it is told and draws no conclusion: that is for `analysis/`.
 */
import type { AnalysisPlan, Collected, CollectedPair } from '../analysis/collected.ts';

/** What results are made of. */
export interface AnalysisSource {
  /** Of now, not shared with anybody. Null: the experiment has no `analysis`. No strata: nothing came yet. */
  collected(experiment: string): Collected | null;
  /** The experiments that share followed units with it, most of them first. */
  pairs(experiment: string): readonly CollectedPair[];
  /** As the configuration has it. Null: the experiment has no `analysis`. */
  plan(experiment: string): AnalysisPlan | null;
}

export class Analysis implements AnalysisSource {
  collected(_experiment: string): Collected | null {
    return null;
  }

  pairs(_experiment: string): readonly CollectedPair[] {
    return [];
  }

  plan(_experiment: string): AnalysisPlan | null {
    return null;
  }
}
