/**
 * An experiment's declared life and what is known of it from before, to what assignment reads. Pure.
 */
import type { Experiment, SlotRange, Variant } from '../experiment/model.ts';
import { isSteerable, type RuntimeExperiment } from './runtime.ts';
import type { ExperimentConfig } from './schema-experiment.ts';

type Life = Pick<Experiment, 'status' | 'winner' | 'schedule' | 'staleAtMs' | 'requires' | 'approval'>;

/** @param runtime What is known of this experiment from before; null when it is new. */
export function compileLifecycle(
  config: ExperimentConfig,
  runtime: RuntimeExperiment | null,
  { variants, fallback }: { readonly variants: readonly Variant[]; readonly fallback: Variant },
): Life {
  const winner = variants.find((variant) => variant.name === config.winner) ?? null;
  const { startsAt, endsAt = Number.POSITIVE_INFINITY, onExpiry } = config;
  const staleMs = staleAtMs(config, runtime);
  const { fallBackAfter = Number.POSITIVE_INFINITY } = config;
  const endsAtMs = Math.min(endsAt, staleMs + fallBackAfter);
  const schedule = {
    startsAtMs: startsAt ?? Number.NEGATIVE_INFINITY,
    endsAtMs,
    afterwards: onExpiry === 'winner' && winner !== null ? winner : fallback,
  };
  return {
    status: statusOf(config, runtime),
    winner,
    schedule: startsAt === undefined && endsAtMs === Number.POSITIVE_INFINITY ? null : schedule,
    staleAtMs: staleMs,
    requires: config.requires.map(({ experiment, variant }) => ({ experiment, variants: variant })),
    approval: config.allowProtected ?? null,
  };
}

/** The run-time status holds, but a draft is not started and a concluded experiment not revived: only kill goes further. */
function statusOf(config: ExperimentConfig, runtime: RuntimeExperiment | null): Experiment['status'] {
  const changed = runtime?.status?.status;
  if (changed === undefined) return config.status;
  return changed === 'killed' || isSteerable(config.status) ? changed : config.status;
}

function staleAtMs(config: ExperimentConfig, runtime: RuntimeExperiment | null): number {
  if (config.staleAfter === 'off') return Number.POSITIVE_INFINITY;
  const sinceMs = config.startsAt ?? (runtime?.seenAt == null ? Number.NaN : Date.parse(runtime.seenAt));
  return Number.isNaN(sinceMs) ? Number.POSITIVE_INFINITY : sinceMs + config.staleAfter;
}

/**
 * One more than before when the salt or the slots are others; 1 for what is new. Of another system's algorithm the slots
 * are its ranges, so that another order of the variants is another epoch as well.
 */
export function epochOf(
  salt: string,
  slots: readonly SlotRange[],
  variants: readonly Variant[],
  runtime: RuntimeExperiment | null,
): number {
  if (runtime === null) return 1;
  const isSame =
    runtime.salt === salt &&
    (runtime.slots.length === 0 ||
      (runtime.slots.length === slots.length &&
        slots.every(({ start, end, variant }, index) => {
          const before = runtime.slots[index]!;
          return before.start === start && before.end === end && before.variant === variants[variant]?.name;
        })));
  return isSame ? runtime.epoch : runtime.epoch + 1;
}
