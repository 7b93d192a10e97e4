/**
 * Which statistic a metric of an experiment gets, and over which of the times with different splits. Means and ratios are
 * averaged over all of them (`strata.ts`). What has an exact interval, shares and quantiles, is not an average of anything:
 * it is judged in the time that tells most, or in the latest when the candidate is worse in it, each with its part of alpha
 * (`split-alpha.ts`). Pure.
 */
import type { AnalysisMetric, Collected, CollectedArm, CollectedStratum } from '../collection/collected.ts';
import { Distribution } from '../distribution.ts';
import { type Estimate, mean, ratio } from '../estimate.ts';
import { observationsFor } from '../eta.ts';
import { compare, type Interval, OBSERVATIONS_MIN } from '../interval.ts';
import type { Tosses } from '../mixture.ts';
import { Moments } from '../moments.ts';
import { compareQuantiles } from '../quantile-difference.ts';
import type { SequenceSettings } from '../sequence.ts';
import { compareShares } from '../share-difference.ts';
import { growthUntilKnown } from '../share-growth.ts';
import { combined, type Stratum } from '../strata.ts';
import { UnitSums } from '../unit-sums.ts';
import type { Needed } from '../verdict.ts';
import { partOfSplit } from './split-alpha.ts';
import { tossesOfUnits } from './unit-tosses.ts';

/** Of which variants, by their index. */
export interface Arms {
  readonly control: number;
  readonly candidate: number;
}

export interface Measured {
  /** With the observations that were seen: requests, or units. */
  readonly interval: Interval;
  /** Index of the one time with its own split that it is of; null: of all. */
  readonly stratum: number | null;
  /** That time was chosen because the candidate is worse in it, and it is the latest. */
  readonly isWorseNow: boolean;
  /** What the time that is left is made of. */
  readonly needed: Needed;
}

export function measure(
  metric: AnalysisMetric,
  { strata }: Collected,
  arms: Arms,
  settings: SequenceSettings,
): Measured {
  if (metric.kind === 'errors' || metric.kind === 'quantile') {
    const ofTime = (stratum: number, isWorseNow: boolean): Measured => {
      const part = { ...settings, alpha: settings.alpha * partOfSplit(stratum) };
      return { ...ofOne(metric, strata[stratum]!, arms, part), stratum, isWorseNow };
    };
    const telling = mostTelling(strata, metric, arms);
    const latest = latestOfBoth(strata, metric, arms);
    // What goes wrong now must not wait until there is more of it than of what was well before.
    const now = latest === telling ? null : ofTime(latest, true);
    return now !== null && isWorse(now.interval, metric) ? now : ofTime(telling, false);
  }
  const pairs = strata.map((stratum) => ({
    control: estimateOf(metric, stratum, arms.control),
    candidate: estimateOf(metric, stratum, arms.candidate),
  }));
  const { control, candidate } = combined(worthAveraging(pairs), metric.over === 'units' ? 'again' : 'once');
  const interval = compare(control, candidate, settings);
  return { interval, stratum: null, isWorseNow: false, needed: observationsFor };
}

/** How many of a variant there are: requests that were judged, values, or units. */
export function observationsOf(metric: AnalysisMetric, stratum: CollectedStratum, variant: number): number {
  if (metric.over === 'units') return stratum.units.arms[variant]?.units ?? 0;
  const arm = stratum[metric.by][variant];
  if (arm === undefined) return 0;
  return metric.kind === 'custom' ? momentsOf(metric, arm).count : arm.requests - arm.ignored;
}

/** Where a difference has the least error; what is seen of the metric has no say. The later one of equals. */
function mostTelling(strata: readonly CollectedStratum[], metric: AnalysisMetric, arms: Arms): number {
  const weights = strata.map((stratum) => {
    const [n, m] = pairOf(arms, (variant) => observationsOf(metric, stratum, variant));
    return n + m === 0 ? 0 : (n * m) / (n + m);
  });
  return weights.lastIndexOf(Math.max(...weights));
}

/** The last time in which there were some of both. */
function latestOfBoth(strata: readonly CollectedStratum[], metric: AnalysisMetric, arms: Arms): number {
  const latest = strata.findLastIndex((stratum) =>
    pairOf(arms, (variant) => observationsOf(metric, stratum, variant)).every((count) => count > 0),
  );
  return Math.max(0, latest);
}

/** Beyond doubt: than a guardrail allows, or at all. */
function isWorse({ low, high }: Interval, { better, role, margin }: AnalysisMetric): boolean {
  return (better === 'lower' ? low : -high) > (role === 'guardrail' ? margin : 0);
}

function ofOne(
  metric: AnalysisMetric,
  stratum: CollectedStratum,
  arms: Arms,
  settings: SequenceSettings,
): Pick<Measured, 'interval' | 'needed'> {
  if (metric.kind === 'quantile') {
    const [control, candidate] = pairOf(arms, (variant) => latenciesOf(metric, stratum, variant));
    const interval = compareQuantiles({ control, candidate, quantile: metric.quantile }, settings);
    return { interval, needed: observationsFor };
  }
  const [control, candidate] = pairOf(arms, (variant) => failuresOf(metric, stratum, variant));
  const observations = sum(pairOf(arms, (variant) => observationsOf(metric, stratum, variant)));
  const interval = { ...compareShares(control, candidate, settings), observations };
  const needed = (): number | null => {
    const growth = growthUntilKnown({ control, candidate }, metric, settings);
    return growth === null ? null : Math.ceil(growth * observations);
  };
  return { interval, needed };
}

function pairOf<T>({ control, candidate }: Arms, of: (variant: number) => T): [T, T] {
  return [of(control), of(candidate)];
}

function sum([one, other]: readonly [number, number]): number {
  return one + other;
}

function latenciesOf({ by }: AnalysisMetric, stratum: CollectedStratum, variant: number): Distribution {
  return stratum[by][variant]?.latencies ?? new Distribution();
}

function failuresOf({ over, by }: AnalysisMetric, stratum: CollectedStratum, variant: number): Tosses {
  if (over === 'units')
    return tossesOfUnits(stratum.units.arms[variant]?.sums.get('errors') ?? new UnitSums());
  const arm = stratum[by][variant];
  return { hits: arm?.failures ?? 0, trials: arm === undefined ? 0 : arm.requests - arm.ignored };
}

/** A time that has too few of either variant for an error of its own would be taken for sure; the last is as it is. */
function worthAveraging(pairs: readonly Stratum[]): readonly Stratum[] {
  const worth = pairs.filter(
    ({ control, candidate }) => Math.min(control.observations, candidate.observations) >= OBSERVATIONS_MIN,
  );
  return worth.length > 0 ? worth : pairs.slice(-1);
}

function estimateOf(metric: AnalysisMetric, stratum: CollectedStratum, variant: number): Estimate {
  if (metric.over === 'units')
    return ratio(stratum.units.arms[variant]?.sums.get(sumsNameOf(metric)) ?? new UnitSums());
  const arm = stratum[metric.by][variant];
  return mean(arm === undefined ? new Moments() : momentsOf(metric, arm));
}

/** Under which name the sums of its units are. */
function sumsNameOf({ kind, name }: AnalysisMetric): string {
  return kind === 'custom' ? name : kind;
}

function momentsOf({ kind, name }: AnalysisMetric, arm: CollectedArm): Moments {
  if (kind === 'latency') return arm.latency;
  if (kind === 'bytes') return arm.bytes;
  return arm.metrics.get(name)?.moments ?? new Moments();
}
