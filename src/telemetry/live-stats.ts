/**
 * What goes on right now, out of two readings of the metrics: requests a second, shares and quantiles of each variant and
 * route between them. Quantiles are interpolated within the buckets of the latency histogram, so they are as fine as
 * those are: good to see by, not to decide by. Pure.
 *
 * A request in several experiments counts in each of them, and one that failed over for both variants, as on the page of
 * metrics. What is counted under names that the configuration does not have any more is left out.
 */
import type { FamilySamples, Labels, Sample } from './exposition.ts';
import { DURATION_BUCKETS } from './histogram.ts';

/** The families that are read. */
export const LIVE_FAMILIES = [
  'fairlead_requests_total',
  'fairlead_request_duration_seconds',
  'fairlead_requests_in_flight',
  'fairlead_proxy_overhead_seconds',
] as const;

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

/** Adds up the samples of `LIVE_FAMILIES`. */
export function readingOf(families: readonly FamilySamples[], atMs: number): Reading {
  const variants = new Map<string, Tally>();
  const routes = new Map<string, RouteTally>();
  for (const { name, values } of families) {
    const take = TAKES[name];
    if (take === undefined) continue;
    // Many samples share one object of labels.
    const known = new Map<Labels, readonly Tally[]>();
    for (const sample of values) {
      const labels = sample.sharedLabels ?? sample.labels;
      let tallies = known.get(labels);
      if (tallies === undefined) {
        tallies = talliesOf(labels, variants, routes);
        known.set(labels, tallies);
      }
      for (const tally of tallies) take(tally, sample);
    }
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
          requests: tally.requests,
          failures: tally.failures,
          requestsPerSecond: perSecond(requests, intervalMs),
          ...rest,
          inFlight: tally.inFlight,
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
  requests = 0;
  failures = 0;
  slow = 0;
  inFlight = 0;
  /** Requests that took no longer than each bound. */
  readonly upTo = new Float64Array(DURATION_BUCKETS.boundsMs.length);
  /** Requests that have a duration. */
  durations = 0;
}

class RouteTally extends Tally {
  /** Requests that were sent on, each once. */
  forwarded = 0;
  /** By experiment; '' for those in none. */
  readonly parts = new Map<string, Tally>();

  /**
   * Those in no experiment and those of the experiment that has most: nobody knows who is in several. Where experiments
   * share no unit that is too few, and what was sent on is nearer.
   */
  requestsSince(before: RouteTally): number {
    let most = 0;
    let alone = 0;
    for (const [experiment, { requests }] of this.parts) {
      const count = requests - (before.parts.get(experiment)?.requests ?? 0);
      if (experiment === '') alone = count;
      else most = Math.max(most, count);
    }
    return Math.max(alone + most, this.forwarded - before.forwarded);
  }
}

const NOTHING = new Tally();
const NOWHERE = new RouteTally();

/** How a sample of each family is taken. */
const TAKES: Readonly<Record<string, (tally: Tally, sample: Sample) => void>> = {
  fairlead_requests_total: (tally, { labels, value }) => {
    tally.requests += value;
    if (labels.outcome === 'failure') tally.failures += value;
    else if (labels.outcome === 'slow') tally.slow += value;
  },
  fairlead_request_duration_seconds: (tally, { labels, value, metricName }) => {
    const bucket = BUCKETS.get(labels.le);
    if (bucket !== undefined) tally.upTo[bucket] = tally.upTo[bucket]! + value;
    else if (metricName?.endsWith('_count') === true) tally.durations += value;
  },
  fairlead_requests_in_flight: (tally, { value }) => {
    tally.inFlight += value;
  },
  fairlead_proxy_overhead_seconds: (tally, { value, metricName }) => {
    if (tally instanceof RouteTally && metricName?.endsWith('_count') === true) tally.forwarded += value;
  },
};

const BUCKETS = new Map<string | number | undefined, number>(
  DURATION_BUCKETS.boundsSeconds.map((bound, index) => [bound, index]),
);

/** Where a label set counts: its route, its part of that, and its variant if it has one. */
function talliesOf(
  { route = '', experiment = '', variant = '' }: Labels,
  variants: Map<string, Tally>,
  routes: Map<string, RouteTally>,
): Tally[] {
  const ofRoute = itemOf(routes, String(route), () => new RouteTally());
  const part = itemOf(ofRoute.parts, String(experiment), () => new Tally());
  if (experiment === '') return [ofRoute, part];
  return [ofRoute, part, itemOf(variants, keyOf(String(experiment), String(variant)), () => new Tally())];
}

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

function since(now: Tally, before: Tally | null) {
  if (before === null)
    return { requests: null, errorShare: null, slowShare: null, p50Ms: null, p90Ms: null, p99Ms: null };
  const requests = now.requests - before.requests;
  const share = (count: number) =>
    requests <= 0 ? null : round(Math.min(1, Math.max(0, count / requests)), 1e6);
  return {
    requests,
    errorShare: share(now.failures - before.failures),
    slowShare: share(now.slow - before.slow),
    p50Ms: quantile(now, before, 0.5),
    p90Ms: quantile(now, before, 0.9),
    p99Ms: quantile(now, before, 0.99),
  };
}

/** Within its bucket a duration may be anything: as if they were spread out evenly. Above the last bound: that. */
function quantile(now: Tally, before: Tally, share: number): number | null {
  const count = now.durations - before.durations;
  if (count <= 0) return null;
  const { boundsMs } = DURATION_BUCKETS;
  const wanted = share * count;
  let below = 0;
  let lowerMs = 0;
  for (const [index, boundMs] of boundsMs.entries()) {
    const upTo = now.upTo[index]! - before.upTo[index]!;
    if (upTo >= wanted && upTo > below)
      return round(lowerMs + ((boundMs - lowerMs) * (wanted - below)) / (upTo - below), 1e3);
    below = upTo;
    lowerMs = boundMs;
  }
  return lowerMs;
}

function perSecond(requests: number | null, intervalMs: number | null): number | null {
  if (requests === null || intervalMs === null || intervalMs <= 0) return null;
  return round((Math.max(0, requests) * 1000) / intervalMs, 1e2);
}

function round(value: number, parts: number): number {
  return Math.round(value * parts) / parts;
}
