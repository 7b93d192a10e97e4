/**
 * Is there reason to believe the numbers at all? Gaps, clocks that disagree and jumps that no experiment makes: any of
 * them and the analysis is invalid, which means hold, not roll back. Pure, told the time.
 */

/** What came in during one span of time, oldest first; spans of about the same length. */
export interface Span {
  readonly startMs: number;
  readonly endMs: number;
  readonly observations: number;
}

export interface ValidityLimits {
  /** No observation for longer than this, although they came before. */
  readonly gapMsMax: number;
  /** How far an event's own time may be from that of its arrival. */
  readonly skewMsMax: number;
  /** A span with so many times the usual observations, or one in so many, is a jump. */
  readonly jumpFactor: number;
}

/** A gap of 5 minutes, clocks within 1 minute, ten times as much as usual. */
export const VALIDITY_LIMITS: ValidityLimits = { gapMsMax: 300_000, skewMsMax: 60_000, jumpFactor: 10 };

export interface Invalidity {
  readonly cause: 'gap' | 'clock-skew' | 'jump';
  /** One sentence with the number and the limit. */
  readonly reason: string;
}

/** How many spans say what is usual. */
const USUAL_SPANS_MIN = 5;
/** What is usual must be more than chance: a tenth of 100 is a jump, a tenth of 10 is not. */
const USUAL_OBSERVATIONS_MIN = 100;

/** How many observations are missing in a gap at least: none of 20 by chance is one in 500 million. */
const MISSED_MIN = 20;

export interface ValidityQuestion {
  /** The last span ends at `nowMs`, or before it when nothing came since. */
  readonly spans: readonly Span[];
  readonly nowMs: number;
  /** The largest difference between an event's own time and that of its arrival. */
  readonly skewMs: number;
  readonly limits?: ValidityLimits;
}

/** Why the numbers are not to be believed; none: they are. */
export function findInvalidities({
  spans,
  nowMs,
  skewMs,
  limits = VALIDITY_LIMITS,
}: ValidityQuestion): Invalidity[] {
  return [gap(spans, nowMs, limits), skew(skewMs, limits), jump(spans, limits)].filter((one) => one !== null);
}

function gap(spans: readonly Span[], nowMs: number, { gapMsMax }: ValidityLimits): Invalidity | null {
  const withData = spans.filter(({ observations }) => observations > 0);
  const ends = [...withData.slice(1).map(({ startMs }) => startMs), nowMs];
  const longest = Math.max(0, ...withData.map(({ endMs }, index) => ends[index]! - endMs));
  if (longest <= gapMsMax) return null;
  // Where little comes, nothing comes for a while by chance.
  const otherMs = Math.max(1, nowMs - withData[0]!.startMs - longest);
  const missed = (longest * withData.reduce((sum, one) => sum + one.observations, 0)) / otherMs;
  if (missed < MISSED_MIN) return null;
  return { cause: 'gap', reason: `no data for ${seconds(longest)} (at most ${seconds(gapMsMax)})` };
}

function skew(skewMs: number, { skewMsMax }: ValidityLimits): Invalidity | null {
  if (Math.abs(skewMs) <= skewMsMax) return null;
  return {
    cause: 'clock-skew',
    reason: `clocks differ by ${seconds(Math.abs(skewMs))} (at most ${seconds(skewMsMax)})`,
  };
}

/** The last whole span beside the median of those before. */
function jump(spans: readonly Span[], { jumpFactor }: ValidityLimits): Invalidity | null {
  const last = spans.at(-1);
  const before = spans.slice(0, -1).map(({ observations }) => observations);
  if (last === undefined || before.length < USUAL_SPANS_MIN) return null;
  const usual = before.sort((a, b) => a - b)[Math.floor(before.length / 2)]!;
  if (usual < USUAL_OBSERVATIONS_MIN) return null;
  const factor = last.observations / usual;
  if (factor <= jumpFactor && factor >= 1 / jumpFactor) return null;
  return {
    cause: 'jump',
    reason: `${last.observations} observations in the last span, ${usual} are usual (a factor of at most ${jumpFactor})`,
  };
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}
