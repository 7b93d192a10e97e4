/**
 * An experiment's life as the admin API shows it: dates as people write them, and what is the matter now. Pure.
 */
import { formatPercent, formatRange } from '../config/units.ts';
import { conditionOf } from '../experiment/lifecycle.ts';
import type { Approval, Experiment } from '../experiment/model.ts';

export interface LifecycleView {
  /** `not-started`, `ended` or `stale`, beside the status; null: nothing of the kind. */
  readonly condition: string | null;
  /** How often slots or salt have changed, from 1. */
  readonly epoch: number;
  readonly successCriteria: string | null;
  readonly rollbackPlan: string | null;
  readonly winner: string | null;
  /** ISO 8601; null: not said. */
  readonly startsAt: string | null;
  readonly endsAt: string | null;
  /** From when on it has run for too long; null: never, or not known. */
  readonly staleAt: string | null;
  readonly layer: { readonly name: string; readonly ranges: readonly string[] } | null;
  /** Shares of units that are kept out of it. */
  readonly holdouts: readonly string[];
  /** `canary=candidate`, with `|` between variants. */
  readonly requires: readonly string[];
  /** Who let it onto a protected route, and why. */
  readonly approval: Approval | null;
}

/** @param wallMs Now, in milliseconds since the epoch. */
export function lifecycleView(experiment: Experiment, wallMs: number): LifecycleView {
  const { epoch, successCriteria, rollbackPlan, winner, schedule, layer, approval } = experiment;
  return {
    condition: conditionOf(experiment, wallMs),
    epoch,
    successCriteria,
    rollbackPlan,
    winner: winner?.name ?? null,
    startsAt: dateOf(schedule?.startsAtMs),
    endsAt: dateOf(schedule?.endsAtMs),
    staleAt: dateOf(experiment.staleAtMs),
    layer: layer === null ? null : { name: layer.name, ranges: layer.ranges.map(formatRange) },
    holdouts: experiment.holdouts.map(
      ({ kind, sharePpm }) => `${formatPercent(sharePpm)} of ${kind === 'holdout' ? 'all' : 'the layer'}`,
    ),
    requires: experiment.requires.map((one) => `${one.experiment}=${one.variants.join('|')}`),
    approval,
  };
}

/** Infinity is what stands for a date that nobody has given. */
function dateOf(atMs: number | undefined): string | null {
  return atMs === undefined || !Number.isFinite(atMs) ? null : new Date(atMs).toISOString();
}
