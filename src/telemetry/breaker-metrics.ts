/** The numbers of breakers beside their states and moves: modes, what observing let through, budgets, webhooks. */
import type { Registry } from '@prometheus-io/client';
import { registerCounters } from './counter-family.ts';
import { registerFamily, type Sample } from './exposition.ts';
import { type LabelBudget, LabelSets } from './label-sets.ts';
import { Counter } from './series.ts';
import { type BreakerSample, type BreakerTransition, breakerLabels } from './sources.ts';

/** What a breaker let through although it would have turned it away. */
export interface ObservedSample {
  readonly name: string;
  readonly wouldTurnAway: number;
}

const LABELS = ['route', 'experiment', 'variant', 'from', 'to', 'cause'];

export class BreakerMetrics {
  readonly #transitions: LabelSets<Counter>;
  readonly #observed: LabelSets<Counter>;
  readonly #webhooks: LabelSets<Counter>;
  #passed: () => Iterable<ObservedSample> = () => [];

  constructor(budget: LabelBudget) {
    this.#transitions = new LabelSets(LABELS, budget, () => new Counter());
    this.#observed = new LabelSets(LABELS, budget, () => new Counter());
    this.#webhooks = new LabelSets(['webhook', 'outcome'], budget, () => new Counter());
  }

  /** Counts a change of state. One without effect is counted apart, so that no alert is about it. */
  moved(transition: BreakerTransition): void {
    const { from, to, cause } = transition;
    if (from === to) return;
    const { route, experiment, variant } = breakerLabels(transition.breaker);
    const sets = transition.mode?.endsWith('observe') === true ? this.#observed : this.#transitions;
    sets.get(route, experiment, variant, from, to, cause).value++;
  }

  /** What became of news for a webhook: `delivered`, `retried`, `failed`, `dropped`. */
  webhook(name: string, outcome: string): Counter {
    return this.#webhooks.get(name, outcome);
  }

  /** Where it is read at each scrape what observing has let through. */
  setPassedSource(source: () => Iterable<ObservedSample>): void {
    this.#passed = source;
  }

  register(registry: Registry, breakers: () => Iterable<BreakerSample>): void {
    registerCounters(
      registry,
      this.#transitions,
      'fairlead_breaker_transitions_total',
      'Changes of state of each breaker, by cause.',
    );
    registerCounters(
      registry,
      this.#observed,
      'fairlead_breaker_observed_transitions_total',
      'Changes of state without effect, of breakers that only observe.',
    );
    registerFamily(registry, {
      name: 'fairlead_breaker_observed_turned_away_total',
      type: 'counter',
      help: 'Calls that a breaker would have turned away if it did not only observe.',
      read: () =>
        Array.from(this.#passed())
          .filter(({ wouldTurnAway }) => wouldTurnAway > 0)
          .map(({ name, wouldTurnAway }) => ({ labels: breakerLabels(name), value: wouldTurnAway })),
    });
    registerFamily(registry, {
      name: 'fairlead_breaker_mode',
      type: 'gauge',
      aggregator: 'first',
      help: 'The mode of each breaker: enforce, observe, forced-open, forced-closed, forced-observe; always 1.',
      read: () =>
        Array.from(breakers(), ({ name, mode = 'enforce' }) => ({
          labels: { ...breakerLabels(name), mode },
          value: 1,
        })),
    });
    registerFamily(registry, {
      name: 'fairlead_error_budget_remaining_ratio',
      type: 'gauge',
      aggregator: 'first',
      help: 'Share of the error budget of the period that is left: 1 untouched, 0 spent, below 0 overspent.',
      read: () => Array.from(breakers()).flatMap(remaining),
    });
    registerCounters(registry, this.#webhooks, 'fairlead_webhooks_total', 'News for webhooks, by outcome.');
  }
}

function remaining({ name, budget }: BreakerSample): Sample[] {
  if (budget == null) return [];
  return [{ labels: breakerLabels(name), value: budget.remainingRatio }];
}
