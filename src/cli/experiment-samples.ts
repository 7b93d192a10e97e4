/** The experiments of the rules in force as the metrics page shows them. */
import type { ControlState } from '../control/state.ts';
import { conditionOf } from '../experiment/lifecycle.ts';
import type { ExperimentSample } from '../telemetry/sources.ts';

const PPM = 1_000_000;

/** @param wallMs milliseconds since the epoch: what is stale by then */
export function experimentSamples(
  { snapshot, runtime }: Pick<ControlState, 'snapshot' | 'runtime'>,
  wallMs: number,
): ExperimentSample[] {
  return Array.from(snapshot.experiments.values(), (experiment) => ({
    experiment: experiment.name,
    isStale: conditionOf(experiment, wallMs) === 'stale',
    status: experiment.status,
    setBy: setBy(runtime.experiments.get(experiment.name)?.status?.actor),
    variants: experiment.variants.map((variant) => ({
      variant: variant.name,
      isFallback: variant === experiment.fallback,
      weightRatio: variant.weightPpm / PPM,
    })),
  }));
}

/** One of a few words, since an actor may be anybody's name. */
function setBy(actor: string | undefined): ExperimentSample['setBy'] {
  if (actor === undefined) return 'file';
  if (actor === 'rollout') return 'rollout';
  return actor.startsWith('breaker ') ? 'breaker' : 'person';
}
