/** What the metrics say of rollouts. Like `families.ts`, only reads. */
import type { Registry } from '@prometheus-io/client';
import { registerFamily } from './exposition.ts';
import type { RolloutSample } from './sources.ts';

/** Registers the families of rollouts. */
export function registerRollouts(registry: Registry, source: () => Iterable<RolloutSample>): void {
  registerFamily(registry, {
    name: 'fairlead_rollout_phase',
    type: 'gauge',
    aggregator: 'first',
    help: 'Where the last rollout of an experiment stands; always 1.',
    read: () =>
      Array.from(source(), ({ experiment, phase }) => ({ labels: { experiment, phase }, value: 1 })),
  });
  registerFamily(registry, {
    name: 'fairlead_rollout_step',
    type: 'gauge',
    aggregator: 'first',
    help: 'The step of the last rollout of an experiment, from 1.',
    read: () => Array.from(source(), ({ experiment, step }) => ({ labels: { experiment }, value: step })),
  });
}
