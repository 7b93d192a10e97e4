/**
 * The pools of all endpoints, by upstream. Those whose endpoint and TLS settings stay are kept over a reload;
 * the others finish what they have begun.
 */
import type { Endpoint, Snapshot, Upstream } from '../config/snapshot.ts';
import type { DataPlane } from './data-plane.ts';
import { Pool } from './pool.ts';
import { type TlsClient, tlsClientFor } from './tls-client.ts';
import { UpstreamGroup } from './upstream-group.ts';

/** An endpoint as people see it. */
export interface EndpointView {
  readonly id: string;
  readonly open: number;
  readonly idle: number;
  readonly requests: number;
  readonly connectFailures: number;
}

export interface UpstreamView {
  readonly name: string;
  readonly endpoints: readonly EndpointView[];
}

export class Pools {
  readonly #plane: DataPlane;
  readonly #pools = new Map<string, Pool>();
  readonly #groups = new Map<string, UpstreamGroup>();

  constructor(plane: DataPlane) {
    this.#plane = plane;
  }

  /** The endpoints of `upstream`, as it is declared now. */
  group(upstream: Upstream): UpstreamGroup {
    let group = this.#groups.get(upstream.name);
    if (group === undefined || group.upstream !== upstream) {
      const tls = tlsClientFor(upstream.tls, group?.pools[0]?.tls ?? null);
      group = new UpstreamGroup(
        upstream,
        upstream.endpoints.map((endpoint) => this.#pool(upstream, endpoint, tls)),
      );
      this.#groups.set(upstream.name, group);
    }
    return group;
  }

  /** `snapshot` is in force: its timeouts count, and what it no longer names is retired. */
  adopt(snapshot: Snapshot): void {
    for (const upstream of snapshot.upstreams.values()) this.group(upstream);
    for (const name of this.#groups.keys()) if (!snapshot.upstreams.has(name)) this.#groups.delete(name);
    const wanted = new Set([...this.#groups.values()].flatMap((group) => group.pools));
    for (const [key, pool] of this.#pools) {
      pool.connectTimeoutMs = snapshot.timeouts.connectMs;
      pool.idleTimeoutMs = snapshot.timeouts.upstreamIdleMs;
      if (wanted.has(pool)) continue;
      pool.retire();
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
      })),
    }));
  }

  /** Close everything that is idle, and the rest as it comes back. */
  retire(): void {
    for (const pool of this.#pools.values()) pool.retire();
  }

  #pool(upstream: Upstream, endpoint: Endpoint, tls: TlsClient | null): Pool {
    const key = `${upstream.name} ${endpoint.id}`;
    let pool = this.#pools.get(key);
    if (pool === undefined || pool.tls !== tls) {
      // What was connected under other settings finishes what it has begun.
      pool?.retire();
      pool = new Pool(endpoint, tls, this.#plane);
      this.#pools.set(key, pool);
    }
    pool.connectionsMax = upstream.connectionsMax;
    return pool;
  }
}
