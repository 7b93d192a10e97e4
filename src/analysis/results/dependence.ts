/**
 * Are the variants of two experiments dealt out independently of each other? A test that may be looked at after every
 * unit: the likelihood of the table of counts under a Dirichlet prior by the largest one that any independent shares give.
 * As the true shares give no more than the largest, it exceeds 1 / alpha, ever, with at most the probability alpha
 * (Wasserman, Ramdas and Balakrishnan, "Universal inference", 2020), whatever the shares are. Pure.
 */
import { logGamma } from '../special.ts';

/** Jeffreys' prior of a share. */
const PRIOR = 0.5;

/** What speaks against independence, in nats. Rows are one experiment's variants and columns the other's. */
export function dependenceEvidence(table: readonly (readonly number[])[]): number {
  const rows = table.map((row) => row.reduce((sum, count) => sum + count, 0));
  const columns = (table[0] ?? []).map((_, column) => table.reduce((sum, row) => sum + row[column]!, 0));
  const total = rows.reduce((sum, count) => sum + count, 0);
  if (total === 0) return 0;
  const cells = table.flatMap((row, r) => row.map((count, c) => ({ count, r, c })));
  const prior = PRIOR * cells.length;
  let evidence = logGamma(prior) - logGamma(prior + total);
  for (const { count, r, c } of cells) {
    if (count === 0) continue;
    evidence += logGamma(PRIOR + count) - logGamma(PRIOR);
    evidence -= count * Math.log((rows[r]! / total) * (columns[c]! / total));
  }
  return evidence;
}
