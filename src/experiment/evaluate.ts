/**
 * Deciding experiments for a request that is described and not on the wire, by the function that decides for those
 * that are. What an experiment requires is decided first, as on the request path. Serves and counts nothing.
 */
import { assign, type Given } from './assign.ts';
import type { Assignment, Experiment } from './model.ts';
import { standIn } from './stand-in.ts';

export type Described = Omit<Given, 'before'>;

export interface EvaluateOptions {
  /** Stands for the unit of each experiment whose unit the request does not have. */
  readonly targetingKey?: string;
  /** Filled with a sentence for each question that was asked, by experiment. */
  readonly steps?: Map<Experiment, string[]>;
}

/** @param order Each experiment after all that it requires, see `evaluationOrder`. */
export function evaluate(
  order: readonly Experiment[],
  given: Described,
  { targetingKey = '', steps }: EvaluateOptions = {},
): Map<Experiment, Assignment> {
  const before: Assignment[] = [];
  const assignments = new Map<Experiment, Assignment>();
  for (const experiment of order) {
    const own = targetingKey === '' ? {} : standIn(experiment.unit, given.request, targetingKey);
    const trace = steps === undefined ? undefined : [];
    const assignment = assign(experiment, { ...given, ...own, before }, trace);
    if (trace !== undefined) steps?.set(experiment, trace);
    before.push(assignment);
    assignments.set(experiment, assignment);
  }
  return assignments;
}
