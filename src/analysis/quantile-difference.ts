/**
 * The difference of a quantile of two variants, with an interval that holds at every look, for any distribution and from
 * the first value: no normal approximation. By duality, as in Howard and Ramdas, "Sequential estimation of quantiles with
 * applications to A/B testing and best-arm identification" (2022): if x is the q-quantile, whether a value is at
 * most x is a toss of a coin with the share q, and `mixture.ts` says what speaks against that. The evidence of two variants
 * adds up (the product of two independent martingales is one), and the interval is of all pairs that are left.
 *
 * With buckets, a quantile is somewhere in one: the evidence against a bucket is the least of all places in it. That
 * keeps the guarantee also where many values are equal, and moves each end outwards by at most 1 % of each of the two values. One
 * side has the same ends as two sides: each of them alone holds with at least 1 - alpha. Pure.
 */
import { type Distribution, lowerEnd, upperEnd } from './distribution.ts';
import { type Interval, UNKNOWN } from './interval.ts';
import { concentrationFor, evidenceAgainst, mixtureAgainst } from './mixture.ts';
import { mixingVariance, type SequenceSettings } from './sequence.ts';

export interface QuantileQuestion {
  readonly control: Distribution;
  readonly candidate: Distribution;
  /** 0.99 for p99. */
  readonly quantile: number;
}

/** A place where a quantile may be, and what speaks against it, in nats. */
interface Place {
  readonly low: number;
  readonly high: number;
  readonly evidence: number;
}

/** Where the difference candidate - control of a quantile is. */
export function compareQuantiles(
  { control, candidate, quantile }: QuantileQuestion,
  settings: SequenceSettings,
): Interval {
  const [ofControl, ofCandidate] = [control.quantile(quantile), candidate.quantile(quantile)];
  const observations = control.count + candidate.count;
  const known = {
    control: ofControl,
    candidate: ofCandidate,
    observations,
    settings,
    observationsMissing: 0,
  };
  if (ofControl === null || ofCandidate === null) return { ...known, difference: null, ...UNKNOWN };
  const concentration = concentrationFor(mixingVariance(settings));
  const pair = [control, candidate].map((one) => placesOf(one, quantile, concentration));
  const ends = endsOf(pair[0]!, pair[1]!, -Math.log(settings.alpha));
  // Equal quantiles are in the same place, of all places of both.
  const p = Math.min(1, Math.exp(-leastTogether(pair[0]!, pair[1]!)));
  const isOpen = !Number.isFinite(ends.low) || !Number.isFinite(ends.high);
  const observationsMissing = isOpen ? missingFor(quantile, [control.count, candidate.count], settings) : 0;
  return { ...known, difference: ofCandidate - ofControl, ...ends, p, observationsMissing };
}

const DOUBLINGS = 60;
const HALVINGS = 20;

/** How many more of both it takes, in this proportion, until neither quantile may be above the largest value. */
function missingFor(quantile: number, counts: readonly number[], settings: SequenceSettings): number {
  const concentration = concentrationFor(mixingVariance(settings));
  const least = (trials: number): number =>
    evidenceAgainst({ hits: quantile * trials, trials }, quantile, concentration);
  const isClosed = (factor: number): boolean => {
    const [one, other] = [factor * counts[0]!, factor * counts[1]!];
    const against = (trials: number): number =>
      evidenceAgainst({ hits: trials, trials }, quantile, concentration);
    return Math.min(against(one) + least(other), against(other) + least(one)) >= -Math.log(settings.alpha);
  };
  let high = 1;
  for (let i = 0; i < DOUBLINGS && !isClosed(high); i++) high *= 2;
  let low = high / 2;
  for (let i = 0; i < HALVINGS; i++) {
    const factor = (low + high) / 2;
    if (isClosed(factor)) high = factor;
    else low = factor;
  }
  return Math.max(1, Math.ceil((counts[0]! + counts[1]!) * (high - 1)));
}

/** Every place from 0 up, in order: one for each bucket with values, and the gaps between them. */
function placesOf(distribution: Distribution, quantile: number, concentration: number): Place[] {
  const { count: trials } = distribution;
  const { from, to } = distribution.range;
  const wanted = quantile * trials;
  // The evidence is least for the expected count, and grows to both sides: of what is possible take the nearest.
  const evidence = mixtureAgainst(quantile, concentration, trials);
  const against = (low: number, high: number): number => evidence(Math.min(Math.max(wanted, low), high));
  const places: Place[] = [];
  let below = 0;
  let gapFrom = 0;
  for (let bucket = from; bucket < to; bucket++) {
    const here = distribution.countIn(bucket);
    if (here === 0) continue;
    if (lowerEnd(bucket) > gapFrom)
      places.push({ low: gapFrom, high: lowerEnd(bucket), evidence: against(below, below) });
    places.push({ low: lowerEnd(bucket), high: upperEnd(bucket), evidence: against(below, below + here) });
    below += here;
    gapFrom = upperEnd(bucket);
  }
  places.push({ low: gapFrom, high: Number.POSITIVE_INFINITY, evidence: against(below, below) });
  return places;
}

/** The least and the greatest difference of two places that are not refuted together. */
function endsOf(
  control: readonly Place[],
  candidate: readonly Place[],
  limit: number,
): Pick<Interval, 'low' | 'high'> {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  const least = Math.min(...control.map(({ evidence }) => evidence));
  for (const place of candidate) {
    if (place.evidence + least >= limit) continue;
    const isLeft = ({ evidence }: Place): boolean => evidence + place.evidence < limit;
    low = Math.min(low, place.low - control.findLast(isLeft)!.high);
    high = Math.max(high, place.high - control.find(isLeft)!.low);
  }
  return { low, high };
}

/** What speaks against both being at the same place, whichever speaks least. */
function leastTogether(control: readonly Place[], candidate: readonly Place[]): number {
  let least = Number.POSITIVE_INFINITY;
  let i = 0;
  let j = 0;
  while (i < control.length && j < candidate.length) {
    const [one, other] = [control[i]!, candidate[j]!];
    least = Math.min(least, one.evidence + other.evidence);
    if (one.high <= other.high) i++;
    if (other.high <= one.high) j++;
  }
  return least;
}
