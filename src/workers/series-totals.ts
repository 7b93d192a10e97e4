/**
 * One metrics page out of many processes: counters, histograms and gauges of the workers added up by name and labels.
 * A worker's values are its latest report; when it is gone, what it had counted stays, so that no total goes back.
 * The library's own metrics (`process_`, `nodejs_`) cannot be added up and get a `worker` label instead.
 */
import type { FamilySamples, Labels, Sample } from '../telemetry/exposition.ts';

/** Families of ours have a meaning that is known: these can be added up. */
const OURS = 'fairlead_';

/** What the samples of the primary itself are labelled. */
const PRIMARY = 'primary';

type Families = Map<string, FamilySamples>;

export class SeriesTotals {
  /** Latest complete report of each worker. */
  readonly #reports = new Map<number, Families>();
  /** What workers that are gone had counted, by family and label set. */
  readonly #gone = new Map<string, Map<string, Sample>>();

  /** A worker's whole report takes the place of the one before. */
  reported(worker: number, families: readonly FamilySamples[]): void {
    const report: Families = new Map();
    // A long family comes in several parts.
    for (const family of families) {
      const before = report.get(family.name);
      const values = before === undefined ? family.values : [...before.values, ...family.values];
      report.set(family.name, { ...family, values });
    }
    this.#reports.set(worker, report);
  }

  /** A worker is gone: its counts stay, its gauges end. */
  forget(worker: number): void {
    const report = this.#reports.get(worker);
    this.#reports.delete(worker);
    for (const { name, aggregator, isCounted, values } of report?.values() ?? []) {
      if (!isCounted || aggregator === 'first' || !name.startsWith(OURS)) continue;
      this.#gone.set(name, combine([[...(this.#gone.get(name)?.values() ?? [])], values], sum));
    }
  }

  /** All processes' samples of one family, given the primary's own. */
  merge(own: FamilySamples): readonly Sample[] {
    if (!own.name.startsWith(OURS)) return this.#side(own);
    if (own.aggregator === 'first') return own.values;
    const reports = [...this.#reports.values()].map((report) => report.get(own.name)?.values ?? []);
    if (own.aggregator === 'max') return [...combine([own.values, ...reports], Math.max).values()];
    const gone = [...(this.#gone.get(own.name)?.values() ?? [])];
    return [...combine([own.values, gone, ...reports], sum).values()];
  }

  #side(own: FamilySamples): Sample[] {
    const all = own.values.map((sample) => labelled(sample, PRIMARY));
    for (const [worker, report] of [...this.#reports].sort(([left], [right]) => left - right)) {
      for (const sample of report.get(own.name)?.values ?? []) all.push(labelled(sample, String(worker)));
    }
    return all;
  }
}

/** The values of each label set made one, in the order of their first appearance. */
function combine(
  lists: readonly (readonly Sample[])[],
  together: (left: number, right: number) => number,
): Map<string, Sample> {
  const totals = new Map<string, Sample>();
  // Many samples share one object of labels.
  const texts = new Map<Labels, string>();
  for (const samples of lists) {
    for (const sample of samples) {
      const key = keyOf(sample, texts);
      const total = totals.get(key);
      totals.set(
        key,
        total === undefined ? sample : { ...total, value: together(total.value, sample.value) },
      );
    }
  }
  return totals;
}

/** Microseconds are as fine as the sums of seconds are true. */
function sum(left: number, right: number): number {
  const value = left + right;
  return Number.isInteger(value) ? value : Math.round(value * 1e6) / 1e6;
}

function keyOf({ metricName, labels, sharedLabels }: Sample, texts: Map<Labels, string>): string {
  let shared = '';
  if (sharedLabels !== undefined) {
    shared = texts.get(sharedLabels) ?? JSON.stringify(sharedLabels);
    texts.set(sharedLabels, shared);
  }
  return `${metricName ?? ''} ${JSON.stringify(labels)} ${shared}`;
}

function labelled(sample: Sample, worker: string): Sample {
  return { ...sample, labels: { ...sample.labels, worker } };
}
