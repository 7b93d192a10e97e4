/**
 * Who gets which variant, and why: one request, one experiment, one Assignment.
 *
 * Statuses that ask nobody (killed, concluded, draft) go before the override, then what the caller carries, then
 * paused, the dates, prerequisites, holdouts, the layer, targeting, the unit, the traffic gate and the split. The result depends on the arguments only; a breaker is not asked, since it changes what
 * is served and never what is assigned. On the request path: a decision that does not need the unit is one of
 * the experiment's ready-made objects, the split makes one small object.
 */
import type { Random } from '../base/clock.ts';
import { SLOTS, slotOf } from './bucket.ts';
import { type Holdout, heldOut, isWithin, layerSlot } from './layer.ts';
import { phaseOf, type Schedule } from './lifecycle.ts';
import type { Assignment, Experiment, Reason, RequestAttributes, Variant } from './model.ts';
import { type Overrides, variantNamed } from './override.ts';
import { assignedBefore } from './prerequisite.ts';
import { variantAt } from './slots.ts';
import { traceClause } from './targeting-trace.ts';
import { type FoundUnit, readUnit } from './unit.ts';

/** What the caller carries, if it is trusted. */
export interface Context {
  /** Name of the variant that the caller carries for an experiment, or null. */
  carried(experimentName: string): string | null;
}

/** What one request brings to its decisions: one object for a connection, its fields set anew for each request. */
export interface Given {
  readonly request: RequestAttributes;
  /** What the caller carries; null: nothing, or it is not trusted. */
  readonly context: Context | null;
  /** Null: none, or they are not allowed. */
  readonly overrides: Overrides | null;
  /** Read only for `unit: request`. */
  readonly random: Random;
  /** Wall time in milliseconds since the epoch; read only for experiments with dates. */
  readonly wallMs: number;
  /** What was assigned before this for the same request; read only for experiments with prerequisites. */
  readonly before: readonly Assignment[];
}

/**
 * Decide one experiment for one request. `trace` collects a sentence a step. Throws nothing.
 */
export function assign(experiment: Experiment, given: Given, trace?: string[]): Assignment {
  const { request, context, overrides } = given;
  if (experiment.status !== 'running') {
    const same = sameForAll(experiment, trace);
    if (same !== null) return same;
  }
  const forced = overrides === null ? null : overrides.forExperiment(experiment);
  trace?.push(overrideSentence(experiment, overrides));
  if (forced !== null) return fromOutside(experiment, forced, 'override', request);

  const carried = context === null ? null : context.carried(experiment.name);
  const propagated = carried === null ? null : variantNamed(experiment, carried);
  trace?.push(carriedSentence(carried, propagated));
  if (propagated !== null) return fromOutside(experiment, propagated, 'propagated', request);

  if (experiment.status === 'paused') {
    trace?.push(`status: paused, so who carries nothing gets ${experiment.fallback.name}`);
    return readyMade(experiment).off;
  }
  if (experiment.schedule !== null) {
    const outside = outsideDates(experiment, experiment.schedule, given.wallMs, trace);
    if (outside !== null) return outside;
  }
  if (experiment.requires.length > 0 && !isRequirementMet(experiment, given.before, trace))
    return readyMade(experiment).prerequisite;

  const isExclusive = experiment.layer !== null || experiment.holdouts.length > 0;
  let unit: FoundUnit | null = null;
  if (isExclusive) {
    unit = readUnit(experiment.unit, request, given.random, trace);
    const reason = unit === null ? null : exclusion(experiment, unit.id, trace);
    if (reason !== null) return decision(experiment, experiment.fallback, reason, unit, -1);
  }
  if (!isTargeted(experiment, request, trace)) return readyMade(experiment).notTargeted;

  if (!isExclusive) unit = readUnit(experiment.unit, request, given.random, trace);
  if (unit === null) {
    trace?.push(`unit: none of the sources is present, so it gets ${experiment.fallback.name}`);
    return readyMade(experiment).noUnit;
  }
  if (!isEnrolled(experiment, unit, trace))
    return decision(experiment, experiment.fallback, 'not-enrolled', unit, -1);
  return split(experiment, unit, trace);
}

/** The reason as `x-experiment-reason` has it: the reason, and for a split the place in [0, 1), `split:0.0731`. */
export function reasonText(assignment: Assignment): string {
  if (assignment.reason !== 'split') return assignment.reason;
  return `split:${(Math.floor(assignment.slot / 100) / 10_000).toFixed(4)}`;
}

/** What a status says for everyone, whatever they carry or ask for; null: it says nothing of the kind. */
function sameForAll(experiment: Experiment, trace?: string[]): Assignment | null {
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

function outsideDates(
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

function isRequirementMet(experiment: Experiment, before: readonly Assignment[], trace?: string[]): boolean {
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
function exclusion(
  experiment: Experiment,
  unit: string,
  trace?: string[],
): 'holdout' | 'not-in-layer' | null {
  const { holdouts, layer, fallback } = experiment;
  const holdout = heldOut(holdouts, unit);
  if (holdouts.length > 0)
    trace?.push(
      holdout === null ? 'holdout: no' : `${holdoutText(holdout)}: yes, so it gets ${fallback.name}`,
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

function holdoutText({ kind, sharePpm }: Holdout): string {
  return `${kind === 'holdout' ? 'holdout' : 'holdout of the layer'} of ${sharePpm} in ${SLOTS}`;
}

/** Plain loop, no `every`: a call back for each clause is what an experiment on every request would pay for. */
function isTargeted(experiment: Experiment, request: RequestAttributes, trace?: string[]): boolean {
  const { targeting } = experiment;
  for (let i = 0; i < targeting.length; i++) {
    const clause = targeting[i]!;
    if (trace !== undefined) traceClause(trace, clause, request, experiment.fallback.name);
    if (!clause.matches(request)) return false;
  }
  return true;
}

/** The traffic gate, with a hash of its own: with the split's, only low slots would ever reach the variants. */
function isEnrolled(experiment: Experiment, { id }: FoundUnit, trace?: string[]): boolean {
  if (experiment.trafficPpm >= SLOTS) return true;
  const slot = slotOf(experiment.salt, 'enrol', id);
  const isIn = slot < experiment.trafficPpm;
  trace?.push(
    `traffic: slot ${slot} is ${isIn ? 'inside' : 'outside'} the first ${experiment.trafficPpm} of ${SLOTS}`,
  );
  return isIn;
}

function split(experiment: Experiment, unit: FoundUnit, trace?: string[]): Assignment {
  const slot = slotOf(experiment.salt, 'variant', unit.id);
  const variant = experiment.variants[variantAt(experiment.slots, slot)]!;
  trace?.push(`split: slot ${slot} of ${SLOTS} belongs to ${variant.name}`);
  return decision(experiment, variant, 'split', unit, slot);
}

/** A variant from outside. The unit, if there is one, is still the unit of analysis of the exposure. */
function fromOutside(
  experiment: Experiment,
  variant: Variant,
  reason: 'override' | 'propagated',
  request: RequestAttributes,
): Assignment {
  const unit = readUnit(experiment.unit, request, null);
  return unit === null
    ? readyMade(experiment)[reason][variant.index]!
    : decision(experiment, variant, reason, unit, -1);
}

/** The decisions that need no unit, made once for an experiment. */
interface ReadyMade {
  readonly killed: Assignment;
  readonly concluded: Assignment;
  readonly off: Assignment;
  readonly notStarted: Assignment;
  readonly ended: Assignment;
  readonly prerequisite: Assignment;
  readonly notTargeted: Assignment;
  readonly noUnit: Assignment;
  readonly override: readonly Assignment[];
  readonly propagated: readonly Assignment[];
}

/** Keyed by the experiment, which is frozen and replaced whole by a reload; goes away with it. */
const readyMades = new WeakMap<Experiment, ReadyMade>();

function readyMade(experiment: Experiment): ReadyMade {
  const known = readyMades.get(experiment);
  if (known !== undefined) return known;
  const make = (reason: Reason, variant: Variant) =>
    Object.freeze(decision(experiment, variant, reason, null, -1));
  const made: ReadyMade = {
    killed: make('killed', experiment.fallback),
    concluded: make('concluded', experiment.winner ?? experiment.fallback),
    off: make('off', experiment.fallback),
    notStarted: make('not-started', experiment.fallback),
    ended: make('ended', experiment.schedule?.afterwards ?? experiment.fallback),
    prerequisite: make('prerequisite', experiment.fallback),
    notTargeted: make('not-targeted', experiment.fallback),
    noUnit: make('no-unit', experiment.fallback),
    override: experiment.variants.map((variant) => make('override', variant)),
    propagated: experiment.variants.map((variant) => make('propagated', variant)),
  };
  readyMades.set(experiment, made);
  return made;
}

function decision(
  experiment: Experiment,
  variant: Variant,
  reason: Reason,
  unit: FoundUnit | null,
  slot: number,
): Assignment {
  const isIncluded = reason === 'split' || reason === 'propagated' || reason === 'override';
  return {
    experiment,
    variant,
    reason,
    isIncluded,
    isCarried: isIncluded || isForAll(reason, variant === experiment.fallback),
    unit: unit === null ? null : unit.id,
    unitSource: unit === null ? null : unit.source,
    slot,
  };
}

/** All get this variant, here and further down, where another configuration may still be in force. */
function isForAll(reason: Reason, isFallback: boolean): boolean {
  return reason === 'killed' || reason === 'concluded' || (reason === 'ended' && !isFallback);
}

function overrideSentence(experiment: Experiment, overrides: Overrides | null): string {
  const variant = overrides?.forExperiment(experiment) ?? null;
  if (variant !== null) return `override: the ${overrides?.sourceFor(experiment)} asks for ${variant.name}`;
  const unknown = overrides?.unknownFor(experiment) ?? null;
  if (unknown !== null)
    return `override: asks for ${unknown}, which ${experiment.name} does not have; ignored`;
  return 'override: none';
}

function carriedSentence(carried: string | null, variant: Variant | null): string {
  if (carried === null) return 'propagated: the caller carries nothing';
  return variant === null
    ? `propagated: the caller carries ${carried}, which is not a variant here; ignored`
    : `propagated: the caller carries ${carried}`;
}
