/**
 * A recorded decision to be made again: an experiment that has the recorded answers in place of a request, for `assign`
 * to decide like any other. Pure.
 *
 * What is proven by that: the order of the questions, statuses, dates, prerequisites, the ranges of holdouts and layers,
 * the gate, weights and slots. Where the request itself is on record (`Asked`), units are hashed and clauses asked anew.
 */
import type { Bucketing, Placement } from './algorithms/bucketing.ts';
import { Answering, type Asked, Unanswered } from './asked.ts';
import type { Given } from './assign.ts';
import { SLOTS } from './bucket.ts';
import { isWithin, type LayerShare } from './layer.ts';
import type { Experiment, TargetingClause, Variant } from './model.ts';
import { parseOverride, variantNamed } from './override.ts';
import type { Answers } from './recorded.ts';
import type { RoutingKey } from './routing-key.ts';
import { variantAt } from './slots.ts';
import { NO_ENTROPY } from './stand-in.ts';
import type { Sticky } from './sticky.ts';
import { unitText } from './unit.ts';

/** What is on record beside the answers. */
export interface Recalled {
  /** Null: only the answers. */
  readonly asked: Readonly<Asked> | null;
  /** The unit itself where it was drawn for the request; null: it was not, or is not on record. */
  readonly drawn: string | null;
  /** The rules are without the ids of their segments, so clauses are taken as recorded. */
  readonly isWithoutIds: boolean;
}

export interface Question {
  readonly experiment: Experiment;
  /** What differs by the experiment; the rest is the same for all of a request. */
  readonly given: Pick<Given, 'request' | 'context' | 'overrides' | 'sticky' | 'random'>;
}

/** No request has fields of these names. */
const UNIT_FIELD = ' unit';
const TOOL_FIELD = ' tool';

/** @throws Unanswered when the record does not fit the experiment */
export function questionOf(experiment: Experiment, answers: Answers, recalled: Recalled): Question {
  const { asked, drawn, isWithoutIds } = recalled;
  const { override, carried, tool } = answers;
  const request = new Answering({
    ...asked,
    [`header ${UNIT_FIELD}`]: answers.unit,
    [`header ${TOOL_FIELD}`]: tool?.variant ?? null,
  });
  const routingKeys = tool === null ? [] : [routingKeyOf(experiment, tool)];
  const clauses =
    asked === null || isWithoutIds ? recordedClauses(experiment, answers.clauses) : experiment.targeting;
  return {
    experiment: {
      ...experiment,
      ...(asked === null ? recordedUnit(experiment, answers) : {}),
      routingKeys,
      targeting: clauses,
    },
    given: {
      request,
      context: carried === null ? null : { carried: () => carried },
      overrides: override === null ? null : parseOverride(`${experiment.name}=${override}`, null),
      sticky: keptBefore(experiment, answers.kept),
      random: drawn === null ? NO_ENTROPY : { next: () => 0, hex: () => drawn },
    },
  };
}

function routingKeyOf(experiment: Experiment, { kind, variant }: NonNullable<Answers['tool']>): RoutingKey {
  const rule = experiment.routingKeys.find((key) => key.kind === kind);
  if (rule === undefined) throw new Unanswered(`the rules have no routing key of ${kind}`);
  const places = [{ field: TOOL_FIELD, member: null }];
  return { kind: rule.kind, places, variants: new Map([[variant, variantOf(experiment, variant)]]) };
}

function recordedClauses({ targeting }: Experiment, answers: readonly boolean[]): TargetingClause[] {
  return targeting.map(({ text }, index) => ({
    text,
    matches: () => {
      const answer = answers[index];
      if (answer === undefined) throw new Unanswered(`the record does not say whether ${text}`);
      return answer;
    },
  }));
}

/** The slots in place of what they are computed from. */
function recordedUnit(experiment: Experiment, answers: Answers): Partial<Experiment> {
  const { unit, source, holdouts } = answers;
  const own: Partial<Experiment> = { unit: [{ kind: 'header', name: UNIT_FIELD }] };
  if (unit === null) return own;
  if (!experiment.unit.some((one) => unitText(one) === source))
    throw new Unanswered(`the rules read no unit from ${source}`);
  if (holdouts.length !== experiment.holdouts.length)
    throw new Unanswered(`the rules have ${experiment.holdouts.length} holdouts`);
  return {
    ...own,
    holdouts: experiment.holdouts.map((holdout, index) => ({
      ...holdout,
      sharePpm: holdouts[index]! < holdout.sharePpm ? SLOTS : 0,
    })),
    layer: experiment.layer === null ? null : recordedLayer(experiment.layer, answers.layer),
    bucketing: recordedSplit(experiment, answers),
  };
}

function recordedLayer(layer: LayerShare, slot: number | null): LayerShare {
  if (slot === null) throw new Unanswered(`the record has no slot of the layer ${layer.name}`);
  return { ...layer, ranges: isWithin(layer.ranges, slot) ? [{ start: 0, end: SLOTS }] : [] };
}

/** Gate and split by the slots; of another system's algorithm where the record says that it put the unit. */
function recordedSplit(experiment: Experiment, { gate, split, kept }: Answers): Bucketing {
  const place = (): Placement | null => {
    if (experiment.bucketing !== null) return placementOf(experiment, split);
    if (gate === null || typeof split !== 'number')
      throw new Unanswered('the record has no slots of the gate and the split');
    // Who was at the gate before is not asked there again.
    const isIn = kept !== null || gate < experiment.trafficPpm;
    return isIn ? { variant: variantAt(experiment.slots, split), slot: split } : null;
  };
  // Of fairlead1 there is no such object otherwise; its name is for traces, and nothing is traced here.
  return { name: experiment.bucketing?.name ?? 'flagd2', isExact: false, place };
}

function placementOf(experiment: Experiment, split: Answers['split']): Placement | null {
  if (typeof split === 'number') throw new Unanswered('the record has a slot where it should name a variant');
  return split === null ? null : { variant: variantOf(experiment, split.variant).index, slot: split.slot };
}

function keptBefore(experiment: Experiment, kept: Answers['kept']): Sticky | null {
  if (kept === null) return null;
  const variant = kept.variant === null ? null : variantOf(experiment, kept.variant);
  return { kept: () => ({ variant, enrolSlot: kept.gate }) };
}

function variantOf(experiment: Experiment, name: string): Variant {
  const variant = variantNamed(experiment, name);
  if (variant === null) throw new Unanswered(`the rules have no variant ${JSON.stringify(name)}`);
  return variant;
}
