/** What the metrics say of experiments themselves, apart from their requests. Like `families.ts`, only reads. */
import type { Registry } from '@prometheus-io/client';
import { registerFamily } from './exposition.ts';
import type { ExperimentSample } from './sources.ts';

/** Registers the families of experiments. */
export function registerExperiments(registry: Registry, source: () => Iterable<ExperimentSample>): void {
  registerFamily(registry, {
    name: 'fairlead_experiment_stale',
    type: 'gauge',
    aggregator: 'first',
    help: 'Whether an experiment has been running for longer than its staleAfter.',
    read: () =>
      Array.from(source(), ({ experiment, isStale }) => ({
        labels: { experiment },
        value: isStale ? 1 : 0,
      })),
  });
}
