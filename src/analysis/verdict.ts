/**
 * What an interval means for a decision: three-valued, plus "no difference that matters". Too little data is a verdict of
 * its own, with the time it takes at the present rate, and never a success or a failure. A reason is one sentence with
 * its numbers. Pure.
 */
import { observationsFor } from './eta.ts';
import type { Interval } from './interval.ts';
import {
  countInWords,
  differenceInWords,
  durationInWords,
  intervalInWords,
  inWords,
  type MetricUnit,
} from './wording.ts';

/** What the metric means. */
export interface Meaning {
  readonly name: string;
  readonly unit: MetricUnit;
  readonly better: 'lower' | 'higher';
  /** A difference up to this does not matter; in the metric's own unit, from 0. A guardrail may be worse by so much. */
  readonly margin: number;
}

/** How many observations it takes until the interval reaches no more than `halfWidth` to either side; null: nobody knows. */
export type Needed = (interval: Interval, halfWidth: number) => number | null;

interface Insufficient {
  readonly kind: 'insufficient';
  /** Of both variants together, with those there are; null: nobody knows. */
  readonly observationsNeeded: number | null;
  readonly etaMs: number | null;
  readonly reason: string;
}

export type Verdict =
  | { readonly kind: 'better' | 'worse' | 'noDifference'; readonly reason: string }
  | Insufficient;

export type GuardrailVerdict = { readonly kind: 'pass' | 'breach'; readonly reason: string } | Insufficient;

/** Is the candidate better, worse, or the same within the margin? `ratePerSecond`: observations that come in, of both. */
export function judge(
  interval: Interval,
  meaning: Meaning,
  ratePerSecond: number,
  needed: Needed = observationsFor,
): Verdict {
  const { low, high } = badness(interval, meaning);
  const { margin } = meaning;
  if (low >= -margin && high <= margin && margin > 0)
    return { kind: 'noDifference', reason: saying(interval, meaning, `within ${ofMargin(meaning)}`) };
  if (low > 0) return { kind: 'worse', reason: saying(interval, meaning, 'worse') };
  if (high < 0) return { kind: 'better', reason: saying(interval, meaning, 'better') };
  const seen = Math.abs(interval.difference ?? 0);
  return insufficient(interval, meaning, {
    halfWidth: Math.max(seen, margin - seen),
    ratePerSecond,
    needed,
  });
}

/** Is the candidate not worse by more than the margin? For an interval of one side. */
export function judgeGuardrail(
  interval: Interval,
  meaning: Meaning,
  ratePerSecond: number,
  needed: Needed = observationsFor,
): GuardrailVerdict {
  const { low, high, difference } = badness(interval, meaning);
  const { margin } = meaning;
  if (low > margin)
    return { kind: 'breach', reason: saying(interval, meaning, `worse by more than ${ofMargin(meaning)}`) };
  if (high <= margin)
    return { kind: 'pass', reason: saying(interval, meaning, `not worse by more than ${ofMargin(meaning)}`) };
  return insufficient(interval, meaning, {
    halfWidth: Math.abs(difference - margin),
    ratePerSecond,
    needed,
  });
}

/** The interval with worse upwards. */
function badness({ low, high, difference }: Interval, { better }: Meaning) {
  const seen = difference ?? 0;
  return better === 'lower' ? { low, high, difference: seen } : { low: -high, high: -low, difference: -seen };
}

function ofMargin({ margin, unit }: Meaning): string {
  return differenceInWords(margin, unit).replace(/^\+/, '');
}

/** `errors: worse: 7.1% instead of 5%, between +0.9 pp and +3.3 pp (n=12,400)` */
function saying(interval: Interval, { name, unit }: Meaning, what: string): string {
  const { control, candidate, low, high, observations } = interval;
  if (control === null || candidate === null) return `${name}: ${what} (n=${countInWords(observations)})`;
  return `${name}: ${what}: ${inWords(candidate, unit)} instead of ${inWords(control, unit)}, ${intervalInWords(low, high, unit)} (n=${countInWords(observations)})`;
}

interface Wanted {
  readonly halfWidth: number;
  readonly ratePerSecond: number;
  readonly needed: Needed;
}

function insufficient(
  interval: Interval,
  meaning: Meaning,
  { halfWidth, ratePerSecond, needed }: Wanted,
): Insufficient {
  const observationsNeeded = needed(interval, halfWidth);
  const left = observationsNeeded === null ? null : observationsNeeded - interval.observations;
  const etaMs = left === null || !(ratePerSecond > 0) ? null : (left / ratePerSecond) * 1000;
  return {
    kind: 'insufficient',
    observationsNeeded,
    etaMs,
    reason: saying(interval, meaning, `not enough data yet, ${waiting(etaMs, ratePerSecond)}`),
  };
}

function waiting(etaMs: number | null, ratePerSecond: number): string {
  if (!(ratePerSecond > 0)) return 'and none is coming in';
  return etaMs === null ? 'and nobody can say how long' : durationInWords(etaMs);
}
