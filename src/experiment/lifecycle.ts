/**
 * An experiment's life as far as assignment is concerned: statuses under which nobody is asked anything, and dates.
 * Pure: it is told the wall time, and only for experiments that have dates.
 */
import type { ExperimentStatus, Variant } from './model.ts';

/** When an experiment takes units, in milliseconds since the epoch; -Infinity and Infinity for what is not said. */
export interface Schedule {
  /** Inclusive. */
  readonly startsAtMs: number;
  /** Exclusive. */
  readonly endsAtMs: number;
  /** Who gets all units from `endsAtMs` on: the fallback, or the winner. */
  readonly afterwards: Variant;
}

/** Before its start or past its end? Null: it is on. */
export function phaseOf(schedule: Schedule, wallMs: number): 'not-started' | 'ended' | null {
  if (wallMs < schedule.startsAtMs) return 'not-started';
  return wallMs < schedule.endsAtMs ? null : 'ended';
}

/** What people should know beside the status: `not-started`, `ended`, `stale`; null when there is nothing. */
export function conditionOf(
  experiment: {
    readonly status: ExperimentStatus;
    readonly schedule: Schedule | null;
    readonly staleAtMs: number;
  },
  wallMs: number,
): 'not-started' | 'ended' | 'stale' | null {
  const { status, schedule, staleAtMs } = experiment;
  if (status !== 'running' && status !== 'paused') return null;
  const phase = schedule === null ? null : phaseOf(schedule, wallMs);
  if (phase !== null) return phase;
  return status === 'running' && wallMs >= staleAtMs ? 'stale' : null;
}
