/**
 * `fairlead simulate -c FILE`: what the configuration does with N units that nobody has: the split of each experiment
 * and whether it is the declared one, who is held out, and who is in two experiments. Reads the file and the run-time
 * state beside it, and changes nothing.
 */
import { effectiveSnapshot } from './effective.ts';
import { CliError, Exit, type Io } from './io.ts';
import { Progress } from './progress.ts';
import {
  OVERLAP_EXPERIMENTS_MAX,
  type SimulatedExperiment,
  type Simulation,
  simulate,
} from './simulate-units.ts';
import { table } from './table.ts';

export interface SimulateOptions {
  readonly config: string;
  readonly units: number;
  /** Only this one. */
  readonly experiment?: string | undefined;
  readonly output: 'text' | 'json';
}

/** More takes minutes and tells no more. */
export const UNITS_MAX = 10_000_000;

/** 1 when a split is not what is declared (p below 0.001), or when a unit is in two experiments of one layer; 3 for a config that is not valid. */
export async function simulateCommand(options: SimulateOptions, io: Io): Promise<number> {
  if (options.units > UNITS_MAX) throw new CliError(Exit.usage, `--units: at most ${UNITS_MAX}`);
  const snapshot = await effectiveSnapshot(options.config, io);
  if (snapshot === null) return Exit.configInvalid;
  const { experiment: only = null } = options;
  if (only !== null && !snapshot.experiments.has(only)) {
    const known = [...snapshot.experiments.keys()].join(', ');
    throw new CliError(Exit.usage, `there is no experiment ${JSON.stringify(only)}; known: ${known}`);
  }
  const progress = new Progress(io, 'units', options.units);
  const simulation = simulate(snapshot, options.units, only, (done) => progress.reached(done));
  progress.end();
  io.out(options.output === 'json' ? `${JSON.stringify(simulation, null, 2)}\n` : textOf(simulation));
  if (only === null && snapshot.experiments.size > OVERLAP_EXPERIMENTS_MAX)
    io.err(
      `more than ${OVERLAP_EXPERIMENTS_MAX} experiments: who is in two of them is counted with --experiment only\n`,
    );
  return simulation.isSound ? Exit.ok : Exit.negative;
}

function textOf({ units, experiments, overlaps }: Simulation): string {
  if (experiments.length === 0) return 'no experiments\n';
  const split = experiments.flatMap(splitRows);
  const share = (count: number): string => percent(count, units);
  const taken = experiments.map(({ name, status, included, excluded, holdoutShare }) => [
    name,
    status,
    share(included),
    share(excluded.holdout ?? 0),
    // Who lacks a prerequisite is not asked.
    excluded.prerequisite === undefined ? `${(100 * holdoutShare).toFixed(2)}%` : '-',
    share(excluded['not-in-layer'] ?? 0),
    share(excluded['not-enrolled'] ?? 0),
    share(excluded.prerequisite ?? 0),
  ]);
  const both = overlaps.map(({ experiments: [left, right], layer, units: count, expected }) => [
    left,
    right,
    layer ?? '-',
    count,
    layer === null ? Math.round(expected) : 0,
  ]);
  return [
    `${units} units\n`,
    table(
      ['EXPERIMENT', 'STATUS', 'IN', 'HELD-OUT', 'DECLARED', 'NOT-IN-LAYER', 'NOT-ENROLLED', 'PREREQUISITE'],
      taken,
    ),
    ...(split.length === 0
      ? []
      : [table(['EXPERIMENT', 'VARIANT', 'UNITS', 'SHARE', 'DECLARED', 'P'], split)]),
    ...(both.length === 0 ? [] : [table(['EXPERIMENT', 'AND', 'LAYER', 'IN-BOTH', 'EXPECTED'], both)]),
  ].join('\n');
}

function splitRows({ name, included, variants, fit }: SimulatedExperiment): (string | number)[][] {
  if (included === 0) return [];
  return variants.map((variant) => [
    name,
    variant.name,
    variant.units,
    percent(variant.units, included),
    `${variant.expectedPpm / 10_000}%`,
    fit === null ? '-' : fit.p < 0.0001 ? fit.p.toExponential(1) : fit.p.toFixed(4),
  ]);
}

function percent(count: number, whole: number): string {
  return `${((100 * count) / whole).toFixed(2)}%`;
}
