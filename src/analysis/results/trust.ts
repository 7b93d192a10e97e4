/**
 * May the numbers of an experiment be believed? Its units arrive in the declared shares and stay with one variant, data
 * comes in without gaps, clocks agree, nothing was lost. Cheap: it is asked at every scrape. Pure.
 */
import type { Collected, CollectedStratum } from '../collection/collected.ts';
import { CROSSOVER_MAX, type Crossover, judgeCrossover } from '../crossover.ts';
import { findCulprits } from '../culprit.ts';
import { mismatchEvidence, SRM_ALPHA } from '../sequential-srm.ts';
import { findInvalidities, type Span } from '../validity.ts';
import { countInWords, inWords } from '../wording.ts';
import type { Results, SharesResult } from './results.ts';
import { partOfSplit } from './split-alpha.ts';

/** What is remembered from look to look. */
export interface TrustMemory {
  /** When the last split began that was looked at: gone, and the collection has begun anew. */
  readonly fromMs: number;
  /** The least likely that the shares of the units have ever been: what was once unlikely stays so. */
  readonly lowestP: number;
}

const ROUNDING = 1e-9;

/** Every cause there is. */
export const INVALID_CAUSES = ['gap', 'clock-skew', 'jump', 'shares', 'crossover', 'doubt'] as const;

export type InvalidCause = (typeof INVALID_CAUSES)[number];

export interface Trust {
  readonly shares: SharesResult;
  readonly crossover: Results['crossover'];
  readonly invalid: readonly { readonly cause: InvalidCause; readonly reason: string }[];
  /** To be handed in at the next look. */
  readonly memory: TrustMemory | null;
}

/** Names of the wrong ones, at most: one dimension may have a thousand slices. */
const CULPRITS_MAX = 5;

export interface TrustQuestion {
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** Left out: it is. Nothing comes of one that is paused, killed or concluded, and that is no gap. */
  readonly isRunning?: boolean;
  /** What the last look remembered; null: there was none. */
  readonly before: TrustMemory | null;
}

export function judgeTrust(collected: Collected, question: TrustQuestion): Trust {
  const { strata, skewMs, doubts } = collected;
  const { before } = question;
  const isSame = before !== null && strata.some(({ fromMs }) => fromMs === before.fromMs);
  const shares = sharesOf(collected, isSame ? before.lowestP : 1);
  const crossover = crossoverOf(strata);
  const invalid: Trust['invalid'] = [
    ...findInvalidities({ ...spansOf(collected, question), skewMs }),
    ...(shares.isMismatch ? [{ cause: 'shares' as const, reason: shares.reason }] : []),
    ...(crossover.state === 'breach' ? [{ cause: 'crossover' as const, reason: crossover.reason }] : []),
    ...doubts.map((reason) => ({ cause: 'doubt' as const, reason })),
  ];
  const last = strata.at(-1);
  const memory = last === undefined ? null : { fromMs: last.fromMs, lowestP: shares.p };
  return { shares, crossover, invalid, memory };
}

/** Those that are over: one that has only begun is no less than usual. */
function spansOf(
  { spans }: Collected,
  { nowMs, isRunning = true }: TrustQuestion,
): { readonly spans: readonly Span[]; readonly nowMs: number } {
  if (isRunning) return { spans: spans.filter(({ endMs }) => endMs <= nowMs), nowMs };
  // In the last one with anything it may have ended.
  const whole = spans.slice(
    0,
    Math.max(
      0,
      spans.findLastIndex(({ observations }) => observations > 0),
    ),
  );
  return { spans: whole, nowMs: whole.at(-1)?.endMs ?? nowMs };
}

/**
 * Of each time with its own split, alone and with its part of alpha: units that come back in the next one were dealt out by
 * the same hash, and their evidence would count twice if it were added up. When there are too many to follow all, the
 * sample is halved and the test goes on with a part of what it had: another look at chance, which costs ln 2 each time.
 */
function evidenceOf({ shares, units }: CollectedStratum, index: number): number {
  const counts = units.arms.map(({ dealt }) => dealt);
  return mismatchEvidence([{ counts, shares }]) + Math.log(partOfSplit(index) * units.followedShare);
}

function sharesOf({ strata, variants }: Collected, lowestP: number): SharesResult {
  const evidence = strata.map(evidenceOf);
  const most = Math.max(0, ...evidence);
  const p = Math.min(lowestP, Math.exp(-most));
  const isMismatch = p < SRM_ALPHA;
  const worst = strata[Math.max(0, evidence.lastIndexOf(Math.max(...evidence)))];
  if (worst === undefined) return { p: 1, isMismatch: false, reason: 'no units yet', culprits: [] };
  const culprits = isMismatch
    ? findCulprits(worst.units.dimensions, worst.shares)
        .slice(0, CULPRITS_MAX)
        .map(({ dimension, slice, share, expectedShare, units, explainsAll }) => ({
          ...{ dimension, slice, share, expectedShare, units, explainsAll },
        }))
    : [];
  return { p, isMismatch, reason: saying(worst, variants, { p, isMismatch, culprits }), culprits };
}

/** `units arrive as declared: candidate is 10.2% instead of 10% of 12,000 (p=0.61)` */
function saying(
  { shares, units }: CollectedStratum,
  variants: readonly string[],
  { p, isMismatch, culprits }: Pick<SharesResult, 'p' | 'isMismatch' | 'culprits'>,
): string {
  const counts = units.arms.map(({ dealt }) => dealt);
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return 'no units were dealt out yet';
  const whole = shares.reduce((sum, share) => sum + share, 0);
  const excess = shares.map((share, variant) => Math.abs((counts[variant] ?? 0) / all - share / whole));
  // Of two both are as far off: say it of the one that is not the first.
  const furthest = excess.findLastIndex((one) => one > Math.max(...excess) - ROUNDING);
  const seen = inWords((counts[furthest] ?? 0) / all, 'share');
  const declared = inWords(shares[furthest]! / whole, 'share');
  const numbers = `${variants[furthest]} has ${seen} instead of ${declared} of ${countInWords(all)} (${pInWords(p)})`;
  if (!isMismatch) return `units arrive as declared: ${numbers}`;
  return `units do not arrive as declared: ${numbers}${blaming(culprits)}`;
}

function blaming(culprits: SharesResult['culprits']): string {
  const [first] = culprits;
  if (first === undefined) return '';
  const { dimension, slice, explainsAll } = first;
  return `; look at ${dimension} ${slice}${explainsAll ? ', without which the rest is as declared' : ''}`;
}

/** `p=0.042`, or `p<0.001`. */
export function pInWords(p: number): string {
  return p < SRM_ALPHA ? `p<${SRM_ALPHA}` : `p=${Number(p.toPrecision(2))}`;
}

/** A unit in two times with other splits is two: it was dealt out, and could change sides, in each. */
function crossoverOf(strata: readonly CollectedStratum[]): Results['crossover'] {
  const crossed = strata.reduce((sum, { units }) => sum + units.crossed, 0);
  const all = strata.reduce(
    (sum, { units }) => sum + units.arms.reduce((arms, arm) => arms + arm.units, 0),
    0,
  );
  const judged = judgeCrossover(crossed, all, { alpha: SRM_ALPHA });
  return { ...judged, reason: crossoverInWords(judged, crossed, all) };
}

function crossoverInWords({ state, share, high }: Crossover, crossed: number, units: number): string {
  if (units === 0) return 'no units yet';
  const [count, limit] = [countInWords(crossed), inWords(CROSSOVER_MAX, 'share')];
  const numbers = `${count} of ${countInWords(units)} units (${inWords(share, 'share')}) were on several variants, limit ${limit}`;
  if (state === 'insufficient') return `${numbers}; too few to be sure, at most ${inWords(high, 'share')}`;
  return numbers;
}
