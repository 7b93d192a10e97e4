/**
 * Families of metrics that are read, not pushed: the registry of @prometheus-io/client asks each for its samples
 * when it is scraped, and does the format and the escaping. The library's own Counter and Histogram cost 0.3 to
 * 0.9 us per call, which the request path cannot pay; their values cannot be set from outside either.
 */
import type { Metric, Registry } from '@prometheus-io/client';
import type { Histogram } from './histogram.ts';

/** Label names with their values, in the order they are printed. */
export type Labels = Readonly<Record<string, string | number>>;

/** One line of the page. `sharedLabels` must be one object per label set: its text is cached by identity. */
export interface Sample {
  readonly value: number;
  readonly labels: Labels;
  readonly sharedLabels?: Labels;
  /** Differs from the family's name for `_bucket`, `_sum` and `_count`. */
  readonly metricName?: string;
  /** Printed in the OpenMetrics format only. */
  readonly exemplar?: {
    readonly labelSet: Labels;
    readonly value: number;
    /** Seconds since the epoch. */
    readonly timestamp: number;
  };
}

/** What several processes have counted of one family: added up, the first one's alone, or the highest. */
export type Aggregator = 'sum' | 'first' | 'max';

/** The samples of one family in one process. */
export interface FamilySamples {
  readonly name: string;
  readonly aggregator: Aggregator;
  /** A counter or a histogram: it never falls while its process lives. */
  readonly isCounted: boolean;
  readonly values: readonly Sample[];
}

/** Name, kind and help of a family; `read` is called once a scrape. */
export interface FamilyOptions {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** `sum` unless given. */
  readonly aggregator?: Aggregator;
  read(): Sample[];
}

const NO_LABELS: Labels = {};

/** Adds a family to the registry. @throws Error when the name is taken. */
export function registerFamily(registry: Registry, options: FamilyOptions): void {
  const { name, help, type, aggregator = 'sum' } = options;
  const collect = () => Promise.resolve({ name, help, type, aggregator, values: readSafely(options) });
  // The registry needs a name, a type and one of these two methods; its type asks for the library's own classes.
  const family = { name, help, type, aggregator, get: collect, getForPromString: collect, reset() {} };
  registry.registerMetric(family as unknown as Metric);
}

/** A source that fails leaves its own lines out; a scrape that fails would leave out everybody's. */
function readSafely(options: FamilyOptions): Sample[] {
  try {
    return options.read();
  } catch {
    return [];
  }
}

/** Appends the lines of one histogram: cumulative buckets, sum in seconds, count. Nothing while it is empty. */
export function appendHistogram(out: Sample[], name: string, labels: Labels, histogram: Histogram): void {
  if (histogram.isEmpty) return;
  const bucketName = `${name}_bucket`;
  const { boundsSeconds } = histogram.buckets;
  let total = 0;
  for (const [index, le] of boundsSeconds.entries()) {
    total += histogram.count(index);
    out.push(
      withExemplar(
        { value: total, labels: { le }, sharedLabels: labels, metricName: bucketName },
        histogram,
        index,
      ),
    );
  }
  total += histogram.count(boundsSeconds.length);
  const last = { value: total, labels: { le: '+Inf' }, sharedLabels: labels, metricName: bucketName };
  out.push(withExemplar(last, histogram, boundsSeconds.length));
  const sumSeconds = Math.round(histogram.sumMs * 1e3) / 1e6;
  out.push({ value: sumSeconds, labels: NO_LABELS, sharedLabels: labels, metricName: `${name}_sum` });
  out.push({ value: total, labels: NO_LABELS, sharedLabels: labels, metricName: `${name}_count` });
}

function withExemplar(sample: Sample, { exemplars }: Histogram, bucket: number): Sample {
  const exemplar = exemplars?.[bucket];
  if (exemplar === undefined) return sample;
  const { traceId, wallMs, durationMs } = exemplar;
  const seconds = Math.round(durationMs * 1e3) / 1e6;
  return {
    ...sample,
    exemplar: { labelSet: { trace_id: traceId }, value: seconds, timestamp: wallMs / 1000 },
  };
}
