/**
 * Units arrive in other shares than declared: where do the wrong ones come from? Every dimension (listener, worker, user
 * agent class, ...) cuts the units into slices; a slice whose own shares are wrong is a culprit, and the best dimension is
 * the one without whose culprits the rest is as declared. Pure.
 */
import { mismatchEvidence, SRM_ALPHA } from './sequential-srm.ts';

export interface Slice {
  readonly name: string;
  /** Units by variant. */
  readonly counts: readonly number[];
}

export interface Dimension {
  readonly name: string;
  readonly slices: readonly Slice[];
}

export interface Culprit {
  readonly dimension: string;
  readonly slice: string;
  readonly units: number;
  /** The variant that has too many of them by most, its share of the slice and the declared one. */
  readonly variant: number;
  readonly share: number;
  readonly expectedShare: number;
  /** Against the slice's having the declared shares, in nats. */
  readonly evidence: number;
  /** Whether all the dimension's other slices together are as declared. */
  readonly explainsAll: boolean;
}

/**
 * The slices with wrong shares, the surest explanation first. `alpha` is shared by all slices of a dimension, so that
 * more slices give no more false names.
 */
export function findCulprits(
  dimensions: readonly Dimension[],
  shares: readonly number[],
  alpha = SRM_ALPHA,
): Culprit[] {
  return dimensions
    .flatMap((dimension) => culpritsOf(dimension, shares, alpha))
    .sort((a, b) => Number(b.explainsAll) - Number(a.explainsAll) || b.evidence - a.evidence);
}

function culpritsOf({ name, slices }: Dimension, shares: readonly number[], alpha: number): Culprit[] {
  const limit = Math.log(slices.length / alpha);
  const evidence = slices.map(({ counts }) => mismatchEvidence([{ counts, shares }]));
  const rest = slices.filter((_, index) => evidence[index]! < limit).map(({ counts }) => counts);
  const restCounts = shares.map((_, variant) =>
    rest.reduce((sum, counts) => sum + (counts[variant] ?? 0), 0),
  );
  const explainsAll = mismatchEvidence([{ counts: restCounts, shares }]) < -Math.log(alpha);
  return slices.flatMap((slice, index) =>
    evidence[index]! < limit
      ? []
      : [
          {
            dimension: name,
            slice: slice.name,
            ...excessOf(slice, shares),
            evidence: evidence[index]!,
            explainsAll,
          },
        ],
  );
}

function excessOf({ counts }: Slice, shares: readonly number[]) {
  const units = counts.reduce((sum, count) => sum + count, 0);
  const whole = shares.reduce((sum, share) => sum + share, 0);
  const excess = shares.map((share, variant) => (counts[variant] ?? 0) / units - share / whole);
  const variant = excess.indexOf(Math.max(...excess));
  return { units, variant, share: (counts[variant] ?? 0) / units, expectedShare: shares[variant]! / whole };
}
