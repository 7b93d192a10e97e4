/** What a row of the overview says of an experiment, put together from several resources; and their order. Pure. */
import type { Experiment, Rollout, VariantStats, VerdictLine } from '../data/types.ts';
import { shareOf } from '../format.ts';
import { type Tone, toneOfBreaker, toneOfRollout, toneOfStatus, toneOfVerdict } from '../ui/tones.ts';
import type { SplitPart } from '../ui/variants.ts';
import { variantIndex } from '../ui/variants.ts';

export interface RowPart extends SplitPart {
  readonly stats: VariantStats | null;
}

export interface Row {
  readonly experiment: Experiment;
  readonly fallback: string | null;
  readonly parts: readonly RowPart[];
  readonly perSecond: number | null;
  /** Of the worst variant. */
  readonly errorShare: number | null;
  readonly p99Ms: number | null;
  /** The worst of its breakers; null: it has none. */
  readonly breaker: { readonly name: string; readonly state: string; readonly mode: string } | null;
  readonly rollout: Rollout | null;
  readonly verdict: VerdictLine | null;
  /** The worst of everything. */
  readonly health: Tone;
  /** Lower case, for the search. */
  readonly text: string;
}

export interface RowSources {
  readonly stats: readonly VariantStats[] | null;
  readonly rollout: Rollout | null;
  readonly verdict: VerdictLine | null;
}

const SEVERITY: readonly Tone[] = ['bad', 'warn', 'info', 'ok', 'idle'];

export function rowOf(experiment: Experiment, { stats, rollout, verdict }: RowSources): Row {
  const { name, owner, variants, routes, status, condition } = experiment;
  const names = variants.map((one) => one.name);
  const fallback = variants.find((one) => one.isFallback)?.name ?? null;
  const total = sumOf(stats, (one) => one.requestsPerSecond);
  const parts = variants.map((variant) => {
    const own = stats?.find((one) => one.name === variant.name) ?? null;
    const seen = total !== null && total > 0 ? (own?.requestsPerSecond ?? 0) / total : null;
    const index = variantIndex(names, variant.name, fallback);
    return { name: variant.name, wanted: shareOf(variant.weight), seen, index, stats: own };
  });
  const breakers = variants.flatMap((one) => one.breakers);
  const breaker = worst(breakers, toneOfBreaker);
  const tones: Tone[] = [
    toneOfStatus(status, condition),
    ...(breaker === null ? [] : [toneOfBreaker(breaker)]),
    ...(rollout === null || rollout.isOver ? [] : [toneOfRollout(rollout.phase)]),
    ...(verdict === null ? [] : [toneOfVerdict(verdict.verdict.kind)]),
  ];
  return {
    experiment,
    fallback,
    parts,
    perSecond: total,
    errorShare: maxOf(stats, (one) => one.errorShare),
    p99Ms: maxOf(stats, (one) => one.p99Ms),
    breaker,
    rollout,
    verdict,
    health: SEVERITY.find((tone) => tone !== 'info' && tones.includes(tone)) ?? 'idle',
    text: [name, owner, ...routes, ...variants.map((one) => one.upstream)]
      .filter((one) => one !== null)
      .join(' ')
      .toLowerCase(),
  };
}

export type SortKey = 'health' | 'split' | 'traffic' | 'errors' | 'p99' | 'breaker' | 'rollout' | 'verdict';

/** The columns, each with what it is sorted by. */
export const SORTS: readonly { readonly key: SortKey; readonly label: string; readonly isNumber: boolean }[] =
  [
    { key: 'health', label: 'Experiment', isNumber: false },
    { key: 'split', label: 'Split', isNumber: false },
    { key: 'traffic', label: 'Traffic', isNumber: true },
    { key: 'errors', label: 'Errors', isNumber: true },
    { key: 'p99', label: 'p99', isNumber: true },
    { key: 'breaker', label: 'Breaker', isNumber: false },
    { key: 'rollout', label: 'Rollout', isNumber: false },
    { key: 'verdict', label: 'Verdict', isNumber: false },
  ];

/** Numbers that are not known come last, either way; equal ones by their name. */
export function sortRows(
  rows: readonly Row[],
  { key, isDown }: { readonly key: SortKey; readonly isDown: boolean },
): Row[] {
  const sign = isDown ? -1 : 1;
  return rows.toSorted((a, b) => {
    const [one, other] = [sortValue(a, key), sortValue(b, key)];
    if (one === null || other === null) {
      if (one !== other) return one === null ? 1 : -1;
    } else if (one !== other) return sign * (one - other);
    return a.experiment.name < b.experiment.name ? -1 : 1;
  });
}

function sortValue(row: Row, key: SortKey): number | null {
  switch (key) {
    case 'health':
      return SEVERITY.indexOf(row.health);
    case 'split':
      return row.parts.find((part) => part.name !== row.fallback)?.wanted ?? null;
    case 'traffic':
      return row.perSecond;
    case 'errors':
      return row.errorShare;
    case 'p99':
      return row.p99Ms;
    case 'breaker':
      return row.breaker === null ? null : SEVERITY.indexOf(toneOfBreaker(row.breaker));
    case 'rollout':
      return row.rollout === null ? null : SEVERITY.indexOf(toneOfRollout(row.rollout.phase));
    case 'verdict':
      return row.verdict === null ? null : SEVERITY.indexOf(toneOfVerdict(row.verdict.verdict.kind));
  }
}

function worst<T>(list: readonly T[], toneOf: (one: T) => Tone): T | null {
  const sorted = list.toSorted((a, b) => SEVERITY.indexOf(toneOf(a)) - SEVERITY.indexOf(toneOf(b)));
  return sorted[0] ?? null;
}

/** One number of a variant. */
type Reading = (one: VariantStats) => number | null;

function sumOf(stats: readonly VariantStats[] | null, pick: Reading): number | null {
  const values = known(stats, pick);
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
}

function maxOf(stats: readonly VariantStats[] | null, pick: Reading): number | null {
  const values = known(stats, pick);
  return values.length === 0 ? null : Math.max(...values);
}

function known(stats: readonly VariantStats[] | null, pick: Reading): number[] {
  return (stats ?? []).map(pick).filter((value) => value !== null);
}
