/** What mirrored requests say of a candidate, for people: a verdict, the share that differs, and where. Pure. */

import { Distribution, type DistributionForm } from '../distribution.ts';
import type { Interval } from '../interval.ts';
import { TUNED_FOR } from '../sequence.ts';
import { compareShares } from '../share-difference.ts';
import { countInWords, intervalInWords, inWords } from '../wording.ts';
import { type DiffForm, type DiffSample, judgePath, type PathCounts } from './diff-record.ts';

const ALPHA = 0.05;
/** A share that differs by no more is called none. */
const MARGIN = 0.01;

export interface DiffVerdict {
  readonly kind: 'regression' | 'none' | 'insufficient';
  /** One sentence with its numbers. */
  readonly reason: string;
}

export interface DiffReport {
  readonly verdict: DiffVerdict;
  readonly compared: number;
  /** Share of the requests in which the answer differs from control's first, noise left out; null: nothing was compared. */
  readonly regressions: {
    readonly control: number | null;
    readonly candidate: number | null;
    readonly difference: number | null;
    /** Each end holds with 1 - alpha, at every look; null: it is not known. */
    readonly low: number | null;
    readonly high: number | null;
    readonly alpha: number;
  };
  /** The worst first. */
  readonly paths: readonly (PathCounts & { readonly kind: 'noise' | 'regression' | 'unclear' })[];
  /** Milliseconds, both off the caller's path; null: none. */
  readonly latency: { readonly control: Quantiles; readonly candidate: Quantiles };
  /** Mean length of a body; null: none. */
  readonly bytes: { readonly control: number | null; readonly candidate: number | null };
  readonly samples: readonly DiffSample[];
}

interface Quantiles {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export function reportDiffs(form: DiffForm): DiffReport {
  const { compared, paths, latency, bytes, samples } = form;
  const interval = intervalOf(form);
  const ofControl = Distribution.fromJSON(latency.control);
  const ofCandidate = Distribution.fromJSON(latency.candidate);
  const mean = (total: number, { count }: Distribution) => (count === 0 ? null : Math.round(total / count));
  return {
    verdict: verdictOf(interval, compared),
    compared,
    regressions: {
      control: interval.control,
      candidate: interval.candidate,
      difference: interval.difference,
      low: finite(interval.low),
      high: finite(interval.high),
      alpha: ALPHA,
    },
    paths: paths.map((path) => ({ ...path, kind: judgePath(path, compared) })).sort(worstFirst),
    latency: { control: quantilesOf(latency.control), candidate: quantilesOf(latency.candidate) },
    bytes: { control: mean(bytes.control, ofControl), candidate: mean(bytes.candidate, ofCandidate) },
    samples,
  };
}

/** Its verdict alone. */
export function judgeDiffs(form: Pick<DiffForm, 'compared' | 'hits'>): DiffVerdict {
  return verdictOf(intervalOf(form), form.compared);
}

/** As if the two were independent. They are compared with the same answer, so they err together, and it is too wide. */
function intervalOf({ compared, hits }: Pick<DiffForm, 'compared' | 'hits'>): Interval {
  return compareShares(
    { hits: hits.control, trials: compared },
    { hits: hits.candidate, trials: compared },
    { alpha: ALPHA, sides: 'one', tunedFor: TUNED_FOR },
  );
}

function verdictOf({ control, candidate, low, high }: Interval, compared: number): DiffVerdict {
  if (control === null || candidate === null)
    return { kind: 'insufficient', reason: 'nothing has been compared yet' };
  const kind = low > 0 ? 'regression' : high <= MARGIN ? 'none' : 'insufficient';
  const said = {
    regression: 'its answers differ',
    none: `no more than ${inWords(MARGIN, 'share')} of its answers differ`,
    insufficient: 'not enough data yet',
  }[kind];
  const numbers = `${inWords(candidate, 'share')} of its answers differ from those of control, ${inWords(control, 'share')} of control's own`;
  return {
    kind,
    reason: `${said}: ${numbers}, ${intervalInWords(low, high, 'share')} (n=${countInWords(compared)})`,
  };
}

const RANK = { regression: 0, unclear: 1, noise: 2 };

function worstFirst(a: DiffReport['paths'][number], b: DiffReport['paths'][number]): number {
  return RANK[a.kind] - RANK[b.kind] || b.differences - a.differences || (a.path < b.path ? -1 : 1);
}

function quantilesOf(form: DistributionForm): Quantiles {
  const distribution = Distribution.fromJSON(form);
  const at = (q: number): number | null => {
    const value = distribution.quantile(q);
    return value === null ? null : Math.round(value * 100) / 100;
  };
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
