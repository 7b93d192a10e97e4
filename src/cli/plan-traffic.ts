/**
 * Where requests go before and after a change, and who moves where shares do not say it: units are decided by both
 * rules and compared. Pure.
 */
import type { Direction, Route, Snapshot } from '../config/snapshot.ts';
import type { Assignment, Experiment } from '../experiment/model.ts';
import type { Move } from './plan-moves.ts';
import { UnitDecider } from './simulate-units.ts';

/** An upstream of a route, with its share of the route's requests, 0 to 1. */
export interface UpstreamShare {
  readonly route: string;
  readonly direction: Direction;
  readonly upstream: string;
  readonly before: number;
  readonly after: number;
}

export interface Comparison {
  readonly units: number;
  /** By experiment; `share` of all units. */
  readonly moves: ReadonlyMap<string, readonly Move[]>;
  readonly upstreams: readonly UpstreamShare[];
}

type Arms = Map<string, { readonly variant: number; readonly arm: string | null }>;

/**
 * Decides all `units` by both rules.
 *
 * @param names Of the experiments to decide: at least those that choose an upstream.
 */
export function compareUnits(
  before: Snapshot,
  after: Snapshot,
  {
    units,
    wallMs,
    names,
  }: { readonly units: Iterable<string>; readonly wallMs: number; readonly names: ReadonlySet<string> },
): Comparison {
  const deciders = [before, after].map(
    (snapshot) => new UnitDecider(snapshot.experiments.values(), wallMs, ({ name }) => names.has(name)),
  ) as [UnitDecider, UnitDecider];
  const moved = new Map<string, Map<string, { from: string | null; to: string | null; count: number }>>();
  const routed = [new Destinations(before), new Destinations(after)] as const;
  let count = 0;
  for (const unit of units) {
    count++;
    const [left, right] = [armsOf(deciders[0].decide(unit)), armsOf(deciders[1].decide(unit))];
    routed[0].add(left);
    routed[1].add(right);
    for (const name of new Set([...left.keys(), ...right.keys()])) {
      const [from, to] = [left.get(name)?.arm ?? null, right.get(name)?.arm ?? null];
      if (from === to) continue;
      const own = moved.get(name) ?? new Map();
      moved.set(name, own);
      const key = `${from ?? ''}\0${to ?? ''}`;
      const move = own.get(key) ?? { from, to, count: 0 };
      own.set(key, move);
      move.count++;
    }
  }
  for (const side of routed) side.finish(count);
  return {
    units: count,
    moves: new Map(
      Array.from(moved, ([name, own]) => [
        name,
        Array.from(own.values(), ({ from, to, count: some }) => ({ from, to, share: some / count })),
      ]),
    ),
    upstreams: shares(routed, count),
  };
}

function armsOf(assignments: Iterable<Assignment>): Arms {
  const arms: Arms = new Map();
  for (const { experiment, variant, isIncluded, reason } of assignments) {
    const isForAll =
      reason === 'concluded' || (reason === 'ended' && variant.index !== experiment.fallback.index);
    arms.set(experiment.name, {
      variant: variant.index,
      arm: isIncluded || isForAll ? variant.name : null,
    });
  }
  return arms;
}

/** How often each upstream of each route is chosen. */
class Destinations {
  readonly counts = new Map<string, { route: Route; upstream: string; count: number }>();
  readonly #choices: readonly Choice[];
  readonly #others: readonly Route[];

  constructor({ routes }: Snapshot) {
    const all = [...routes.inbound.all, ...routes.outbound.all].map((route) => ({
      route,
      rivals: route.experiments.filter(({ variants }) =>
        variants.some(({ upstream }) => upstream !== route.upstream),
      ),
    }));
    this.#choices = all.filter(({ rivals }) => rivals.length > 0);
    this.#others = all.flatMap(({ route, rivals }) => (rivals.length > 0 ? [] : [route]));
  }

  add(arms: Arms): void {
    for (const choice of this.#choices) this.#count(choice.route, upstreamFor(choice, arms), 1);
  }

  /** Routes where nothing is chosen count as well: on the other side something may be. */
  finish(units: number): void {
    for (const route of this.#others) this.#count(route, route.upstream.name, units);
  }

  #count(route: Route, upstream: string, units: number): void {
    const key = shareKey(route, upstream);
    const known = this.counts.get(key) ?? { route, upstream, count: 0 };
    this.counts.set(key, known);
    known.count += units;
  }
}

interface Choice {
  readonly route: Route;
  /** The experiments that may choose another upstream than the route's, in their order. */
  readonly rivals: Route['experiments'];
}

/** The first experiment whose variant has an upstream of its own gets its way, as in `proxy/decision.ts`. */
function upstreamFor({ route, rivals }: Choice, arms: Arms): string {
  for (const { experiment, variants } of rivals) {
    const upstream = variants[arms.get(experiment.name)?.variant ?? -1]?.upstream;
    if (upstream !== undefined && upstream !== route.upstream) return upstream.name;
  }
  return route.upstream.name;
}

function shares(routed: readonly [Destinations, Destinations], units: number): UpstreamShare[] {
  const [before, after] = routed;
  return [...new Map([...before.counts, ...after.counts])].map(([key, { route, upstream }]) => ({
    route: route.name,
    direction: route.direction,
    upstream,
    before: (before.counts.get(key)?.count ?? 0) / units,
    after: (after.counts.get(key)?.count ?? 0) / units,
  }));
}

function shareKey({ direction, name }: Route, upstream: string): string {
  return `${direction}\0${name}\0${upstream}`;
}

/** Of the experiments that units must be decided for: those that choose an upstream, and those `isMeant` says. */
export function namesToDecide(
  snapshots: readonly Snapshot[],
  isMeant: (experiment: Experiment) => boolean,
): Set<string> {
  const all = snapshots.flatMap(({ experiments }) => [...experiments.values()]);
  const chosen = all.filter((one) => isMeant(one) || one.variants.some(({ upstream }) => upstream !== null));
  return new Set(chosen.map(({ name }) => name));
}
