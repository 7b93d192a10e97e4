/**
 * Assignments as objects: those that need no unit are made once for an experiment, the others one for a request. Says
 * what of a reason follows: is the request part of the experiment, and is the variant carried on?
 */
import type { Assignment, Experiment, Reason, Variant } from './model.ts';
import type { TrafficClass } from './traffic-class.ts';
import type { FoundUnit } from './unit.ts';

/** The decisions that need no unit, made once for an experiment. */
export interface ReadyMade {
  readonly killed: Assignment;
  readonly concluded: Assignment;
  readonly off: Assignment;
  readonly notStarted: Assignment;
  readonly ended: Assignment;
  readonly prerequisite: Assignment;
  readonly unknownVariant: Assignment;
  readonly notTargeted: Assignment;
  readonly noUnit: Assignment;
  readonly excluded: Readonly<Record<TrafficClass, Assignment>>;
  readonly override: readonly Assignment[];
  readonly propagated: readonly Assignment[];
}

/** Keyed by the experiment, which is frozen and replaced whole by a reload; goes away with it. */
const readyMades = new WeakMap<Experiment, ReadyMade>();

/** The ready-made decisions of an experiment. */
export function readyMade(experiment: Experiment): ReadyMade {
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
    unknownVariant: make('unknown-variant', experiment.fallback),
    notTargeted: make('not-targeted', experiment.fallback),
    noUnit: make('no-unit', experiment.fallback),
    excluded: {
      synthetic: excludedAs(experiment, 'synthetic'),
      'health-check': excludedAs(experiment, 'health-check'),
      bot: excludedAs(experiment, 'bot'),
    },
    override: experiment.variants.map((variant) => make('override', variant)),
    propagated: experiment.variants.map((variant) => make('propagated', variant)),
  };
  readyMades.set(experiment, made);
  return made;
}

function excludedAs(experiment: Experiment, detail: TrafficClass): Assignment {
  return Object.freeze({ ...decision(experiment, experiment.excludedVariant, 'excluded', null, -1), detail });
}

/** A decision made for one request. `slot`: -1 when the split was not consulted. */
export function decision(
  experiment: Experiment,
  variant: Variant,
  reason: Reason,
  unit: FoundUnit | null,
  slot: number,
): Assignment {
  const isIncluded =
    reason === 'split' || reason === 'sticky' || reason === 'propagated' || reason === 'override';
  return {
    experiment,
    variant,
    reason,
    detail: null,
    isIncluded,
    isCarried: isIncluded || isForAll(reason, variant.index === experiment.fallback.index),
    unit: unit === null ? null : unit.id,
    unitSource: unit === null ? null : unit.source,
    slot,
  };
}

/** All get this variant, here and further down, where another configuration may still be in force. */
function isForAll(reason: Reason, isFallback: boolean): boolean {
  return reason === 'killed' || reason === 'concluded' || (reason === 'ended' && !isFallback);
}
