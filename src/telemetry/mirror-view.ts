/** What mirroring has come to for one experiment, as processes tell each other and the admin API shows it. Plain data. */
import { type DiffForm, mergeDiffs } from '../analysis/diff/diff-record.ts';
import { MIRROR_MISSED, type MirrorMissed } from './mirror-metrics.ts';

export interface MirrorView {
  readonly experiment: string;
  readonly control: string;
  readonly candidate: string;
  /** Of its requests, 0 to 1. */
  readonly share: number;
  readonly inFlight: number;
  /** Chosen and not compared, by why. */
  readonly missed: Readonly<Record<MirrorMissed, number>>;
  readonly diffs: DiffForm;
}

/** Those of several processes, each experiment once. */
export function mergeMirrors(views: readonly MirrorView[]): MirrorView[] {
  return Array.from(
    Map.groupBy(views, ({ experiment }) => experiment).values(),
    (same): MirrorView => ({
      ...same[0]!,
      inFlight: same.reduce((total, { inFlight }) => total + inFlight, 0),
      missed: sumMissed(same),
      diffs: mergeDiffs(same.map(({ diffs }) => diffs)),
    }),
  );
}

function sumMissed(views: readonly MirrorView[]): MirrorView['missed'] {
  const total = { ...NOTHING_MISSED };
  for (const { missed } of views) for (const reason of MIRROR_MISSED) total[reason] += missed[reason];
  return total;
}

export const NOTHING_MISSED: Readonly<Record<MirrorMissed, number>> = {
  rate: 0,
  concurrency: 0,
  load: 0,
  breaker: 0,
  body: 0,
  unanswered: 0,
};
