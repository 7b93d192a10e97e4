/**
 * What one process has counted of requests, as few numbers as say what goes on. The metrics page has the same and more;
 * this is read every two seconds in the process that carries the traffic, so it makes no sample of each number.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Labels } from './exposition.ts';
import { DURATION_BUCKETS, type Histogram } from './histogram.ts';
import { CODE_CLASSES, OUTCOMES, type RequestSeries } from './series.ts';

/** Where each number is; behind them, requests by the bucket of their duration. */
export const AT = { requests: 0, failures: 1, slow: 2, inFlight: 3, buckets: 4 } as const;
/** How many numbers a series has. */
export const NUMBERS = AT.buckets + DURATION_BUCKETS.count;

/** Series that are read in one turn of the event loop: about a millisecond. */
const TURN_SERIES = 250;

/** Of one label set, the direction left out. Totals, but for what is in flight. */
export interface SeriesCounts {
  readonly route: string;
  /** '' for requests in none. */
  readonly experiment: string;
  readonly variant: string;
  /** `NUMBERS` of them. */
  readonly numbers: Float64Array;
}

export interface LiveCounts {
  readonly series: readonly SeriesCounts[];
  /** Requests that were sent on, each once, by route. */
  readonly forwarded: ReadonlyMap<string, number>;
}

/** Reads the series of a process; lets requests through in between. */
export async function liveCounts(
  entries: Iterable<{ readonly labels: Labels; readonly item: RequestSeries }>,
): Promise<LiveCounts> {
  const series: SeriesCounts[] = [];
  const forwarded = new Map<string, number>();
  // Several series share one of these.
  const overheads = new Set<Histogram>();
  for (const { labels, item } of [...entries]) {
    const route = String(labels.route);
    series.push({
      route,
      experiment: String(labels.experiment),
      variant: String(labels.variant),
      numbers: numbersOf(item),
    });
    if (!overheads.has(item.overhead)) {
      overheads.add(item.overhead);
      forwarded.set(route, (forwarded.get(route) ?? 0) + item.overhead.total);
    }
    if (series.length % TURN_SERIES === 0) await nextTurn();
  }
  return { series, forwarded };
}

const FAILURE = OUTCOMES.indexOf('failure');
const SLOW = OUTCOMES.indexOf('slow');

function numbersOf(series: RequestSeries): Float64Array {
  const { duration, inFlight } = series;
  const numbers = new Float64Array(NUMBERS);
  for (const codeClass of CODE_CLASSES.keys()) {
    for (const outcome of OUTCOMES.keys()) numbers[AT.requests]! += series.requests(codeClass, outcome);
    numbers[AT.failures]! += series.requests(codeClass, FAILURE);
    numbers[AT.slow]! += series.requests(codeClass, SLOW);
  }
  numbers[AT.inFlight] = inFlight;
  for (let bucket = 0; bucket < duration.buckets.count; bucket++)
    numbers[AT.buckets + bucket] = duration.count(bucket);
  return numbers;
}
