/** What the metrics say of experiments themselves, apart from their requests. Like `families.ts`, only reads. */
import type { Registry } from '@prometheus-io/client';
import { registerFamily, type Sample } from './exposition.ts';
import type { ExperimentSample } from './sources.ts';

/** Registers the families of experiments. */
export function registerExperiments(registry: Registry, source: () => Iterable<ExperimentSample>): void {
  const gauge = (name: string, help: string, read: (of: ExperimentSample) => Sample[]) =>
    registerFamily(registry, {
      name,
      help,
      type: 'gauge',
      aggregator: 'first',
      read: () => Array.from(source()).flatMap(read),
    });
  gauge(
    'fairlead_experiment_stale',
    'Whether an experiment has been running for longer than its staleAfter.',
    ({ experiment, isStale }) => [{ labels: { experiment }, value: isStale ? 1 : 0 }],
  );
  gauge(
    'fairlead_experiment_status',
    'The status of an experiment, and who has set it: the file, a person, a breaker or a rollout; always 1.',
    ({ experiment, status, setBy }) => [{ labels: { experiment, status, set_by: setBy }, value: 1 }],
  );
  gauge(
    'fairlead_experiment_weight_ratio',
    'The share of the units that a variant is to get. role is fallback or treatment.',
    ({ experiment, variants }) =>
      variants.map(({ variant, isFallback, weightRatio }) => ({
        labels: { experiment, variant, role: isFallback ? 'fallback' : 'treatment' },
        value: weightRatio,
      })),
  );
}
