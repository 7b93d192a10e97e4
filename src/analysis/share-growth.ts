/**
 * How much longer it takes until it is known how two shares differ. The interval of a share near 0 narrows with the count,
 * and not with its root: a service in which nothing fails is known to be fine much sooner than `eta.ts` would say. So the
 * counts are made larger, as they are, until what is in the way is refuted. Pure.
 */
import type { Tosses } from './mixture.ts';
import type { SequenceSettings } from './sequence.ts';
import { evidenceAgainstDifference } from './share-difference.ts';

/** Nobody waits for so many times as much. */
const GROWTH_MAX = 2 ** 20;
/** Of the last doubling: within a percent. */
const HALVINGS = 7;

/** What would be known: that the difference is not the margin, or, of a goal, not 0 or not as far away as the margin. */
export interface ShareQuestion {
  readonly role: 'goal' | 'guardrail';
  readonly better: 'lower' | 'higher';
  readonly margin: number;
}

/** How many times as many tosses as there are, if they go on like this, from 1; null: more than anybody waits for. */
export function growthUntilKnown(
  { control, candidate }: { readonly control: Tosses; readonly candidate: Tosses },
  { role, better, margin }: ShareQuestion,
  settings: SequenceSettings,
): number | null {
  if (control.trials === 0 || candidate.trials === 0) return null;
  const limit = -Math.log(settings.alpha);
  const inTheWay =
    role === 'guardrail' ? [[better === 'lower' ? margin : -margin]] : [[0], [margin, -margin]];
  const isKnown = (growth: number): boolean => {
    const pair = { control: grown(control, growth), candidate: grown(candidate, growth) };
    return inTheWay.some((all) =>
      all.every((difference) => evidenceAgainstDifference(pair, difference, settings) >= limit),
    );
  };
  let high = 1;
  while (!isKnown(high)) {
    if (high >= GROWTH_MAX) return null;
    high *= 2;
  }
  let low = high / 2;
  for (let i = 0; i < HALVINGS && high > 1; i++) {
    const middle = (low + high) / 2;
    if (isKnown(middle)) high = middle;
    else low = middle;
  }
  return Math.max(1, high);
}

function grown({ hits, trials }: Tosses, growth: number): Tosses {
  return { hits: growth * hits, trials: growth * trials };
}
