/** The numbers of how endpoints are found and whether they are well: names that are resolved, health checks. */
import type { Registry } from '@prometheus-io/client';
import { registerCounters } from './counter-family.ts';
import { registerFamily } from './exposition.ts';
import { type LabelBudget, LabelSets } from './label-sets.ts';
import { Counter } from './series.ts';

/** An endpoint that is checked. */
export interface HealthSample {
  readonly upstream: string;
  readonly endpoint: string;
  readonly isHealthy: boolean;
}

export class HealthMetrics {
  readonly #dnsAnswers: LabelSets<Counter>;
  readonly #checks: LabelSets<Counter>;
  #health: () => Iterable<HealthSample> = () => [];

  constructor(budget: LabelBudget) {
    const counter = (...names: string[]) => new LabelSets(names, budget, () => new Counter());
    this.#dnsAnswers = counter('result');
    this.#checks = counter('upstream', 'result');
  }

  /** Answers to questions for names of endpoints. */
  dnsAnswers(result: 'found' | 'missing' | 'failed'): Counter {
    return this.#dnsAnswers.get(result);
  }

  healthChecks(upstream: string, result: 'passed' | 'failed'): Counter {
    return this.#checks.get(upstream, result);
  }

  /** Where the health of endpoints is read at each scrape. */
  setHealthSource(source: () => Iterable<HealthSample>): void {
    this.#health = source;
  }

  register(registry: Registry): void {
    registerCounters(
      registry,
      this.#dnsAnswers,
      'fairlead_dns_answers_total',
      'Questions for the addresses of endpoint names, by what came of them.',
    );
    registerCounters(
      registry,
      this.#checks,
      'fairlead_health_checks_total',
      'Health checks that were made, by what came of them.',
    );
    registerFamily(registry, {
      name: 'fairlead_endpoint_healthy',
      type: 'gauge',
      aggregator: 'first',
      help: 'Whether the health checks of an endpoint take it for well: 1 or 0. Only endpoints that are checked.',
      read: () =>
        Array.from(this.#health(), ({ upstream, endpoint, isHealthy }) => ({
          labels: { upstream, endpoint },
          value: isHealthy ? 1 : 0,
        })),
    });
  }
}
