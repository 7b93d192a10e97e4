/** How many observations it takes, if what comes is like what came. Pure. */
import type { Interval } from './interval.ts';
import { sequenceWidth } from './sequence.ts';

/** No experiment has more, and a search must end. */
const OBSERVATIONS_MAX = 1e15;
const HALVINGS = 60;

/**
 * Observations of both variants together after which the interval reaches no more than `halfWidth` to either side of the
 * difference, which is taken to stay as it is: as many as there are at least; null: more than anybody has, or nothing is
 * known. For quantiles it is about so (their interval narrows nearly alike).
 */
export function observationsFor(interval: Interval, halfWidth: number): number | null {
  const { difference, low, high, observations, observationsMissing, settings } = interval;
  const known = observations + observationsMissing;
  if (difference === null || !(halfWidth > 0)) return null;
  const sides = [high - difference, difference - low].filter(Number.isFinite);
  if (sides.length === 0) return Number.isFinite(known) ? known : null;
  const width = (count: number): number => sequenceWidth(count, settings) / Math.sqrt(count);
  const wanted = (width(observations) * halfWidth) / Math.max(...sides);
  return atLeast((count) => width(count) <= wanted, Math.max(1, known));
}

/** The least whole number from `from` for which something holds that holds for all above it; null: none up to 1e15. */
export function atLeast(holds: (count: number) => boolean, from: number): number | null {
  if (holds(from)) return Math.ceil(from);
  let low = from;
  let high = 2 * from;
  for (; !holds(high); high *= 2) {
    if (high > OBSERVATIONS_MAX) return null;
    low = high;
  }
  for (let i = 0; i < HALVINGS; i++) {
    const middle = (low + high) / 2;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return Math.ceil(high - 1e-6);
}
