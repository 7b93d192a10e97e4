/**
 * Two experiments at once on the same units: does what one of them does depend on the variant of the other? Then neither
 * result stands alone. Two questions: are the assignments independent of each other, and is the effect of one the same in
 * each variant of the other (the difference of differences)? Pure.
 */
import { chiSquaredTail, EXPECTED_MIN } from './chi-squared.ts';
import type { Estimate } from './estimate.ts';
import { OBSERVATIONS_MIN } from './interval.ts';
import { type SequenceSettings, sequenceP, sequenceWidth } from './sequence.ts';

/**
 * How likely counts are that depend at least so much on both, if the assignments are independent: Pearson's test of a
 * table, rows one experiment's variants and columns the other's. For one look. null: too few to tell.
 */
export function independenceP(table: readonly (readonly number[])[]): number | null {
  const rows = table.map((row) => row.reduce((sum, count) => sum + count, 0));
  const columns = (table[0] ?? []).map((_, column) => table.reduce((sum, row) => sum + row[column]!, 0));
  const total = rows.reduce((sum, count) => sum + count, 0);
  let statistic = 0;
  for (const [r, row] of table.entries())
    for (const [c, count] of row.entries()) {
      const expected = (rows[r]! * columns[c]!) / total;
      if (!(expected >= EXPECTED_MIN)) return null;
      statistic += (count - expected) ** 2 / expected;
    }
  const degreesOfFreedom = (rows.length - 1) * (columns.length - 1);
  return degreesOfFreedom < 1 ? null : chiSquaredTail(statistic, degreesOfFreedom);
}

export interface Interaction {
  /** The two treatments. */
  readonly row: number;
  readonly column: number;
  /** How much more the row's variant does beside the column's treatment than beside its control. */
  readonly difference: number;
  readonly low: number;
  readonly high: number;
  readonly p: number;
}

/**
 * The difference of differences for every pair of treatments, with an interval at every look. `cells[0][0]` has both
 * controls. `settings.alpha` is shared by the pairs. A pair with too few observations is left out.
 */
export function interactions(
  cells: readonly (readonly Estimate[])[],
  settings: SequenceSettings,
): Interaction[] {
  const pairs = cells.slice(1).flatMap((row, r) => row.slice(1).map((_, c) => [r + 1, c + 1] as const));
  const each = { ...settings, alpha: settings.alpha / Math.max(1, pairs.length) };
  return pairs.flatMap(([row, column]) => {
    const four = [cells[row]![column]!, cells[0]![0]!, cells[row]![0]!, cells[0]![column]!];
    if (four.some(({ observations }) => observations < OBSERVATIONS_MIN)) return [];
    return [{ row, column, ...differenceOfDifferences(four, each) }];
  });
}

/** Of the first two, added, and the last two, taken off. */
function differenceOfDifferences(four: readonly Estimate[], settings: SequenceSettings) {
  const [both, neither, one, other] = four.map(({ value }) => value);
  const difference = both! + neither! - one! - other!;
  const error = Math.sqrt(four.reduce((sum, { variance, observations }) => sum + variance / observations, 0));
  const observations = four.reduce((sum, estimate) => sum + estimate.observations, 0);
  const width = error * sequenceWidth(observations, settings);
  const p = error === 0 ? 1 : sequenceP(Math.abs(difference) / error, observations, settings);
  return { difference, low: difference - width, high: difference + width, p };
}
