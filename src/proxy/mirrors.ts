/**
 * The mirrors of all experiments: bound to the routes once per Snapshot, and kept over a reload with what they have found
 * unless something about them changes. They have connections of their own, so that real requests never wait for them.
 */
import { isDeepStrictEqual } from 'node:util';
import type { MirrorSettings } from '../config/compile-mirror.ts';
import type { Route, Snapshot } from '../config/snapshot.ts';
import type { Reason } from '../experiment/model.ts';
import type { MirrorView } from '../telemetry/mirror-view.ts';
import { BodyCopy } from './body-copy.ts';
import type { DataPlane } from './data-plane.ts';
import type { Decision } from './decision.ts';
import type { Exchange } from './exchange.ts';
import { Mirror } from './mirror.ts';
import { MIRROR_FIELD, mirrorHead } from './mirror-head.ts';
import type { ExperimentPlan, VariantTarget } from './plan.ts';
import { Pool } from './pool.ts';
import type { Piece } from './relay.ts';
import type { UpstreamGroup } from './upstream-group.ts';

export class Mirrors {
  readonly #plane: DataPlane;
  readonly #mirrors = new Map<string, { readonly key: unknown; readonly mirror: Mirror }>();
  /** By the pool of the same endpoint for real requests. */
  readonly #pools = new Map<Pool, Pool>();

  constructor(plane: DataPlane) {
    this.#plane = plane;
  }

  /** `snapshot` is about to be in force. */
  adopt({ mirrors, experiments, timeouts }: Snapshot): void {
    for (const [name, { mirror }] of this.#mirrors) {
      if (mirrors.has(name)) continue;
      mirror.close();
      this.#mirrors.delete(name);
    }
    for (const [name, settings] of mirrors) {
      const upstreams = experiments.get(name)?.variants.map(({ upstream }) => upstream) ?? [];
      const key = { settings, upstreams };
      const before = this.#mirrors.get(name);
      if (before !== undefined && isDeepStrictEqual(before.key, key)) continue;
      before?.mirror.close();
      this.#mirrors.set(name, { key, mirror: this.#open(settings) });
    }
    for (const pool of this.#pools.values()) {
      pool.connectTimeoutMs = timeouts.connectMs;
      pool.idleTimeoutMs = timeouts.upstreamIdleMs;
    }
    this.#forgetRetired();
  }

  /** What is mirrored of a route; null: nothing, as of a stream, which has no end to wait for. */
  ofRoute({ isStreaming, name }: Route, plans: readonly ExperimentPlan[]): RouteMirror | null {
    if (isStreaming) return null;
    const parts = plans.flatMap(({ experiment, targets, fallback: control }, index): Part[] => {
      const mirror = this.#mirrors.get(experiment.name)?.mirror;
      const candidate = targets.find(({ variant }) => variant.name === mirror?.settings.candidate);
      const isOn = experiment.status === 'running' || experiment.status === 'paused';
      return mirror === undefined || candidate === undefined || !isOn
        ? []
        : [{ mirror, index, experiment: experiment.name, control, candidate }];
    });
    return parts.length === 0 ? null : new RouteMirror(name, parts);
  }

  /** Begin anew with what is found for this experiment. */
  forget(experiment: string): void {
    this.#mirrors.get(experiment)?.mirror.forget();
  }

  views(): MirrorView[] {
    return Array.from(this.#mirrors.values(), ({ mirror }) => mirror.view());
  }

  close(): void {
    for (const { mirror } of this.#mirrors.values()) mirror.close();
    for (const pool of this.#pools.values()) pool.retire();
  }

  #open(settings: MirrorSettings): Mirror {
    return new Mirror(settings, { plane: this.#plane, poolOf: (group) => this.#poolOf(group) });
  }

  #poolOf(group: UpstreamGroup): Pool | null {
    const real = group.choose(null);
    if (real === null) return null;
    let pool = this.#pools.get(real);
    if (pool === undefined) {
      // A name has other addresses, perhaps.
      this.#forgetRetired();
      pool = new Pool(real.endpoint, real.upstream, real.tls, this.#plane);
      this.#pools.set(real, pool);
    }
    pool.endpoint = real.endpoint;
    pool.upstream = real.upstream;
    pool.connectTimeoutMs = real.connectTimeoutMs;
    pool.idleTimeoutMs = real.idleTimeoutMs;
    return pool;
  }

  #forgetRetired(): void {
    for (const [real, pool] of this.#pools) {
      if (!real.isRetired) continue;
      pool.retire();
      this.#pools.delete(real);
    }
  }
}

/** Who is in none of its variants for no reason that the candidate could have to do with. */
const UNASSIGNED: readonly Reason[] = ['no-unit', 'not-enrolled', 'holdout', 'not-in-layer'];

/** One mirrored experiment of a route. */
interface Part {
  readonly mirror: Mirror;
  /** Among the experiments of the route. */
  readonly index: number;
  readonly experiment: string;
  readonly control: VariantTarget;
  readonly candidate: VariantTarget;
}

export class RouteMirror {
  readonly #route: string;
  readonly #parts: readonly Part[];

  constructor(route: string, parts: readonly Part[]) {
    this.#route = route;
    this.#parts = parts;
  }

  /** A request is decided and about to be sent, with this head: mirror it, or not. */
  consider(exchange: Exchange, head: string): void {
    const chosen = this.#parts.filter((part) => this.#isChosen(part, exchange));
    if (chosen.length === 0 || isMirrored(head)) return;
    const send = (body: readonly Piece[] | null): void => {
      for (const { part, requests } of prepared)
        if (body === null) part.mirror.miss('body');
        else this.#take(part, requests, body);
    };
    const prepared = chosen.map((part) => ({ part, requests: headsOf(part, exchange, head) }));
    if (exchange.requestBody.isDone) send([]);
    else exchange.attempt.copy = new BodyCopy(send);
  }

  #isChosen({ mirror, index, control, candidate }: Part, { decision, request, plane }: Exchange): boolean {
    const { isIncluded, reason } = decision.participations[index]!.assignment!;
    if (!isIncluded && !UNASSIGNED.includes(reason)) return false;
    if (request.isUpgradeAsked) return false;
    if (!mirror.chooses(request.method)) return false;
    if (plane.limits.shedding?.sheds('mirror') === true) mirror.miss('load');
    else if (control.breaker?.isBarred === true || candidate.breaker?.isBarred === true)
      mirror.miss('breaker');
    else return true;
    return false;
  }

  #take(part: Part, heads: Heads, body: readonly Piece[]): void {
    const { mirror, control, candidate } = part;
    const { method } = heads;
    mirror.take({
      route: this.#route,
      control: { method, head: heads.control, body },
      candidate: { method, head: heads.candidate, body },
      groups: { control: control.group, candidate: candidate.group },
    });
  }
}

interface Heads {
  readonly method: string;
  readonly control: string;
  readonly candidate: string;
}

function headsOf({ experiment, index, control, candidate }: Part, exchange: Exchange, head: string): Heads {
  const { decision, plan, request } = exchange;
  const headFor = (target: VariantTarget): string =>
    mirrorHead(withHints(head, decision, index, target), plan.snapshot.propagation, {
      experiment,
      variant: target.variant.name,
      isKeptIn: decision.isKeptIn,
    });
  return { method: request.method, control: headFor(control), candidate: headFor(candidate) };
}

/** What the route tells the upstream of who serves is told as if that were this variant. */
function withHints(head: string, decision: Decision, index: number, target: VariantTarget): string {
  const { hints } = decision.route!;
  if (hints === null || decision.isKeptIn) return head;
  const before = hints.lines(decision);
  const participation = decision.participations[index]!;
  const { served } = participation;
  participation.served = target;
  const after = hints.lines(decision);
  participation.served = served;
  return before === '' ? head : head.replace(before, () => after);
}

/** It is a copy itself: a chain of sidecars must not make three of each, and three of those. */
function isMirrored(head: string): boolean {
  return head.toLowerCase().includes(`\r\n${MIRROR_FIELD}:`);
}
