/**
 * What must hold of an experiment, and of a unit, before targeting and the split are asked: the status, the dates, the
 * prerequisites, and who is kept out by a holdout or a layer. Each is asked only of experiments that have it.
 */
import { readyMade } from './decided.ts';
import { type Holdout, heldOut, isWithin, type LayerShare, layerSlot } from './layer.ts';
import { phaseOf, type Schedule } from './lifecycle.ts';
import type { Assignment, Experiment } from './model.ts';
import { assignedBefore } from './prerequisite.ts';

/** What a status says for everyone, whatever they carry or ask for; null: it says nothing of the kind. */
export function sameForAll(experiment: Experiment, trace?: string[]): Assignment | null {
  const { fallback, winner } = experiment;
  switch (experiment.status) {
    case 'killed':
      trace?.push(`status: killed, so everyone gets ${fallback.name}`);
      return readyMade(experiment).killed;
    case 'concluded':
      trace?.push(`status: concluded, so everyone gets the winner, ${(winner ?? fallback).name}`);
      return readyMade(experiment).concluded;
    case 'draft':
      trace?.push(`status: draft, so everyone gets ${fallback.name}`);
      return readyMade(experiment).off;
    default:
      return null;
  }
}

/** What the dates say for everyone who carries nothing; null: the experiment is on. */
export function outsideDates(
  experiment: Experiment,
  schedule: Schedule,
  wallMs: number,
  trace?: string[],
): Assignment | null {
  const phase = phaseOf(schedule, wallMs);
  if (phase === null) {
    trace?.push('dates: it has started and has not ended');
    return null;
  }
  if (phase === 'not-started') {
    const start = new Date(schedule.startsAtMs).toISOString();
    trace?.push(`dates: it starts at ${start}, so it gets ${experiment.fallback.name}`);
    return readyMade(experiment).notStarted;
  }
  const end = new Date(schedule.endsAtMs).toISOString();
  trace?.push(`dates: it ended at ${end}, so it gets ${schedule.afterwards.name}`);
  return readyMade(experiment).ended;
}

/** Have all prerequisites been assigned, for this request? */
export function isRequirementMet(
  experiment: Experiment,
  before: readonly Assignment[],
  trace?: string[],
): boolean {
  const { requires } = experiment;
  for (let i = 0; i < requires.length; i++) {
    const requirement = requires[i]!;
    const variant = assignedBefore(before, requirement.experiment);
    const isMet = variant !== null && requirement.variants.includes(variant);
    trace?.push(
      `requires: ${requirement.experiment} gives ${variant ?? 'nothing'}, needed is ${requirement.variants.join(' or ')}${isMet ? '' : `, so it gets ${experiment.fallback.name}`}`,
    );
    if (!isMet) return false;
  }
  return true;
}

/** Is the unit kept out of every candidate, or somebody else's in the layer? */
export function exclusion(
  experiment: Experiment,
  unit: string,
  trace?: string[],
): 'holdout' | 'not-in-layer' | null {
  const { holdouts, layer, fallback } = experiment;
  const holdout = heldOut(holdouts, unit);
  if (holdouts.length > 0)
    trace?.push(
      `holdout: ${holdout === null ? 'not held out' : `${holdoutText(holdout, layer)}, so it gets ${fallback.name}`}`,
    );
  if (holdout !== null) return 'holdout';
  if (layer === null) return null;
  const slot = layerSlot(layer, unit);
  const isIn = isWithin(layer.ranges, slot);
  trace?.push(
    `layer ${layer.name}: slot ${slot} is ${isIn ? 'in its range' : `not in its range, so it gets ${fallback.name}`}`,
  );
  return isIn ? null : 'not-in-layer';
}

function holdoutText({ kind, sharePpm }: Holdout, layer: LayerShare | null): string {
  const what = kind === 'holdout' ? 'every experiment' : `the layer ${layer?.name}`;
  return `among the ${sharePpm / 10_000}% that are held out of ${what}`;
}
