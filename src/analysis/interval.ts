/** The difference candidate - control with the interval it is in, at every look. What verdicts are made of. Pure. */
import type { Estimate } from './estimate.ts';
import { type SequenceSettings, sequenceP, sequenceWidth } from './sequence.ts';
import { bent, skewnessOf, straightened } from './skewness.ts';

export interface Interval {
  /** The two values, in the metric's own unit; null: too few to say. */
  readonly control: number | null;
  readonly candidate: number | null;
  readonly difference: number | null;
  /** The ends; infinite while there is too little to say. */
  readonly low: number;
  readonly high: number;
  /** Of no difference at all; one side: of none in the direction of the one that is seen. */
  readonly p: number;
  /** Of both variants together. */
  readonly observations: number;
  readonly settings: SequenceSettings;
  /**
   * How many more it takes until both ends are given, about, when there are too few for how lopsided they are; 0 when
   * both are.
   */
  readonly observationsMissing: number;
}

/** Fewer of either and no interval is given: a variance from them is worth nothing. */
export const OBSERVATIONS_MIN = 50;

/**
 * How lopsided the error of the difference may be (its skewness) for the interval to hold. A mean of n values has the
 * skewness of one by the root of n, and in the difference of two equal arms it cancels: a small arm of heavy-tailed values
 * is what has much. Chosen by simulation: see docs/analysis.md and test/sim/analysis-false-alarms.test.ts.
 */
export const SKEWNESS_MAX = 0.3;

/**
 * Where the difference of two proportions, means or ratios is. A mean and its standard error depend on each other when
 * values are lopsided (a small arm that has seen none of the slow ones looks fast, and sure of it), so the ends are moved
 * as Hall does ("On the removal of skewness by transformation", 1992); the skewness is that of both arms together, as
 * the small arm does not know its own. Above `SKEWNESS_MAX` the end that lies is left open, and the other stays: what
 * fails most of its first calls is found to be worse at once.
 */
export function compare(control: Estimate, candidate: Estimate, settings: SequenceSettings): Interval {
  const observations = control.observations + candidate.observations;
  const known = { control: valueIn(control), candidate: valueIn(candidate), observations, settings };
  const smaller = Math.min(control.observations, candidate.observations);
  const error = Math.sqrt(
    control.variance / control.observations + candidate.variance / candidate.observations,
  );
  const difference = smaller === 0 ? null : candidate.value - control.value;
  if (difference === null || smaller < OBSERVATIONS_MIN || error === 0)
    return {
      ...known,
      difference,
      ...UNKNOWN,
      observationsMissing: missingFor(smaller, observations, error),
    };
  const skewness = skewnessOf(control, candidate);
  const width = sequenceWidth(observations, settings);
  const missing = Math.max(0, Math.ceil(observations * ((skewness / SKEWNESS_MAX) ** 2 - 1)));
  return {
    ...known,
    difference,
    ...(missing > 0
      ? oneEnd({ difference, error, skewness, width }, observations, settings)
      : bothEnds({ difference, error, skewness, width }, observations, settings)),
    observationsMissing: missing,
  };
}

interface Seen {
  readonly difference: number;
  readonly error: number;
  readonly skewness: number;
  /** In standard errors. */
  readonly width: number;
}

type Ends = Pick<Interval, 'low' | 'high' | 'p'>;

function bothEnds({ difference, error, skewness, width }: Seen, n: number, settings: SequenceSettings): Ends {
  const errors = straightened(difference / error, skewness);
  return {
    low: difference - error * bent(width, skewness),
    high: difference - error * bent(-width, skewness),
    p: sequenceP(settings.sides === 'two' ? errors : Math.abs(errors), n, settings),
  };
}

/** A tail to the right makes the small arm look low too often, and never too high. */
function oneEnd({ difference, error, skewness, width }: Seen, n: number, settings: SequenceSettings): Ends {
  const isTailUp = skewness > 0;
  const errors = difference / error;
  return {
    low: isTailUp ? difference - error * width : UNKNOWN.low,
    high: isTailUp ? UNKNOWN.high : difference + error * width,
    p: errors > 0 === isTailUp ? sequenceP(Math.abs(errors), n, settings) : 1,
  };
}

export const UNKNOWN = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, p: 1 } as const;

function valueIn({ value, observations }: Estimate): number | null {
  return observations === 0 ? null : value;
}

/** In proportion: the smaller arm fills as it did. Values that are all the same say nothing of when another one comes. */
function missingFor(smaller: number, observations: number, error: number): number {
  if (smaller === 0 || (smaller >= OBSERVATIONS_MIN && error === 0)) return Number.POSITIVE_INFINITY;
  return Math.max(0, Math.ceil((observations * (OBSERVATIONS_MIN - smaller)) / smaller));
}
