/**
 * One experiment's decision for the record: the answers that its rules were given, and what came of them. Pure.
 * `recalled.ts` makes of them what is decided again.
 *
 * A record says where the unit's hashes came to and not who the unit is, and what each clause of the targeting answered
 * but not to what.
 */
import { type Context, type Given, reasonText } from './assign.ts';
import { slotOf } from './bucket.ts';
import { layerSlot } from './layer.ts';
import type { Assignment, Experiment, RequestAttributes } from './model.ts';
import { variantNamed } from './override.ts';
import { keyedVariant } from './routing-key.ts';
import type { Kept } from './sticky.ts';
import { readUnit } from './unit.ts';

/** In the order and with the names that they have on record. Slots are integers in [0, 1,000,000). */
export interface Answers {
  /** The variant that an override asked for; null: none, or none that is known. */
  readonly override: string | null;
  /** What a tool's routing key asked for. */
  readonly tool: { readonly kind: string; readonly variant: string } | null;
  /** The variant that the caller carried; `?` for one that is not known, whatever it said. */
  readonly carried: string | null;
  /** What the client was given before, with the slot of the gate when that was no variant. */
  readonly kept: { readonly variant: string | null; readonly gate: number } | null;
  /** Keyed hash of the unit; null when none was read. */
  readonly unit: string | null;
  /** Where the unit was read. */
  readonly source: string | null;
  /** The unit's slot of each holdout, of the layer, of the traffic gate and of the split; null where there is none. */
  readonly holdouts: readonly number[];
  readonly layer: number | null;
  readonly gate: number | null;
  /** Of another system's algorithm where it put the unit; null: it left it out. */
  readonly split: number | { readonly variant: string; readonly slot: number } | null;
  /** Of the clauses of the targeting, as far as they were asked. */
  readonly clauses: readonly boolean[];
}

const UNKNOWN = '?';

export interface Deciding {
  readonly assignment: Assignment;
  readonly given: Given;
  /** What the client was given before, whether it was asked for or not. */
  readonly kept: Kept | null;
}

/**
 * @param request That of `given`, or an `Asking` over it.
 * @param hash Of a unit, for the record.
 */
export function answersOf(
  { assignment, given, kept }: Deciding,
  request: RequestAttributes,
  hash: (unit: string) => string,
): Answers {
  const { experiment, unit } = assignment;
  // Asked for what it remembers: an absent unit is an answer too.
  readUnit(experiment.unit, request, null);
  const keyed = given.ignoresRoutingKeys ? null : keyedVariant(experiment.routingKeys, given.request);
  return {
    override: given.overrides?.forExperiment(experiment)?.name ?? null,
    tool: keyed === null ? null : { kind: keyed.kind, variant: keyed.variant.name },
    carried: carriedOf(experiment, given.context),
    kept: kept === null ? null : { variant: kept.variant?.name ?? null, gate: kept.enrolSlot },
    unit: unit === null ? null : hash(unit),
    source: assignment.unitSource,
    ...slotsOf(experiment, unit),
    clauses: clausesOf(assignment, request),
  };
}

function carriedOf(experiment: Experiment, context: Context | null): string | null {
  const name = context === null ? null : context.carried(experiment.name);
  return name === null || variantNamed(experiment, name) !== null ? name : UNKNOWN;
}

function slotsOf(
  experiment: Experiment,
  unit: string | null,
): Pick<Answers, 'holdouts' | 'layer' | 'gate' | 'split'> {
  if (unit === null) return { holdouts: [], layer: null, gate: null, split: null };
  const { holdouts, layer, bucketing, salt } = experiment;
  const held = holdouts.map((holdout) => slotOf(holdout.salt, holdout.kind, unit));
  const inLayer = layer === null ? null : layerSlot(layer, unit);
  if (bucketing === null) {
    return {
      holdouts: held,
      layer: inLayer,
      gate: slotOf(salt, 'enrol', unit),
      split: slotOf(salt, 'variant', unit),
    };
  }
  const place = bucketing.place(unit);
  const split =
    place === null ? null : { variant: experiment.variants[place.variant]!.name, slot: place.slot };
  return { holdouts: held, layer: inLayer, gate: null, split };
}

/** The targeting is asked before the unit is missed, and behind holdouts and the layer, which miss it before. */
function clausesOf({ experiment, reason }: Assignment, request: RequestAttributes): boolean[] {
  const isExclusive = experiment.layer !== null || experiment.holdouts.length > 0;
  const isReached =
    reason === 'not-targeted' ||
    reason === 'not-enrolled' ||
    reason === 'split' ||
    (reason === 'no-unit' && !isExclusive);
  const answers: boolean[] = [];
  if (!isReached) return answers;
  for (const clause of experiment.targeting) {
    const isMet = clause.matches(request);
    answers.push(isMet);
    if (!isMet) break;
  }
  return answers;
}

/** What came of it. */
export interface Outcome {
  readonly assignment: Assignment;
  /** The variant that was to serve, and why it is another; null: the experiment is not of the route, or nobody served. */
  readonly served: string | null;
  readonly because: string | null;
}

/** One experiment as it is on record: JSON, always the same for the same. `drawn`: see `Recalled`. */
export function entryText(
  answers: Answers,
  { assignment, served, because }: Outcome,
  drawn: string | null = null,
): string {
  const { override, tool, carried, kept, unit, source, holdouts, layer, gate, split, clauses } = answers;
  const { experiment, variant } = assignment;
  return JSON.stringify({
    experiment: experiment.name,
    epoch: experiment.epoch,
    ...{ override, tool, carried, kept, unit, source, holdouts, layer, gate, split, clauses },
    ...(drawn === null ? {} : { drawn }),
    assigned: variant.name,
    reason: reasonText(assignment),
    served,
    because,
  });
}
