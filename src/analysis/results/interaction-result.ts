/**
 * Does what an experiment finds depend on another one that runs on the same units? Said, and no reason to call the numbers
 * invalid: they are true of the units as they are. Pure.
 */
import type { AnalysisPlan, CollectedPair, CollectedUnitArm } from '../collection/collected.ts';
import { type Estimate, ratio } from '../estimate.ts';
import { type Interaction, interactions } from '../interaction.ts';
import { OBSERVATIONS_MIN, SKEWNESS_MAX } from '../interval.ts';
import { TUNED_FOR } from '../sequence.ts';
import { SRM_ALPHA } from '../sequential-srm.ts';
import { UnitSums } from '../unit-sums.ts';
import { intervalInWords, type MetricUnit } from '../wording.ts';
import { dependenceEvidence } from './dependence.ts';
import type { InteractionResult } from './results.ts';

/** Pairs with the most units in common, that are looked at. */
const PAIRS_MAX = 10;

export interface PairQuestion {
  readonly variants: readonly string[];
  readonly fallback: number;
  readonly plan: AnalysisPlan;
}

/** `plan.alpha` is for the intervals of all pairs together, apart from the metrics'. */
export function interactionResults(
  pairs: readonly CollectedPair[],
  { variants, fallback, plan }: PairQuestion,
): InteractionResult[] {
  const looked = pairs.slice(0, PAIRS_MAX);
  const metric = metricOf(plan);
  return looked.map((pair) => {
    const { other } = pair;
    const counts = pair.cells.map((row) => row.map(({ units }) => units));
    if (dependenceEvidence(counts) > -Math.log(SRM_ALPHA / looked.length))
      return {
        other,
        isInteracting: true,
        reason: `who gets a variant depends on the variant of ${other}: the two are not dealt out independently`,
      };
    const rows = fallbackFirst(pair.cells, fallback);
    const cells = rows.map((row) => fallbackFirst(row, pair.otherFallback));
    const found = interactions(
      withCommonSpread(cells.map((row) => row.map((arm) => estimateOf(arm, metric.sums)))),
      {
        alpha: plan.alpha / looked.length,
        sides: 'two',
        tunedFor: TUNED_FOR,
      },
    );
    const names = {
      rows: fallbackFirst(variants, fallback),
      columns: fallbackFirst(pair.otherVariants, pair.otherFallback),
    };
    return said(other, { found, names, metric });
  });
}

interface Said {
  readonly found: readonly Interaction[];
  readonly names: { readonly rows: readonly string[]; readonly columns: readonly string[] };
  readonly metric: { readonly name: string; readonly unit: MetricUnit };
}

function said(other: string, { found, names, metric }: Said): InteractionResult {
  const surest = found.find(({ low, high }) => low > 0 || high < 0);
  if (surest !== undefined) {
    const beside = `${names.rows[surest.row]} beside ${other} ${names.columns[surest.column]}`;
    const interval = intervalInWords(surest.low, surest.high, metric.unit);
    return {
      other,
      isInteracting: true,
      reason: `${metric.name} of ${beside} differs from the sum of what each does: ${interval}`,
    };
  }
  const reason =
    found.length === 0
      ? 'too few units in both to say'
      : `no sign that the two depend on each other (${metric.name})`;
  return { other, isInteracting: false, reason };
}

/** The first goal over units, or failures. */
function metricOf({ metrics }: AnalysisPlan) {
  const goal = metrics.find(({ role, over }) => role === 'goal' && over === 'units');
  if (goal === undefined) return { name: 'errors', sums: 'errors', unit: 'share' } as const;
  return { name: goal.name, sums: goal.kind === 'custom' ? goal.name : goal.kind, unit: goal.unit };
}

function fallbackFirst<T>(items: readonly T[], fallback: number): T[] {
  return [items[fallback]!, ...items.filter((_, index) => index !== fallback)];
}

function estimateOf(arm: CollectedUnitArm, name: string): Estimate {
  return ratio(arm.sums.get(name) ?? new UnitSums());
}

/**
 * A small cell that has seen none of the rare ones would be sure of it: no cell is taken to be steadier than all
 * together, and one that is too small for how lopsided they are is left out, as if it had nobody.
 */
function withCommonSpread(cells: readonly (readonly Estimate[])[]): Estimate[][] {
  const all = cells.flat();
  const units = all.reduce((sum, { observations }) => sum + observations, 0);
  const common = (of: (one: Estimate) => number): number =>
    all.reduce((sum, one) => sum + one.observations * of(one), 0) / Math.max(1, units);
  const variance = common((one) => one.variance);
  const skewness = variance === 0 ? 0 : Math.abs(common((one) => one.thirdMoment)) / variance ** 1.5;
  const least = Math.max(OBSERVATIONS_MIN, (skewness / SKEWNESS_MAX) ** 2);
  return cells.map((row) =>
    row.map((one) => ({
      ...one,
      observations: one.observations < least ? 0 : one.observations,
      variance: Math.max(one.variance, variance),
    })),
  );
}
