/** The numbers of limits on load: what is under way and may be, what was turned away, what is shed. */
import type { Registry } from '@prometheus-io/client';
import { registerCounters } from './counter-family.ts';
import { registerFamily, type Sample } from './exposition.ts';
import { type LabelBudget, LabelSets } from './label-sets.ts';
import { Counter } from './series.ts';

/** The load and its limits, as the page needs them. */
export interface OverloadSample {
  readonly shedding: { readonly level: number } | null;
  readonly concurrency: readonly {
    readonly scope: string;
    readonly name: string;
    readonly limit: number;
    readonly inFlight: number;
    readonly rejected: number;
  }[];
  readonly rateLimits: readonly { readonly scope: string; readonly name: string; readonly limited: number }[];
}

const NOTHING: OverloadSample = { shedding: null, concurrency: [], rateLimits: [] };

export class OverloadMetrics {
  readonly #shed: LabelSets<Counter>;
  #source: () => OverloadSample = () => NOTHING;

  constructor(budget: LabelBudget) {
    this.#shed = new LabelSets(['what'], budget, () => new Counter());
  }

  /** What was given up under load; `what` is from a fixed list. Look it up once. */
  shed(what: string): Counter {
    return this.#shed.get(what);
  }

  /** Where the load and its limits are read at each scrape. */
  setSource(source: () => OverloadSample): void {
    this.#source = source;
  }

  register(registry: Registry): void {
    registerFamily(registry, {
      name: 'fairlead_overload_level',
      type: 'gauge',
      aggregator: 'max',
      help: 'What is shed under load, from 0, nothing, to 5, protected routes as well. With workers, the highest.',
      read: () => {
        const { shedding } = this.#source();
        return shedding === null ? [] : [{ labels: {}, value: shedding.level }];
      },
    });
    registerCounters(
      registry,
      this.#shed,
      'fairlead_shed_total',
      'What was given up under load, by what it is.',
    );
    this.#registerConcurrency(registry);
    registerFamily(registry, {
      name: 'fairlead_rate_limited_total',
      type: 'counter',
      help: 'Requests beyond the rate limit of a route or a variant.',
      read: () =>
        this.#source().rateLimits.map(({ scope, name, limited }) => ({
          labels: { scope, name },
          value: limited,
        })),
    });
  }

  #registerConcurrency(registry: Registry): void {
    type One = OverloadSample['concurrency'][number];
    const family = (
      name: string,
      type: 'gauge' | 'counter',
      help: string,
      value: (of: One) => number,
    ): void =>
      registerFamily(registry, {
        name,
        type,
        help,
        read: (): Sample[] =>
          this.#source().concurrency.map((one) => ({
            labels: { scope: one.scope, name: one.name },
            value: value(one),
          })),
      });
    const what = 'of an upstream or a variant';
    family(
      'fairlead_concurrency_limit',
      'gauge',
      `Requests ${what} that may be under way.`,
      ({ limit }) => limit,
    );
    family(
      'fairlead_concurrency_in_flight',
      'gauge',
      `Requests ${what} with a limit that are under way.`,
      ({ inFlight }) => inFlight,
    );
    family(
      'fairlead_concurrency_rejected_total',
      'counter',
      `Requests beyond the concurrency limit ${what}.`,
      ({ rejected }) => rejected,
    );
  }
}
