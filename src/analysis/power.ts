/**
 * How many observations an experiment needs, before it starts: for one look at the end, and for intervals that may be
 * looked at all the time (`sequence.ts`, `quantile-difference.ts`). Pure.
 *
 * One look: (z(1 - alpha / sides) + z(power))^2 times the variance by the squared effect; of proportions with the pooled
 * variance where there is no effect (Fleiss, Levin and Paik, "Statistical methods for rates and proportions", 2003, as R's
 * power.prop.test). All the time: the number at which the interval alone would find the effect with the power; since it
 * may have found it before, the power is a little higher. test/sim/analysis-power.test.ts measures it.
 */
import { RELATIVE_ERROR } from './distribution.ts';
import { atLeast } from './eta.ts';
import { mixingVariance, type SequenceSettings, sequenceWidth } from './sequence.ts';
import { normalQuantile } from './special.ts';

/** What is compared: how far one observation is off, squared. */
export interface Spread {
  readonly kind: 'proportion' | 'mean' | 'ratio' | 'quantile';
  readonly control: number;
  readonly candidate: number;
  /** Of an observation when there is no effect: of proportions that of the pooled share. */
  readonly pooled: number;
  /** How much further out the ends of the interval are than they need be, as the values are known to a bucket. */
  readonly resolution?: number;
}

export interface PowerQuestion {
  readonly spread: Spread;
  /** The difference that must not be missed, in the metric's own unit, not 0. */
  readonly effect: number;
  /** The candidate's share of the observations of both. */
  readonly candidateShare: number;
  /** The probability to find the effect when it is there. */
  readonly power: number;
  readonly settings: SequenceSettings;
}

export interface SampleSize {
  /** Of both variants together; null: more than 1e15. */
  readonly oneLook: number | null;
  /** Half of the experiments with that effect have found it before this. */
  readonly sequentialHalf: number | null;
  /** With looks all the time, the power is reached at the latest here. */
  readonly sequential: number | null;
}

export function sampleSize(question: PowerQuestion): SampleSize {
  const { power } = question;
  const quantile = normalQuantile(power);
  return {
    oneLook: atLeast((count) => isFoundAtOnce(question, count, quantile), 2),
    sequentialHalf: atLeast((count) => reach(question, count) >= 0, 2),
    sequential: atLeast((count) => reach(question, count) >= quantile, 2),
  };
}

function isFoundAtOnce(question: PowerQuestion, count: number, quantile: number): boolean {
  const { spread, effect, candidateShare, settings } = question;
  const alpha = settings.sides === 'two' ? settings.alpha / 2 : settings.alpha;
  const none = Math.sqrt(spread.pooled / count / candidateShare / (1 - candidateShare));
  return Math.abs(effect) >= -normalQuantile(alpha) * none + quantile * errorOf(question, count);
}

/** The standard error of the difference. */
function errorOf({ spread, candidateShare }: PowerQuestion, count: number): number {
  return Math.sqrt((spread.control / (1 - candidateShare) + spread.candidate / candidateShare) / count);
}

/** How many standard errors the effect reaches beyond the interval's end. */
function reach(question: PowerQuestion, count: number): number {
  const error = errorOf(question, count);
  const width =
    question.spread.kind === 'quantile'
      ? quantileWidth(question, count)
      : error * sequenceWidth(count, question.settings);
  return (Math.abs(question.effect) - width - (question.spread.resolution ?? 0)) / error;
}

/**
 * Of two beta-binomial mixtures that add up, for normal errors: the evidence of an arm is -ln(1 + t) / 2 + w z^2 / 2 with
 * w = t / (1 + t) and t its observations by mixing variance; the pair of errors that is refuted least has the width.
 */
function quantileWidth({ spread, candidateShare, settings }: PowerQuestion, count: number): number {
  const rho2 = mixingVariance(settings);
  const arms = [
    { variance: spread.control, observations: count * (1 - candidateShare) },
    { variance: spread.candidate, observations: count * candidateShare },
  ].map(({ variance, observations }) => ({ time: observations * rho2, squared: variance / observations }));
  const limit = arms.reduce((sum, { time }) => sum + Math.log1p(time) / 2, -Math.log(settings.alpha));
  const weighed = arms.reduce((sum, { time, squared }) => sum + (squared * (1 + time)) / time, 0);
  return Math.sqrt(2 * weighed * limit);
}

/** Of two shares. */
export function proportionSpread(control: number, candidate: number, candidateShare: number): Spread {
  const pooled = control + (candidate - control) * candidateShare;
  const of = (share: number): number => share * (1 - share);
  return { kind: 'proportion', control: of(control), candidate: of(candidate), pooled: of(pooled) };
}

/** Of a number with this standard deviation. */
export function meanSpread(deviation: number): Spread {
  const variance = deviation ** 2;
  return { kind: 'mean', control: variance, candidate: variance, pooled: variance };
}

/**
 * Of a ratio over units that have `perUnit` requests each, on average, which correlate by `correlation` (0: not at all, 1:
 * a unit's requests are all the same): the spread of one request times the design effect 1 + (perUnit - 1) x correlation
 * (Kish, "Survey sampling", 1965), by the requests. Observations are units.
 */
export function ratioSpread(request: Spread, perUnit: number, correlation: number): Spread {
  const factor = (1 + (perUnit - 1) * correlation) / perUnit;
  const { control, candidate, pooled } = request;
  return { kind: 'ratio', control: control * factor, candidate: candidate * factor, pooled: pooled * factor };
}

/**
 * Of a quantile of log-normal values, as latencies nearly are: q (1 - q) by the squared density there. `logDeviation`: the
 * standard deviation of the logarithm, from about 0.5 (narrow) to 1.5 (a long tail).
 */
export function quantileSpread(
  values: { readonly control: number; readonly candidate: number },
  quantile: number,
  logDeviation: number,
): Spread {
  const z = normalQuantile(quantile);
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI) / logDeviation;
  const of = (value: number): number => (quantile * (1 - quantile) * value ** 2) / density ** 2;
  const [control, candidate] = [of(values.control), of(values.candidate)];
  // An end is a bucket's: half a bucket too far, on average, of each of the two, and it must be past 0 by a whole one.
  const resolution = 1.5 * RELATIVE_ERROR * (values.control + values.candidate);
  return { kind: 'quantile', control, candidate, pooled: control, resolution };
}
