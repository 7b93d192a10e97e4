/**
 * What a configuration does with units that nobody has: each is decided by the functions of the request path, of which
 * only those are left that ask the unit. Deterministic: the same units for the same number. Reads nothing.
 */
import { type GoodnessOfFit, goodnessOfFit } from '../analysis/chi-squared.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { evaluate } from '../experiment/evaluate.ts';
import { type Holdout, heldOut } from '../experiment/layer.ts';
import type { Assignment, Experiment, Reason, RequestAttributes, UnitSource } from '../experiment/model.ts';
import { evaluationOrder } from '../experiment/prerequisite.ts';
import { NO_ENTROPY } from '../experiment/stand-in.ts';

/** Pairs are looked at for this many experiments at most: their number grows with the square. */
export const OVERLAP_EXPERIMENTS_MAX = 200;
/** What is less likely is no accident. */
export const P_MIN = 0.001;

export interface SimulatedVariant {
  readonly name: string;
  readonly units: number;
  /** Share of those in the experiment that it should have. */
  readonly expectedPpm: number;
}

export interface SimulatedExperiment {
  readonly name: string;
  /** As it is; a draft and a paused one are simulated as if they were running. */
  readonly status: string;
  readonly included: number;
  /** Kept out, by reason: `holdout`, `not-in-layer`, `not-enrolled`, `prerequisite`, `killed`, `concluded`. */
  readonly excluded: Readonly<Partial<Record<Reason, number>>>;
  /** Share of all units that its holdouts should keep out, 0 to 1. */
  readonly holdoutShare: number;
  readonly variants: readonly SimulatedVariant[];
  /** Null: nobody, too few, or only one variant has a share. */
  readonly fit: GoodnessOfFit | null;
}

export interface Overlap {
  readonly experiments: readonly [string, string];
  /** The layer that both are in: then nobody may be in both. */
  readonly layer: string | null;
  readonly units: number;
  /** In both, if one had nothing to do with the other. */
  readonly expected: number;
}

export interface Simulation {
  readonly units: number;
  readonly experiments: readonly SimulatedExperiment[];
  readonly overlaps: readonly Overlap[];
  /** Every split is as declared, and nobody is in two experiments of one layer. */
  readonly isSound: boolean;
}

const UNIT: UnitSource = { kind: 'header', name: 'unit' };
/** Units between two words on how far it is. */
const PROGRESS_EVERY = 4096;

/** A request that is nothing but its unit. */
class UnitRequest implements RequestAttributes {
  readonly method = 'GET';
  readonly path = '/';
  readonly clientIdentity = null;
  readonly clientAddress = null;
  #unit = '';

  /** The same object for the next unit. */
  of(unit: string): this {
    this.#unit = unit;
    return this;
  }

  header(): string {
    return this.#unit;
  }

  cookie(): null {
    return null;
  }

  query(): null {
    return null;
  }

  pathParameter(): null {
    return null;
  }

  claim(): null {
    return null;
  }
}

/** Unit number `index`, from 0. */
export function unitOf(index: number): string {
  return `unit-${index + 1}`;
}

/** Decides all experiments for one unit after the other, as if they were targeted at everyone. */
export class UnitDecider {
  readonly #order: readonly Experiment[];
  readonly #request = new UnitRequest();
  readonly #wallMs: number;

  /**
   * @param wallMs For experiments with dates.
   * @param isWanted Whether it is to be decided; what it requires is in any case.
   */
  constructor(
    experiments: Iterable<Experiment>,
    wallMs: number,
    isWanted: (experiment: Experiment) => boolean = () => true,
  ) {
    const all = new Map(Array.from(experiments, (one) => [one.name, byUnitAlone(one)]));
    const wanted = [...all.values()].filter(isWanted);
    this.#order = evaluationOrder(wanted, all) ?? wanted;
    this.#wallMs = wallMs;
  }

  /** By experiment: with the fields of the experiment, but not the same object. */
  decide(unit: string): Iterable<Assignment> {
    const request = this.#request.of(unit);
    const given = { request, context: null, overrides: null, random: NO_ENTROPY, wallMs: this.#wallMs };
    return evaluate(this.#order, given).values();
  }
}

function byUnitAlone(experiment: Experiment): Experiment {
  return { ...experiment, targeting: [], sticky: null, routingKeys: [], unit: [UNIT] };
}

/** What is killed or concluded stays so: it has no split. */
function asIfOn(experiment: Experiment): Experiment {
  const { status } = experiment;
  return {
    ...experiment,
    status: status === 'draft' || status === 'paused' ? 'running' : status,
    schedule: null,
  };
}

interface Tally {
  readonly experiment: Experiment;
  readonly variants: number[];
  readonly excluded: Partial<Record<Reason, number>>;
  included: number;
}

/**
 * @param only Name of the one experiment that is shown, with its overlaps; null: all.
 */
export function simulate(
  snapshot: Snapshot,
  units: number,
  only: string | null,
  onProgress: (done: number) => void = () => {},
): Simulation {
  const experiments = [...snapshot.experiments.values()];
  const tallies = new Map<string, Tally>(
    experiments.map((experiment) => [
      experiment.name,
      { experiment, variants: experiment.variants.map(() => 0), excluded: {}, included: 0 },
    ]),
  );
  const decider = new UnitDecider(experiments.map(asIfOn), 0);
  const pairs = new Pairs(only ?? null, experiments.length);
  let outOfAll = 0;
  for (let index = 0; index < units; index++) {
    if (index % PROGRESS_EVERY === 0) onProgress(index);
    const unit = unitOf(index);
    if (snapshot.holdout !== null && heldOut([snapshot.holdout], unit) !== null) outOfAll++;
    pairs.add(count(decider.decide(unit), tallies));
  }
  const shown = [...tallies.values()].filter(({ experiment }) => only === null || experiment.name === only);
  const simulated = shown.map(simulatedOf);
  const overlaps = pairs.overlaps(tallies, units - outOfAll);
  const isSound =
    simulated.every(({ fit }) => fit === null || fit.p >= P_MIN) &&
    overlaps.every((overlap) => overlap.layer === null || overlap.units === 0);
  return { units, experiments: simulated, overlaps, isSound };
}

/** @returns the names of the experiments that the unit is in */
function count(assignments: Iterable<Assignment>, tallies: ReadonlyMap<string, Tally>): string[] {
  const included: string[] = [];
  for (const { experiment, variant, reason, isIncluded } of assignments) {
    const tally = tallies.get(experiment.name)!;
    if (isIncluded) {
      tally.included++;
      tally.variants[variant.index]!++;
      included.push(experiment.name);
    } else tally.excluded[reason] = (tally.excluded[reason] ?? 0) + 1;
  }
  return included;
}

function simulatedOf({ experiment, variants, excluded, included }: Tally): SimulatedExperiment {
  const shares = experiment.variants.map(({ weightPpm }) => weightPpm);
  return {
    name: experiment.name,
    status: experiment.status,
    included,
    excluded,
    holdoutShare: shareOf(experiment.holdouts),
    variants: experiment.variants.map(({ name, index, weightPpm }) => ({
      name,
      units: variants[index]!,
      expectedPpm: weightPpm,
    })),
    fit: included === 0 ? null : goodnessOfFit(variants, shares),
  };
}

/** Each holdout has a hash of its own. */
function shareOf(holdouts: readonly Holdout[]): number {
  return 1 - holdouts.reduce((rest, { sharePpm }) => rest * (1 - sharePpm / 1_000_000), 1);
}

/** Who is in two experiments. */
class Pairs {
  readonly #only: string | null;
  readonly #isOff: boolean;
  readonly #counts = new Map<string, Map<string, number>>();

  constructor(only: string | null, experiments: number) {
    this.#only = only;
    this.#isOff = only === null && experiments > OVERLAP_EXPERIMENTS_MAX;
  }

  add(included: readonly string[]): void {
    if (this.#isOff) return;
    if (this.#only === null) {
      for (let i = 0; i < included.length; i++)
        for (let j = i + 1; j < included.length; j++) this.#increment(included[i]!, included[j]!);
    } else if (included.includes(this.#only)) {
      for (const other of included) if (other !== this.#only) this.#increment(this.#only, other);
    }
  }

  #increment(left: string, right: string): void {
    const counts = this.#counts.get(left) ?? new Map<string, number>();
    this.#counts.set(left, counts);
    counts.set(right, (counts.get(right) ?? 0) + 1);
  }

  /** @param open Units that are not held out of everything. */
  overlaps(tallies: ReadonlyMap<string, Tally>, open: number): Overlap[] {
    if (this.#isOff) return [];
    const all = [...tallies.values()].filter(({ included }) => included > 0);
    return all.flatMap((left, index) =>
      all.slice(index + 1).flatMap((right): Overlap[] => {
        const names = [left.experiment.name, right.experiment.name] as const;
        if (this.#only !== null && !names.includes(this.#only)) return [];
        const [layer, other] = [left.experiment.layer, right.experiment.layer];
        const inBoth = (a: string, b: string): number => this.#counts.get(a)?.get(b) ?? 0;
        return [
          {
            experiments: names,
            layer: layer !== null && layer.name === other?.name ? layer.name : null,
            units: inBoth(names[0], names[1]) + inBoth(names[1], names[0]),
            expected: (left.included * right.included) / Math.max(1, open),
          },
        ];
      }),
    );
  }
}
