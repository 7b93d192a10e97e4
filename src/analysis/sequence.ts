/**
 * How wide an interval must be that may be looked at as often as one likes: the asymptotic confidence sequence of
 * Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences"
 * (2023; arXiv 2103.06476v7, eq. 9, with the scale of eq. 161 and the p-value of eq. 155), as GrowthBook has it too; for
 * one side the one of its appendix B. With probability 1 - alpha the truth is inside at every look, not at one. Pure.
 */

/** Where the interval is narrowest, beside one for a single look: at this many observations. GrowthBook's default. */
export const TUNED_FOR = 5000;

/**
 * Two sides: the truth is between the ends with 1 - alpha. One: each end holds with 1 - alpha alone, for a question that
 * asks one way, such as "not worse by more than 1 %".
 */
export type Sides = 'two' | 'one';

export interface SequenceSettings {
  /** The probability to be wrong at any look, ever. */
  readonly alpha: number;
  readonly sides: Sides;
  /** Observations at which the interval should be narrowest. Set before the first look. */
  readonly tunedFor: number;
}

/** rho squared: 1 / (rho squared) observations are what the sequence waits for before it begins to narrow. */
export function mixingVariance({ alpha, sides, tunedFor }: SequenceSettings): number {
  const log = -2 * Math.log(sides === 'two' ? alpha : Math.min(0.5, 2 * alpha));
  return (log + Math.log(log + 1)) / tunedFor;
}

/**
 * How many standard errors the end of the interval is away, after `observations` (from 1): 3.0 at its narrowest for
 * two sides and an alpha of 5 %, where a single look would have 1.96.
 */
export function sequenceWidth(observations: number, settings: SequenceSettings): number {
  const time = observations * mixingVariance(settings);
  const root = Math.sqrt(time + 1);
  const log =
    settings.sides === 'two' ? Math.log(root / settings.alpha) : Math.log(1 + root / (2 * settings.alpha));
  return Math.sqrt((2 * (time + 1) * log) / time);
}

/**
 * The always-valid p-value of an estimate that is `errors` standard errors away from what it is tested against: at most
 * alpha at any look with at most the probability alpha. One side: of being that far above; 1 for what is below.
 */
export function sequenceP(errors: number, observations: number, settings: SequenceSettings): number {
  const time = observations * mixingVariance(settings);
  const half = (errors ** 2 * time) / (2 * (time + 1));
  // In logs: e to the `half` overflows for what is certain.
  const log = Math.log(time + 1) / 2;
  if (settings.sides === 'two') return Math.min(1, Math.exp(log - half));
  if (errors <= 0) return 1;
  return Math.min(1, Math.exp(log - Math.LN2 - half - Math.log1p(-Math.exp(-half))));
}
