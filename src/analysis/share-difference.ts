/**
 * Shares and the difference of two of them, with intervals that hold at every look, exactly: from the first request, for
 * shares near 0, and when nothing has ever failed, where `compare` waits for an error that looks normal. By duality, as in
 * `quantile-difference.ts`: the evidence against a pair of shares is that against each, added up, since the product of two
 * independent martingales is one; the interval is of the differences of all pairs that are left. The evidence against one
 * share is that of `mixture.ts`, half with a prior for small differences and half with one for large ones (the mean of two
 * martingales is one, too), so that a variant that fails everything is found by its first requests. Pure.
 */
import { type Interval, UNKNOWN } from './interval.ts';
import { type Bounds, concentrationFor, evidenceAgainst, type Tosses } from './mixture.ts';
import { mixingVariance, type SequenceSettings } from './sequence.ts';

/** Of an end, from where it is known within one: rounded outwards, so that what is left only widens it. */
const HALVINGS = 10;
const DOUBLINGS = 40;
/** Pairs that are tried for one difference, and how often the nearest ones are looked at more closely. */
const PLACES = 8;
const CLOSER = 3;
/** Tosses that the prior for large differences is worth. */
const FEW = 8;

/** Where a share is; each end holds with 1 - alpha. */
export function boundShare(tosses: Tosses, settings: SequenceSettings): Bounds {
  const seen = share(tosses);
  if (seen === null) return { low: 0, high: 1 };
  const concentration = concentrationFor(mixingVariance(settings));
  const against = (p: number): number => evidence(tosses, p, concentration);
  const question = { against, limit: -Math.log(settings.alpha), seen, error: errorOf(tosses) };
  return { low: edge(0, question), high: edge(1, question) };
}

/** Where candidate - control is; each end holds with 1 - alpha. */
export function compareShares(control: Tosses, candidate: Tosses, settings: SequenceSettings): Interval {
  const observations = control.trials + candidate.trials;
  const known = { observations, settings, observationsMissing: 0 };
  const [ofControl, ofCandidate] = [share(control), share(candidate)];
  if (ofControl === null || ofCandidate === null)
    return { ...known, control: ofControl, candidate: ofCandidate, difference: null, ...UNKNOWN };
  const concentration = concentrationFor(mixingVariance(settings));
  const against = (difference: number): number =>
    leastTogether({ control, candidate }, difference, concentration);
  const seen = ofCandidate - ofControl;
  const error = Math.hypot(errorOf(control), errorOf(candidate));
  const question = { against, limit: -Math.log(settings.alpha), seen, error };
  return {
    ...known,
    control: ofControl,
    candidate: ofCandidate,
    difference: seen,
    low: edge(-1, question),
    high: edge(1, question),
    p: Math.min(1, Math.exp(-against(0))),
  };
}

/** What speaks against candidate - control being this, in nats: more than -ln alpha, ever, with at most the probability alpha. */
export function evidenceAgainstDifference(
  pair: { readonly control: Tosses; readonly candidate: Tosses },
  difference: number,
  settings: SequenceSettings,
): number {
  return leastTogether(pair, difference, concentrationFor(mixingVariance(settings)));
}

interface Edge {
  readonly against: (value: number) => number;
  readonly limit: number;
  readonly seen: number;
  /** About how far away the end is, for a start. */
  readonly error: number;
}

/** The nearest value towards `far` that is refuted, or `far`. */
function edge(far: number, { against, limit, seen, error }: Edge): number {
  const way = Math.sign(far - seen);
  if (way === 0 || against(far) < limit) return far;
  let inside = seen;
  let outside = far;
  for (let i = 0, width = 2 * error; i < DOUBLINGS; i++, width *= 2) {
    const tried = seen + way * width;
    if (way > 0 ? tried >= far : tried <= far) break;
    if (against(tried) >= limit) {
      outside = tried;
      break;
    }
    inside = tried;
  }
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (outside + inside) / 2;
    if (against(middle) >= limit) outside = middle;
    else inside = middle;
  }
  return outside;
}

/** What speaks against a difference, whichever pair of shares that have it speaks least. */
function leastTogether(
  { control, candidate }: { readonly control: Tosses; readonly candidate: Tosses },
  difference: number,
  concentration: number,
): number {
  const both = (p: number): number =>
    evidence(control, p, concentration) + evidence(candidate, p + difference, concentration);
  const [least, most] = [Math.max(0, -difference), Math.min(1, 1 - difference)];
  const clamp = (p: number): number => Math.min(most, Math.max(least, p));
  // Away from what was seen each has more evidence against it: the least is between the two.
  const ends = [clamp(share(control) ?? 0), clamp((share(candidate) ?? 0) - difference)].sort(
    (a, b) => a - b,
  );
  let [low, high] = ends as [number, number];
  let found = Math.min(both(low), both(high));
  for (let round = 0; round < CLOSER && high > low; round++) {
    const step = (high - low) / PLACES;
    let best = 0;
    let here = Number.POSITIVE_INFINITY;
    for (let index = 0; index <= PLACES; index++) {
      const there = both(low + index * step);
      if (there < here) [best, here] = [index, there];
    }
    found = Math.min(found, here);
    const middle = low + best * step;
    [low, high] = [Math.max(ends[0]!, middle - step), Math.min(ends[1]!, middle + step)];
  }
  return found;
}

function evidence(tosses: Tosses, p: number, concentration: number): number {
  const [small, large] = [evidenceAgainst(tosses, p, concentration), evidenceAgainst(tosses, p, FEW)];
  const most = Math.max(small, large);
  if (!Number.isFinite(most)) return most;
  return most + Math.log((Math.exp(small - most) + Math.exp(large - most)) / 2);
}

/** One hit and one miss more: of what was never seen nobody knows that there is none. */
function errorOf({ hits, trials }: Tosses): number {
  const p = (hits + 1) / (trials + 2);
  return Math.sqrt((p * (1 - p)) / (trials + 2));
}

function share({ hits, trials }: Tosses): number | null {
  return trials === 0 ? null : hits / trials;
}
