/**
 * What another configuration would change: the rules in effect on one side, on the other what they would be when the
 * new file is loaded over them, run-time changes and slots included. Pure; secrets are not compared.
 */
import { compile } from '../config/compile.ts';
import type { RuntimeState } from '../config/runtime.ts';
import type { Config } from '../config/schema.ts';
import type { Route, Snapshot } from '../config/snapshot.ts';
import {
  type ChangedExperiment,
  compareExperiments,
  isSame,
  otherSettings,
  plain,
} from '../control/changes.ts';
import { restartNeeded } from '../control/comparison.ts';
import { overtakenWeights, rememberSlots, withoutWeights } from '../control/runtime-changes.ts';
import { exactMoves, inheritedSettings, type Move, otherOwners, sharesIn } from './plan-moves.ts';
import { compareUnits, namesToDecide, type UpstreamShare } from './plan-traffic.ts';
import { unitOf } from './simulate-units.ts';

export interface PlannedExperiment extends ChangedExperiment {
  readonly moves: readonly Move[];
  /** Share of all units in each variant before, 0 to 1; empty where another system's algorithm deals. */
  readonly sharesBefore: Readonly<Record<string, number>>;
  /**
   * Share of its units, 0 to 1, that a sidecar without this one's state would give another variant under the new rules:
   * it has no slots to go on from.
   */
  readonly freshDiffers: number;
  /** False: found with units that nobody has, or with those of the sample. */
  readonly isExact: boolean;
}

export interface Plan {
  readonly isChanged: boolean;
  /** Fingerprints of the declared configurations. */
  readonly hash: { readonly before: string; readonly after: string };
  readonly experiments: readonly PlannedExperiment[];
  /** Of routes where something changes. */
  readonly upstreams: readonly UpstreamShare[];
  /** Routes on which two experiments want an upstream of their own: the first gets its way. */
  readonly conflicts: readonly {
    readonly route: string;
    readonly experiments: readonly string[];
    readonly isNew: boolean;
  }[];
  readonly protectedRoutes: readonly { readonly route: string; readonly experiments: readonly string[] }[];
  /** Top-level settings that differ, the experiments apart. */
  readonly settings: readonly string[];
  readonly restartNeeded: readonly string[];
  /** How many units were decided for what is not exact. */
  readonly units: number;
}

export interface Rules {
  readonly config: Config;
  readonly runtime: RuntimeState;
  /** Of the declared configuration. */
  readonly hash: string;
}

export interface PlanOptions {
  readonly units: number;
  /** Ids of real units in place of those that nobody has; null: none are known. */
  readonly ids: readonly string[] | null;
  readonly wallMs: number;
}

export function planOf(
  before: Rules,
  next: { readonly config: Config; readonly hash: string },
  options: PlanOptions,
): Plan {
  const [left, right, fresh] = snapshots(before, next.config);
  const { wallMs, ids } = options;
  const names = namesToDecide([left, right], ({ bucketing }) => ids !== null || bucketing !== null);
  const units =
    ids ?? Array.from({ length: unitsFor(names.size, options.units) }, (_, index) => unitOf(index));
  const compared = compareUnits(left, right, { units, wallMs, names });
  const [old, declared] = [plain(before.config), plain(next.config)];
  const overtaken = overtakenWeights(next.config, before.runtime);
  const experiments = compareExperiments(
    { declared: old, snapshot: left },
    { declared, snapshot: right },
    overtaken,
  ).flatMap((one): PlannedExperiment[] => {
    const { name } = one;
    const [from, to] = [left.experiments.get(name) ?? null, right.experiments.get(name) ?? null];
    const exact = ids === null ? exactMoves(from, to, wallMs) : null;
    const moves = exact ?? compared.moves.get(name) ?? [];
    if (isSame(one) && moves.length === 0) return [];
    const settings = [...one.settings, ...inheritedSettings(from, to)];
    // Nothing of its own and nothing around it: then it is decided after another one that has changed.
    const isRequiring = settings.length === 0 && isSame(one);
    return [
      {
        ...one,
        settings: isRequiring ? ['what it requires'] : settings,
        moves,
        sharesBefore: sharesIn(from, wallMs),
        freshDiffers: otherOwners(to, fresh.experiments.get(name) ?? null),
        isExact: exact !== null,
      },
    ];
  });
  const settings = otherSettings(old, declared);
  const changed = new Set(experiments.map(({ name }) => name));
  return {
    isChanged: experiments.length > 0 || settings.length > 0,
    hash: { before: before.hash, after: next.hash },
    experiments,
    upstreams: changedRoutes(compared.upstreams),
    conflicts: conflicts(left, right),
    protectedRoutes: touched(next.config.protect, [left, right], changed),
    settings,
    restartNeeded: restartNeeded(old, declared),
    units: compared.units,
  };
}

/** As `control/state.ts` would have them, one after the other; the last as it would be if no slots were known. */
function snapshots({ config, runtime }: Rules, next: Config): [Snapshot, Snapshot, Snapshot] {
  const before = compile(decidable(config), runtime, 1);
  const known = rememberSlots(runtime, before);
  const after = withoutWeights(known, overtakenWeights(next, known));
  const fresh = new Map([...after.experiments].map(([name, one]) => [name, { ...one, slots: [] }]));
  const deciding = decidable(next);
  return [before, compile(deciding, after, 2), compile(deciding, { experiments: fresh }, 2)];
}

/** What decides about units and upstreams. A configuration that was shown has no keys to compile the rest with. */
function decidable(config: Config): Config {
  const experiments = Object.entries(config.experiments).map(([name, { sticky: _, ...experiment }]) => [
    name,
    experiment,
  ]);
  const upstreams = Object.entries(config.upstreams).map(([name, { tls: _, ...upstream }]) => [
    name,
    upstream,
  ]);
  const { tokens: _tokens, listeners: _listeners, ...rest } = config;
  return {
    ...rest,
    identity: {},
    stickyKeys: [],
    experiments: Object.fromEntries(experiments),
    upstreams: Object.fromEntries(upstreams),
  };
}

/** At most so many decisions: some seconds. */
const DECISIONS_MAX = 20_000_000;

function unitsFor(experiments: number, wanted: number): number {
  return Math.max(1, Math.min(wanted, Math.floor(DECISIONS_MAX / (2 * Math.max(1, experiments)))));
}

/** Of every route where a share is another. */
function changedRoutes(upstreams: readonly UpstreamShare[]): UpstreamShare[] {
  const keyOf = ({ direction, route }: UpstreamShare): string => `${direction} ${route}`;
  const changed = new Set(upstreams.filter(({ before, after }) => before !== after).map(keyOf));
  return upstreams.filter((one) => changed.has(keyOf(one)));
}

function conflicts(before: Snapshot, after: Snapshot): Plan['conflicts'] {
  const known = new Set(routesOf(before).map((route) => `${route.name} ${rivals(route).join(' ')}`));
  return routesOf(after).flatMap((route) => {
    const experiments = rivals(route);
    if (experiments.length < 2) return [];
    return [{ route: route.name, experiments, isNew: !known.has(`${route.name} ${experiments.join(' ')}`) }];
  });
}

/** Experiments of the route that may choose an upstream of their own. */
function rivals({ experiments, upstream }: Route): string[] {
  return experiments
    .filter(
      ({ experiment, variants }) =>
        experiment.status !== 'draft' && variants.some((variant) => variant.upstream.name !== upstream.name),
    )
    .map(({ experiment }) => experiment.name);
}

function touched(
  protect: readonly string[],
  sides: readonly Snapshot[],
  changed: ReadonlySet<string>,
): Plan['protectedRoutes'] {
  return protect.flatMap((name) => {
    const onIt = sides.map((side) =>
      routesOf(side).flatMap((route) =>
        route.name === name ? route.experiments.map(({ experiment }) => experiment.name) : [],
      ),
    );
    const [before = [], after = []] = onIt;
    const all = [...new Set([...before, ...after])];
    const experiments = all.filter((one) => changed.has(one) || before.includes(one) !== after.includes(one));
    return experiments.length === 0 ? [] : [{ route: name, experiments }];
  });
}

function routesOf({ routes }: Snapshot): readonly Route[] {
  return [...routes.inbound.all, ...routes.outbound.all];
}
