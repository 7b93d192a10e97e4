/**
 * Who gets which variant, and why: one request, one experiment, one Assignment.
 *
 * Statuses that ask nobody (killed, concluded, draft) go before the override, then what the caller carries, then
 * paused, the dates, prerequisites, holdouts, the layer, what is sticky, targeting, the unit, the traffic gate and the
 * split. The result depends on the arguments only; a breaker is not asked, since it changes what is served and never
 * what is assigned. On the request path: a decision that does not need the unit is one of the experiment's ready-made
 * objects, the split makes one small object.
 */
import type { Random } from '../base/clock.ts';
import type { Bucketing } from './algorithms/bucketing.ts';
import { SLOTS, slotOf } from './bucket.ts';
import { exclusion, isRequirementMet, outsideDates, sameForAll } from './conditions.ts';
import { decision, readyMade } from './decided.ts';
import type { Assignment, Experiment, RequestAttributes, Variant } from './model.ts';
import { type Overrides, variantNamed } from './override.ts';
import { keyedVariant } from './routing-key.ts';
import { variantAt } from './slots.ts';
import type { Kept, Sticky } from './sticky.ts';
import { traceClause } from './targeting-trace.ts';
import type { TrafficClass } from './traffic-class.ts';
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
  /** What keeps the request out of every experiment; null or absent: nothing does. */
  readonly excluded?: TrafficClass | null;
  /** The sender may not override, so the routing keys of tools say nothing either. */
  readonly ignoresRoutingKeys?: boolean;
  /** What the client was given before; null or absent: nothing, or it is not read. */
  readonly sticky?: Sticky | null;
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
  if (experiment.routingKeys.length > 0) {
    const keyed = byRoutingKey(experiment, given, trace);
    if (keyed !== null) return keyed;
  }

  const carried = context === null ? null : context.carried(experiment.name);
  const propagated = carried === null ? null : variantNamed(experiment, carried);
  trace?.push(carriedSentence(experiment, carried, propagated));
  if (propagated !== null) return fromOutside(experiment, propagated, 'propagated', request);
  if (carried !== null) return readyMade(experiment).unknownVariant;

  const { excluded = null } = given;
  if (excluded !== null) {
    trace?.push(`traffic: it is of the class ${excluded}, so it gets ${experiment.excludedVariant.name}`);
    return readyMade(experiment).excluded[excluded];
  }
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
    if (unit === null) return withoutUnit(experiment, trace);
    const reason = exclusion(experiment, unit.id, trace);
    if (reason !== null) return decision(experiment, experiment.fallback, reason, unit, -1);
  }
  const kept = experiment.sticky === null ? null : keptOf(experiment, given, trace);
  if (kept !== null && kept.variant !== null) {
    if (!isExclusive) unit = readUnit(experiment.unit, request, given.random, trace);
    return decision(experiment, kept.variant, 'sticky', unit, -1);
  }
  if (!isTargeted(experiment, request, trace)) {
    if (unit === null) return readyMade(experiment).notTargeted;
    return decision(experiment, experiment.fallback, 'not-targeted', unit, -1);
  }

  if (!isExclusive) unit = readUnit(experiment.unit, request, given.random, trace);
  if (unit === null) return withoutUnit(experiment, trace);
  if (
    kept !== null
      ? !isStillEnrolled(experiment, kept, trace)
      : experiment.bucketing === null && !isEnrolled(experiment, unit, trace)
  )
    return decision(experiment, experiment.fallback, 'not-enrolled', unit, -1);
  if (experiment.bucketing !== null) return place(experiment, experiment.bucketing, unit, trace);
  return split(experiment, unit, trace);
}

/**
 * The reason as `x-experiment-reason` has it: the reason, with what it does not say (`excluded:bot`), and for a split
 * the place in [0, 1), `split:0.0731`.
 */
export function reasonText(assignment: Assignment): string {
  const { reason, detail } = assignment;
  if (reason !== 'split') return detail === null ? reason : `${reason}:${detail}`;
  return `split:${(Math.floor(assignment.slot / 100) / 10_000).toFixed(4)}`;
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

/** Never a random variant; and nobody knows of a request without a unit that it is not held out. */
function withoutUnit(experiment: Experiment, trace?: string[]): Assignment {
  trace?.push(`unit: none of the sources is present, so it gets ${experiment.fallback.name}`);
  return readyMade(experiment).noUnit;
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

/** What the client was given before, variant or not. */
function keptOf(experiment: Experiment, { sticky = null }: Given, trace?: string[]): Kept | null {
  const kept = sticky === null ? null : sticky.kept(experiment);
  if (kept === null) trace?.push('sticky: nothing that counts was given out before');
  else if (kept.variant !== null) trace?.push(`sticky: it was given ${kept.variant.name} before`);
  return kept;
}

/** With the slot of the gate that was drawn before: drawn anew at each visit, all would get in sooner or later. */
function isStillEnrolled(experiment: Experiment, { enrolSlot }: Kept, trace?: string[]): boolean {
  const isIn = enrolSlot < experiment.trafficPpm;
  trace?.push(
    `sticky: its slot of the traffic gate was ${enrolSlot}, ${isIn ? 'inside' : 'outside'} the first ${experiment.trafficPpm} of ${SLOTS}`,
  );
  return isIn;
}

/** Gate and split of another system. */
function place(experiment: Experiment, bucketing: Bucketing, unit: FoundUnit, trace?: string[]): Assignment {
  const placement = bucketing.place(unit.id, trace);
  if (placement === null) {
    trace?.push(`traffic: ${bucketing.name} leaves it out, so it gets ${experiment.fallback.name}`);
    return decision(experiment, experiment.fallback, 'not-enrolled', unit, -1);
  }
  const variant = experiment.variants[placement.variant]!;
  trace?.push(`split: by ${bucketing.name} it belongs to ${variant.name}`);
  return decision(experiment, variant, 'split', unit, placement.slot);
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

/** What a tool's routing key asks for is an override whose source is on record. */
function byRoutingKey(experiment: Experiment, given: Given, trace?: string[]): Assignment | null {
  const keyed = given.ignoresRoutingKeys ? null : keyedVariant(experiment.routingKeys, given.request);
  if (keyed === null) {
    const why = given.ignoresRoutingKeys ? 'the sender may not override' : 'none that is known here';
    trace?.push(`routing key: ${why}`);
    return null;
  }
  trace?.push(`routing key: that of ${keyed.kind} asks for ${keyed.variant.name}`);
  return { ...fromOutside(experiment, keyed.variant, 'override', given.request), detail: keyed.kind };
}

function overrideSentence(experiment: Experiment, overrides: Overrides | null): string {
  const variant = overrides?.forExperiment(experiment) ?? null;
  if (variant !== null) return `override: the ${overrides?.sourceFor(experiment)} asks for ${variant.name}`;
  const unknown = overrides?.unknownFor(experiment) ?? null;
  if (unknown !== null)
    return `override: asks for ${unknown}, which ${experiment.name} does not have; ignored`;
  return 'override: none';
}

function carriedSentence(experiment: Experiment, carried: string | null, variant: Variant | null): string {
  if (carried === null) return 'propagated: the caller carries nothing';
  return variant === null
    ? `propagated: the caller carries ${carried}, which is not a variant here, so it ${experiment.refusesUnknown ? 'is refused' : `gets ${experiment.fallback.name}`}`
    : `propagated: the caller carries ${carried}`;
}
