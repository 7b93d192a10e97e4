/**
 * What goes on right now, out of two readings of what was counted: requests a second, shares and quantiles of each variant and
 * route between them. Quantiles are interpolated within the buckets of the latency histogram, so they are as fine as
 * those are: good to see by, not to decide by. Pure.
 *
 * A request in several experiments counts in each of them, and one that failed over for both variants, as on the page of
 * metrics. What is counted under names that the configuration does not have any more is left out.
 */
import { DURATION_BUCKETS } from './histogram.ts';
import { AT, type LiveCounts, NUMBERS } from './live-counts.ts';

/** Names of the configuration, in its order. */
export interface LiveNames {
  readonly experiments: readonly { readonly name: string; readonly variants: readonly string[] }[];
  readonly routes: readonly string[];
}

/** What was counted up to one point in time. */
export interface Reading {
  /** On a clock that never jumps. */
  readonly atMs: number;
  readonly variants: ReadonlyMap<string, Tally>;
  readonly routes: ReadonlyMap<string, RouteTally>;
}

/** Requests and failures are totals, the rest is of the interval; null: nothing was there to reckon it from. */
export interface LiveVariant {
  readonly name: string;
  readonly requests: number;
  readonly failures: number;
  readonly requestsPerSecond: number | null;
  readonly errorShare: number | null;
  readonly slowShare: number | null;
  readonly p50Ms: number | null;
  readonly p90Ms: number | null;
  readonly p99Ms: number | null;
  readonly inFlight: number;
}

export interface LiveRoute {
  readonly name: string;
  readonly requestsPerSecond: number | null;
  readonly errorShare: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

export interface LiveStats {
  /** Null: there is one reading only. */
  readonly intervalMs: number | null;
  readonly experiments: readonly { readonly name: string; readonly variants: readonly LiveVariant[] }[];
  readonly routes: readonly LiveRoute[];
}

/** Adds up what processes have counted. */
export function readingOf(processes: readonly LiveCounts[], atMs: number): Reading {
  const variants = new Map<string, Tally>();
  const routes = new Map<string, RouteTally>();
  for (const { series, forwarded } of processes) {
    for (const { route, experiment, variant, numbers } of series) {
      const ofRoute = itemOf(routes, route, newRoute);
      ofRoute.add(numbers);
      ofRoute.parts.set(experiment, (ofRoute.parts.get(experiment) ?? 0) + numbers[AT.requests]!);
      if (experiment !== '') itemOf(variants, keyOf(experiment, variant), newTally).add(numbers);
    }
    for (const [route, count] of forwarded) itemOf(routes, route, newRoute).forwarded += count;
  }
  return { atMs, variants, routes };
}

/** `before`: null, and there are totals only. */
export function liveStats(
  { experiments, routes }: LiveNames,
  now: Reading,
  before: Reading | null,
): LiveStats {
  const intervalMs = before === null ? null : now.atMs - before.atMs;
  return {
    intervalMs: intervalMs === null ? null : Math.round(intervalMs),
    experiments: experiments.map(({ name, variants }) => ({
      name,
      variants: variants.map((variant) => {
        const key = keyOf(name, variant);
        const tally = now.variants.get(key) ?? NOTHING;
        const { requests, ...rest } = since(tally, before && (before.variants.get(key) ?? NOTHING));
        return {
          name: variant,
          requests: tally.numbers[AT.requests]!,
          failures: tally.numbers[AT.failures]!,
          requestsPerSecond: perSecond(requests, intervalMs),
          ...rest,
          inFlight: tally.numbers[AT.inFlight]!,
        };
      }),
    })),
    routes: routes.map((name) => {
      const tally = now.routes.get(name) ?? NOWHERE;
      const earlier = before && (before.routes.get(name) ?? NOWHERE);
      const { errorShare, p50Ms, p99Ms } = since(tally, earlier);
      const requests = earlier && tally.requestsSince(earlier);
      return { name, requestsPerSecond: perSecond(requests, intervalMs), errorShare, p50Ms, p99Ms };
    }),
  };
}

/** Counts of some label sets together. */
class Tally {
  readonly numbers = new Float64Array(NUMBERS);

  add(numbers: Float64Array): void {
    for (let at = 0; at < NUMBERS; at++) this.numbers[at] = this.numbers[at]! + numbers[at]!;
  }
}

class RouteTally extends Tally {
  /** Requests that were sent on, each once. */
  forwarded = 0;
  /** Requests by experiment; '' for those in none. */
  readonly parts = new Map<string, number>();

  /**
   * Those in no experiment and those of the experiment that has most: nobody knows who is in several. Where experiments
   * share no unit that is too few, and what was sent on is nearer.
   */
  requestsSince(before: RouteTally): number {
    let most = 0;
    let alone = 0;
    for (const [experiment, requests] of this.parts) {
      const count = requests - (before.parts.get(experiment) ?? 0);
      if (experiment === '') alone = count;
      else most = Math.max(most, count);
    }
    return Math.max(alone + most, this.forwarded - before.forwarded);
  }
}

const newTally = (): Tally => new Tally();
const newRoute = (): RouteTally => new RouteTally();
const NOTHING = new Tally();
const NOWHERE = new RouteTally();

function itemOf<T>(map: Map<string, T>, key: string, make: () => T): T {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

function keyOf(experiment: string, variant: string): string {
  return `${experiment}\0${variant}`;
}

function since({ numbers: now }: Tally, earlier: Tally | null) {
  if (earlier === null)
    return { requests: null, errorShare: null, slowShare: null, p50Ms: null, p90Ms: null, p99Ms: null };
  const before = earlier.numbers;
  const requests = now[AT.requests]! - before[AT.requests]!;
  const share = (at: number): number | null =>
    requests <= 0 ? null : round(Math.min(1, Math.max(0, (now[at]! - before[at]!) / requests)), 1e6);
  return {
    requests,
    errorShare: share(AT.failures),
    slowShare: share(AT.slow),
    ...quantiles(now, before),
  };
}

/** Within its bucket a duration may be anything: as if they were spread out evenly. Above the last bound: that. */
function quantiles(now: Float64Array, before: Float64Array) {
  let total = 0;
  for (let at = AT.buckets; at < NUMBERS; at++) total += now[at]! - before[at]!;
  if (total <= 0) return { p50Ms: null, p90Ms: null, p99Ms: null };
  const { boundsMs } = DURATION_BUCKETS;
  const quantile = (share: number): number => {
    const wanted = share * total;
    let below = 0;
    let lowerMs = 0;
    for (let bucket = 0; bucket < boundsMs.length; bucket++) {
      const count = now[AT.buckets + bucket]! - before[AT.buckets + bucket]!;
      const upperMs = boundsMs[bucket]!;
      if (count > 0 && below + count >= wanted)
        return round(lowerMs + ((upperMs - lowerMs) * (wanted - below)) / count, 1e3);
      below += count;
      lowerMs = upperMs;
    }
    return lowerMs;
  };
  return { p50Ms: quantile(0.5), p90Ms: quantile(0.9), p99Ms: quantile(0.99) };
}

function perSecond(requests: number | null, intervalMs: number | null): number | null {
  if (requests === null || intervalMs === null || intervalMs <= 0) return null;
  return round((Math.max(0, requests) * 1000) / intervalMs, 1e2);
}

function round(value: number, parts: number): number {
  return Math.round(value * parts) / parts;
}
