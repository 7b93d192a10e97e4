/** The numbers of endpoints: which are usable, who was put aside and why, and who waits for a connection. */
import type { Registry } from '@prometheus-io/client';
import { registerCounters } from './counter-family.ts';
import { registerFamily } from './exposition.ts';
import { type LabelBudget, LabelSets } from './label-sets.ts';
import { Counter } from './series.ts';

/** One endpoint, as the page needs it. */
export interface EndpointStateSample {
  readonly upstream: string;
  /** Word for what it is good for now, such as `usable` or `ejected`. */
  readonly state: string;
  readonly pending: number;
}

export class EndpointMetrics {
  readonly #ejections: LabelSets<Counter>;
  #source: () => Iterable<EndpointStateSample> = () => [];

  constructor(budget: LabelBudget) {
    this.#ejections = new LabelSets(['upstream', 'endpoint', 'cause'], budget, () => new Counter());
  }

  /** Endpoints put aside as outliers; `cause` is from a fixed list. */
  ejections(upstream: string, endpoint: string, cause: string): Counter {
    return this.#ejections.get(upstream, endpoint, cause);
  }

  /** Where the page finds the endpoints of now. */
  setSource(source: () => Iterable<EndpointStateSample>): void {
    this.#source = source;
  }

  register(registry: Registry): void {
    registerCounters(
      registry,
      this.#ejections,
      'fairlead_endpoint_ejections_total',
      'Endpoints put aside since they did worse than their siblings, by cause.',
    );
    registerFamily(registry, {
      name: 'fairlead_upstream_endpoints',
      type: 'gauge',
      aggregator: 'max',
      help: 'Endpoints of each upstream, by what they are good for now.',
      read: () =>
        sums(
          this.#source(),
          ({ state }) => ({ state }),
          () => 1,
        ),
    });
    registerFamily(registry, {
      name: 'fairlead_upstream_pending_requests',
      type: 'gauge',
      help: 'Requests that wait for a connection to an endpoint that has as many as it may.',
      read: () =>
        sums(
          this.#source(),
          () => ({}),
          ({ pending }) => pending,
        ),
    });
  }
}

/** One sample for each upstream and whatever else tells them apart. */
function sums(
  endpoints: Iterable<EndpointStateSample>,
  labelsOf: (endpoint: EndpointStateSample) => Record<string, string>,
  countOf: (endpoint: EndpointStateSample) => number,
) {
  const samples = new Map<string, { labels: Record<string, string>; value: number }>();
  for (const endpoint of endpoints) {
    const labels = { upstream: endpoint.upstream, ...labelsOf(endpoint) };
    const key = Object.values(labels).join('\0');
    const sample = samples.get(key) ?? { labels, value: 0 };
    sample.value += countOf(endpoint);
    samples.set(key, sample);
  }
  return [...samples.values()];
}
