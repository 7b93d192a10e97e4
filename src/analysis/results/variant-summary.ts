/** The numbers of each variant, added up over the whole time: what was seen, and no comparison. Pure. */
import type { Collected, CollectedArm, CollectedStratum } from '../collection/collected.ts';
import { Distribution } from '../distribution.ts';
import { Moments } from '../moments.ts';
import type { VariantSummary } from './results.ts';

const WHOLE_PPM = 1_000_000;

/**
 * By assigned or served variant. `seenShare` is of the present split, as `share` is; everything else of all splits, where
 * a unit counts in each in which it came. Units are those assigned; `served` has none.
 */
export function summariesOf(collected: Collected, by: 'assigned' | 'served'): VariantSummary[] {
  const { variants, strata } = collected;
  const present = strata.at(-1);
  const counts = variants.map((_, variant) => {
    if (present === undefined) return 0;
    return by === 'assigned'
      ? (present.units.arms[variant]?.units ?? 0)
      : (present.served[variant]?.requests ?? 0);
  });
  const all = counts.reduce((sum, count) => sum + count, 0);
  return variants.map((name, variant) => {
    const arms = strata.flatMap((stratum) => stratum[by][variant] ?? []);
    return {
      name,
      share: (present?.shares[variant] ?? 0) / WHOLE_PPM,
      seenShare: all === 0 ? null : counts[variant]! / all,
      units: by === 'assigned' ? sumOf(strata, (stratum) => unitsIn(stratum, variant)) : 0,
      ...numbersOf(arms),
    };
  });
}

/** Exactly, while all are followed. */
function unitsIn({ units }: CollectedStratum, variant: number): number {
  const arm = units.arms[variant];
  if (arm === undefined) return 0;
  return units.followedShare === 1 ? arm.units : arm.distinct;
}

function numbersOf(arms: readonly CollectedArm[]) {
  const requests = sumOf(arms, (arm) => arm.requests);
  const judged = requests - sumOf(arms, (arm) => arm.ignored);
  const latency = merged(arms.map((arm) => arm.latency));
  const latencies = new Distribution();
  for (const arm of arms) latencies.merge(arm.latencies);
  const bytes = merged(arms.map((arm) => arm.bytes));
  return {
    requests,
    errorShare: judged === 0 ? null : sumOf(arms, (arm) => arm.failures) / judged,
    slowShare: judged === 0 ? null : sumOf(arms, (arm) => arm.slow) / judged,
    latencyMs: {
      mean: meanOf(latency),
      p50: latencies.quantile(0.5),
      p90: latencies.quantile(0.9),
      p95: latencies.quantile(0.95),
      p99: latencies.quantile(0.99),
    },
    bytesMean: meanOf(bytes),
    metrics: metricsOf(arms),
  };
}

function metricsOf(arms: readonly CollectedArm[]): VariantSummary['metrics'] {
  const names = new Set(arms.flatMap(({ metrics }) => [...metrics.keys()]));
  return Array.from(names, (name) => {
    const moments = merged(arms.flatMap(({ metrics }) => metrics.get(name)?.moments ?? []));
    return { name, count: moments.count, mean: meanOf(moments) };
  });
}

function merged(parts: readonly Moments[]): Moments {
  const whole = new Moments();
  for (const part of parts) whole.merge(part);
  return whole;
}

function meanOf(moments: Moments): number | null {
  return moments.count === 0 ? null : moments.mean;
}

function sumOf<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0);
}
