/**
 * The pools of all endpoints, by upstream. Those whose endpoint and TLS settings stay are kept over a reload, and when
 * a name has other addresses; the others finish what they have begun.
 */
import type { Snapshot, Timeouts, Upstream } from '../config/snapshot.ts';
import type { DataPlane } from './data-plane.ts';
import type { Endpoint } from './endpoint.ts';
import { healthKey } from './health-checks.ts';
import { type EndpointWord, Pool } from './pool.ts';
import { type TlsClient, tlsClientFor } from './tls-client.ts';
import { type NameView, UpstreamEndpoints } from './upstream-endpoints.ts';
import { UpstreamGroup } from './upstream-group.ts';

/** An endpoint as people see it. */
export interface EndpointView {
  readonly id: string;
  readonly open: number;
  readonly idle: number;
  readonly requests: number;
  readonly connectFailures: number;
  /** Requests that wait for a connection. */
  readonly pending: number;
  readonly state: EndpointWord;
  /** It gets requests: also while it is not `ok`, when too few others are. */
  readonly isUsed: boolean;
  /** Why it is not `ok`, '' when it is or nothing is known. */
  readonly reason: string;
  /** As its health checks say; true for one that is not checked. */
  readonly isHealthy: boolean;
  /** That it is an address of. */
  readonly name?: string;
}

export interface UpstreamView {
  readonly name: string;
  readonly endpoints: readonly EndpointView[];
  /** Those of its endpoints that are names, and what they stand for. */
  readonly names: readonly NameView[];
}

interface Source {
  readonly endpoints: UpstreamEndpoints;
  readonly tls: TlsClient | null;
}

export class Pools {
  readonly #plane: DataPlane;
  readonly #pools = new Map<string, Pool>();
  readonly #groups = new Map<string, UpstreamGroup>();
  /** Those with several endpoints, which there is something to choose from. */
  #several: readonly UpstreamGroup[] = [];
  /** Taken out, with something under way perhaps: see `Pool.tickLeaving`. */
  readonly #leaving = new Set<Pool>();
  /** Where the pools of a group come from. */
  readonly #sources = new Map<string, Source>();
  /** Keys (`healthKey`) of endpoints that are not well. */
  #unhealthy: ReadonlySet<string> = new Set();
  /** And of those that are taken out by hand. */
  #drained: ReadonlySet<string> = new Set();
  #timeouts: Timeouts | null = null;

  constructor(plane: DataPlane) {
    this.#plane = plane;
  }

  /** The endpoints of `upstream`, as it is declared now. */
  group(upstream: Upstream): UpstreamGroup {
    let group = this.#groups.get(upstream.name);
    if (group === undefined || group.upstream !== upstream) {
      const before = this.#sources.get(upstream.name);
      const tls = tlsClientFor(upstream.tls, before?.tls ?? null);
      const endpoints = new UpstreamEndpoints(
        upstream,
        this.#plane.names,
        () => this.#renew(upstream),
        (endpoint) => !this.#unhealthy.has(healthKey(upstream.name, endpoint)),
      );
      // After the new one, which may go on with the same names.
      before?.endpoints.close();
      this.#sources.set(upstream.name, { endpoints, tls });
      const next = new UpstreamGroup(upstream, this.#poolsOf(upstream, endpoints.list, tls), this.#plane);
      next.isAsking = endpoints.isAsking;
      if (group !== undefined) {
        group.successor = next;
        group.isAsking = next.isAsking;
      }
      group = next;
      this.#groups.set(upstream.name, group);
      this.#plane.health?.watch(upstream, endpoints.all, tls);
    }
    return group;
  }

  /** A connection of `pool` was made with `host`, one of the addresses that its endpoint has. */
  connected({ upstream, endpoint }: Pool, host: string): void {
    this.#sources.get(upstream.name)?.endpoints.connected(endpoint, host);
  }

  /** Keys (`healthKey`) of the endpoints that are not well, from now on. */
  heedHealth(unhealthy: ReadonlySet<string>): void {
    this.#unhealthy = unhealthy;
    for (const { endpoints } of this.#sources.values()) endpoints.heedHealth();
    const changed = new Set<UpstreamGroup>();
    for (const [key, pool] of this.#pools) {
      if (pool.isHealthy === !unhealthy.has(key)) continue;
      pool.isHealthy = !pool.isHealthy;
      if (pool.group !== null) changed.add(pool.group);
    }
    for (const group of changed) group.refresh();
  }

  /** Keys (`healthKey`) of the endpoints that are taken out by hand, from now on. */
  heedDrained(drained: ReadonlySet<string>): void {
    this.#drained = drained;
    const changed = new Set<UpstreamGroup>();
    for (const [key, pool] of this.#pools) {
      if (pool.isDraining === drained.has(key)) continue;
      pool.drain(!pool.isDraining);
      if (pool.isDraining) this.#leaving.add(pool);
      if (pool.group !== null) changed.add(pool.group);
    }
    for (const group of changed) group.refresh();
  }

  /** `snapshot` is in force: its timeouts count, and what it no longer names is retired. */
  adopt(snapshot: Snapshot): void {
    for (const upstream of snapshot.upstreams.values()) this.group(upstream);
    for (const name of this.#groups.keys()) if (!snapshot.upstreams.has(name)) this.#forget(name);
    this.#plane.health?.keepOnly(snapshot.upstreams);
    this.#timeouts = snapshot.timeouts;
    for (const pool of this.#pools.values()) this.#setTimeouts(pool);
    this.#retireUnwanted();
  }

  #retireUnwanted(): void {
    const groups = [...this.#groups.values()];
    this.#several = groups.filter(({ pools }) => pools.length > 1);
    const wanted = new Set(groups.flatMap((group) => group.pools));
    for (const [key, pool] of this.#pools) {
      if (wanted.has(pool)) continue;
      this.#retire(pool);
      this.#pools.delete(key);
    }
  }

  views(snapshot: Snapshot): UpstreamView[] {
    return [...snapshot.upstreams.values()].map((upstream) => ({
      name: upstream.name,
      endpoints: this.group(upstream).pools.map((pool) => ({
        id: pool.endpoint.id,
        open: pool.open,
        idle: pool.idle,
        requests: pool.requests,
        connectFailures: pool.connectFailures,
        pending: pool.pending,
        state: pool.state,
        isUsed: pool.isUsable,
        reason: pool.reason,
        isHealthy: pool.isHealthy,
        ...(pool.endpoint.name === '' ? {} : { name: pool.endpoint.name }),
      })),
      names: this.#sources.get(upstream.name)?.endpoints.names ?? [],
    }));
  }

  tick(nowMs: number): void {
    for (const group of this.#several) group.tick(nowMs);
    for (const pool of this.#leaving) if (pool.tickLeaving(nowMs)) this.#leaving.delete(pool);
  }

  #retire(pool: Pool): void {
    pool.retire();
    this.#leaving.add(pool);
  }

  /** Close everything that is idle, and the rest as it comes back. */
  retire(): void {
    for (const pool of this.#pools.values()) pool.retire();
  }

  /** Names have other addresses. */
  #renew(upstream: Upstream): void {
    const source = this.#sources.get(upstream.name);
    const group = this.#groups.get(upstream.name);
    if (source === undefined || group === undefined) return;
    const { list } = source.endpoints;
    group.setPools(this.#poolsOf(upstream, list, source.tls));
    group.isAsking = source.endpoints.isAsking;
    this.#plane.health?.watch(upstream, source.endpoints.all, source.tls);
    this.#retireUnwanted();
  }

  #forget(name: string): void {
    this.#groups.delete(name);
    this.#sources.get(name)?.endpoints.close();
    this.#sources.delete(name);
  }

  #poolsOf(upstream: Upstream, endpoints: readonly Endpoint[], tls: TlsClient | null): Pool[] {
    return endpoints.map((endpoint) => this.#pool(upstream, endpoint, tls));
  }

  #setTimeouts(pool: Pool): void {
    if (this.#timeouts === null) return;
    pool.connectTimeoutMs = this.#timeouts.connectMs;
    pool.idleTimeoutMs = this.#timeouts.upstreamIdleMs;
  }

  #pool(upstream: Upstream, endpoint: Endpoint, tls: TlsClient | null): Pool {
    const key = healthKey(upstream.name, endpoint.id);
    let pool = this.#pools.get(key);
    if (pool === undefined || pool.tls !== tls) {
      // What was connected under other settings finishes what it has begun.
      if (pool !== undefined) this.#retire(pool);
      pool = new Pool(endpoint, upstream, tls, this.#plane);
      pool.isDraining = this.#drained.has(key);
      pool.isHealthy = !this.#unhealthy.has(key);
      this.#setTimeouts(pool);
      this.#pools.set(key, pool);
    }
    pool.endpoint = endpoint;
    pool.upstream = upstream;
    return pool;
  }
}
