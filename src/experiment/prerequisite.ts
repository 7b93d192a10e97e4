/**
 * Prerequisites: an experiment that takes only units which another experiment gave a certain variant, such as a flag
 * inside a canary group. The other one is assigned first, for the same request, on its route or not; only one that is
 * on the route is served, recorded and carried. Which comes before which is worked out once for a route. Pure.
 */
import type { Assignment, Experiment } from './model.ts';

/** What must have been assigned. */
export interface Requirement {
  readonly experiment: string;
  /** One of these. */
  readonly variants: readonly string[];
}

/** Experiments one behind the other: each is a decision more for every request. */
export const PREREQUISITE_DEPTH_MAX = 8;

/** The variant that `before` gave a unit of this experiment; null when it was not assigned. */
export function assignedBefore(before: readonly Assignment[], experimentName: string): string | null {
  for (let i = 0; i < before.length; i++) {
    const { experiment, variant } = before[i]!;
    if (experiment.name === experimentName) return variant.name;
  }
  return null;
}

/**
 * The experiments wanted and all that they require, each after what it requires; null when nothing is required.
 * Throws RangeError for a cycle or an experiment that is not there, which the configuration's checks have ruled out.
 */
export function evaluationOrder(
  wanted: readonly Experiment[],
  all: ReadonlyMap<string, Experiment>,
): readonly Experiment[] | null {
  if (wanted.every((experiment) => experiment.requires.length === 0)) return null;
  const order = new Set<Experiment>();
  const visit = (experiment: Experiment, depth: number): void => {
    if (order.has(experiment)) return;
    if (depth > PREREQUISITE_DEPTH_MAX) throw new RangeError(`prerequisites of ${experiment.name}: too deep`);
    for (const { experiment: name } of experiment.requires) {
      const required = all.get(name);
      if (required === undefined) throw new RangeError(`no experiment ${name}`);
      visit(required, depth + 1);
    }
    order.add(experiment);
  };
  for (const experiment of wanted) visit(experiment, 0);
  return [...order];
}
