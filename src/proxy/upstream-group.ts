/**
 * The endpoints of an upstream: which may be used now, and which of them is next. Remembers; told of every answer.
 *
 * Usable is who is healthy, not put aside and not draining. When hardly anybody is (`panicRatio`), something else is
 * wrong than the endpoints, and all that are not draining are used; there is no state in which a request has nowhere
 * to go but an upstream without endpoints.
 */
import type { Upstream } from '../config/snapshot.ts';
import { type OutlierEvent, Outliers } from '../resilience/outlier.ts';
import { Balancer } from '../routing/balance.ts';
import { HashRing } from '../routing/hash-ring.ts';
import type { DataPlane } from './data-plane.ts';
import type { Pool } from './pool.ts';

export class UpstreamGroup {
  readonly upstream: Upstream;
  pools: readonly Pool[] = [];
  /** There is none, since its names are being asked for, for the first time. */
  isAsking = false;
  /** All are used, since hardly any should be. */
  isPanicking = false;
  /** What a reload made of it: requests that began before it are tried again there. */
  successor: UpstreamGroup | null = null;
  readonly #plane: DataPlane;
  readonly #balancer: Balancer<Pool>;
  readonly #outliers: Outliers | null;
  #ring: HashRing<Pool> | null = null;
  #usable: readonly Pool[] = [];
  /** The endpoints have different weights. */
  #isWeighted = false;
  /** When the last of the endpoints that are warming up is warm. */
  #warmMs = Number.NEGATIVE_INFINITY;

  constructor(upstream: Upstream, pools: readonly Pool[], plane: DataPlane) {
    this.upstream = upstream;
    this.#plane = plane;
    this.#balancer = new Balancer(upstream.balance, plane.random);
    this.#outliers =
      upstream.outlier === null
        ? null
        : new Outliers(upstream.outlier, plane.random, (event) => this.#onOutlier(event));
    this.setPools(pools);
  }

  /**
   * The endpoint for the next request; null: there is none at all. `avoided`: another one if there is one. `key` is
   * what the request is hashed by, '' for nothing.
   */
  choose(avoided: Pool | null, key = ''): Pool | null {
    if (this.successor !== null) return this.successor.choose(avoided, key);
    const usable = this.#usable;
    if (usable.length < 2) return usable[0] ?? null;
    let pool = this.#ring === null || key === '' ? null : this.#ring.find(key, avoided);
    if (pool === null) {
      const { nowMs } = this.#plane.deadlines;
      const others = avoided === null ? usable : usable.filter((one) => one !== avoided);
      pool = this.#balancer.choose(others, avoided === null, this.#isWeighted || nowMs < this.#warmMs, nowMs);
    }
    return pool.isFull ? this.#leastBusy(avoided) : pool;
  }

  /**
   * The endpoint for another attempt at what `failed` has just failed at. When that is the only usable one, it is one
   * that is put aside, which was a guess from some time ago; not one that says itself that it is not well.
   */
  chooseAfter(failed: Pool, key: string): Pool | null {
    if (this.successor !== null) return this.successor.chooseAfter(failed, key);
    const pool = this.choose(failed, key);
    if (pool !== failed) return pool;
    let best = failed;
    for (const one of this.pools)
      if (one !== failed && one.state === 'ejected' && (best === failed || one.inFlight < best.inFlight))
        best = one;
    return best;
  }

  /** Whether there is an endpoint for another attempt besides `failed`. */
  hasOther(failed: Pool): boolean {
    if (this.successor !== null) return this.successor.hasOther(failed);
    return this.pools.some((one) => one !== failed && (one.isUsable || one.state === 'ejected'));
  }

  /** Other endpoints from now on; what is known of those that stay is kept. */
  setPools(pools: readonly Pool[]): void {
    const { balance, outlier } = this.upstream;
    this.pools = pools;
    const weightMax = Math.max(...pools.map(({ endpoint }) => endpoint.weight));
    for (const pool of pools) {
      pool.group = this;
      pool.share = pool.endpoint.weight / weightMax;
    }
    this.#isWeighted = pools.some(({ share }) => share < 1);
    const isMeasured = pools.length > 1 && (outlier !== null || balance === 'peakEwma');
    for (const pool of pools) pool.measure(isMeasured, balance === 'peakEwma');
    if (isMeasured) this.#outliers?.adopt(pools.map((pool) => pool.record!));
    this.#ring = balance === 'ringHash' && pools.length > 1 ? new HashRing(pools) : null;
    this.refresh();
  }

  /** Who is usable has changed: an endpoint has become healthy or unhealthy, or is draining or no longer. */
  refresh(): void {
    const { upstream, pools } = this;
    const nowMs = this.#plane.clock.now();
    const staying = pools.filter(({ isDraining }) => !isDraining);
    const present = staying.length > 0 ? staying : pools;
    for (const pool of pools)
      if (pool.record !== null) pool.record.isAway = pool.isDraining || !pool.isHealthy;
    const good = present.filter(({ isHealthy, isEjected }) => isHealthy && !isEjected);
    this.#setPanic(
      good.length < present.length &&
        (good.length === 0 || good.length < upstream.panicRatio * present.length),
      good.length,
    );
    this.#usable = this.isPanicking ? present : good;
    // Those of the start all begin alike.
    const isStart = !pools.some(({ isUsable }) => isUsable);
    const usable = new Set(this.#usable);
    for (const pool of pools) {
      const isBack = usable.has(pool) && !pool.isUsable;
      pool.isUsable = usable.has(pool);
      if (isBack && !isStart && !this.isPanicking && upstream.slowStartMs > 0) this.#warm(pool, nowMs);
    }
  }

  #warm(pool: Pool, nowMs: number): void {
    pool.warmFromMs = nowMs;
    this.#warmMs = nowMs + this.upstream.slowStartMs;
  }

  /** An endpoint answered, and not that it failed. `tookMs` below 0: that it took so long says nothing. */
  succeeded(pool: Pool, tookMs: number, nowMs: number): void {
    if (tookMs >= 0) pool.ewma?.succeeded(tookMs, nowMs);
    if (pool.record !== null) this.#outliers?.succeeded(pool.record, tookMs, nowMs);
  }

  /** It had not answered after `tookMs` when another one did. */
  overtaken(pool: Pool, tookMs: number, nowMs: number): void {
    pool.ewma?.succeeded(tookMs, nowMs);
    pool.record?.took(tookMs, nowMs);
  }

  /** It answered that it failed, or did not answer. */
  failed(pool: Pool, tookMs: number, nowMs: number): void {
    pool.ewma?.failed(tookMs, nowMs);
    if (pool.record !== null) this.#outliers?.failed(pool.record, nowMs);
  }

  tick(nowMs: number): void {
    if (this.pools.length > 1) this.#outliers?.tick(nowMs);
  }

  /** The one chosen is full: the next best, or the one with the fewest that wait. */
  #leastBusy(avoided: Pool | null): Pool {
    let best: Pool | null = null;
    for (const pool of this.#usable)
      if (pool !== avoided && (best === null || pool.inFlight < best.inFlight)) best = pool;
    return best!;
  }

  #setPanic(isPanicking: boolean, good: number): void {
    if (isPanicking === this.isPanicking) return;
    this.isPanicking = isPanicking;
    const { name } = this.upstream;
    const { log } = this.#plane;
    if (isPanicking)
      log.warn(
        { upstream: name },
        `upstream ${name}: only ${good} of ${this.pools.length} endpoints should be used, so all are`,
      );
    else log.info({ upstream: name }, `upstream ${name}: enough endpoints are usable again`);
  }

  #onOutlier(event: OutlierEvent): void {
    const { name } = this.upstream;
    const { log, metrics } = this.#plane;
    const endpoint = `${name}/${event.endpoint}`;
    if (event.kind === 'ejected') {
      metrics.endpoints.ejections(name, event.endpoint, event.cause).value++;
      log.warn(
        { upstream: name, ...event },
        `endpoint ${endpoint}: put aside for ${Math.round(event.forMs / 1000)} s: ${event.reason}`,
      );
    } else log.info({ upstream: name, ...event }, `endpoint ${endpoint}: back: ${event.reason}`);
    this.refresh();
  }
}
