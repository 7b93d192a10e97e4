/**
 * Connections to one endpoint: an idle stack (the warmest first, so that surplus ones run into their idle limit),
 * a bound on how many are open, and a bounded queue of those who wait for one. Also what is known of the endpoint:
 * how it does, and whether it may be used.
 */
import type { ProxyError } from '../base/error.ts';
import type { Upstream } from '../config/snapshot.ts';
import { PeakEwma } from '../resilience/ewma.ts';
import { OutlierRecord } from '../resilience/outlier-record.ts';
import { slowStartWeight } from '../resilience/slow-start.ts';
import type { Candidate } from '../routing/balance.ts';
import type { RingMember } from '../routing/hash-ring.ts';
import type { DataPlane } from './data-plane.ts';
import type { Endpoint } from './endpoint.ts';
import { type Pending, PendingQueue, type Waiting } from './pending.ts';
import { Seldom } from './seldom.ts';
import type { TlsClient } from './tls-client.ts';
import { UpstreamConnection, type UpstreamUser } from './upstream.ts';
import type { UpstreamGroup } from './upstream-group.ts';

/** What an endpoint is good for. In a panic, those that are unhealthy or ejected get requests as well. */
export type EndpointWord = 'ok' | 'ejected' | 'unhealthy' | 'draining';

export class Pool implements Candidate, RingMember {
  readonly id: string;
  /** Changed when its name has other addresses: for the connections that are opened from then on. */
  endpoint: Endpoint;
  /** Null: plain. */
  readonly tls: TlsClient | null;
  readonly plane: DataPlane;
  /** Changed by a reload. */
  upstream: Upstream;
  connectTimeoutMs = 0;
  idleTimeoutMs = 0;
  /** Open or opening. */
  open = 0;
  requests = 0;
  connectFailures = 0;
  /** No longer in the configuration: connections are closed as they come back. */
  isRetired = false;
  /** It gets nothing new, and what is idle is closed; somebody asked for it. */
  isDraining = false;
  /** What active checks say. */
  isHealthy = true;
  /** May be chosen now; its group says so. */
  isUsable = false;
  /** Null: it is in none any more. */
  group: UpstreamGroup | null = null;
  /** Beside the endpoint with the largest weight, above 0 and at most 1. */
  share = 1;
  /** When it came or came back. */
  warmFromMs = Number.NEGATIVE_INFINITY;
  /** Its answers are timed and counted. */
  isMeasured = false;
  /** Null: not measured. */
  record: OutlierRecord | null = null;
  ewma: PeakEwma | null = null;
  readonly #idle: UpstreamConnection[] = [];
  readonly #connections = new Set<UpstreamConnection>();
  readonly #pending: PendingQueue;
  readonly #tlsFailures = new Seldom();
  /** What is under way at an endpoint that was taken out is cut then. */
  #cutMs = Number.POSITIVE_INFINITY;

  constructor(endpoint: Endpoint, upstream: Upstream, tls: TlsClient | null, plane: DataPlane) {
    this.id = endpoint.id;
    this.endpoint = endpoint;
    this.upstream = upstream;
    this.tls = tls;
    this.plane = plane;
    this.#pending = new PendingQueue(this);
  }

  get idle(): number {
    return this.#idle.length;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** Requests that it is busy with, tunnels among them, or that wait for it. */
  get inFlight(): number {
    return this.open - this.#idle.length + this.#pending.size;
  }

  /** Why a request was turned away. */
  get fullText(): string {
    const { connectionsMax, pendingMax } = this.upstream;
    const limit = `The endpoint has ${connectionsMax} connections, which is its limit`;
    return pendingMax === 0 ? `${limit}.` : `${limit}, and ${pendingMax} requests wait, which is theirs.`;
  }

  /** In a word whether it gets requests, and if not, why. */
  get state(): EndpointWord {
    if (this.isDraining) return 'draining';
    if (!this.isHealthy) return 'unhealthy';
    return this.isEjected ? 'ejected' : 'ok';
  }

  /** Why it gets no requests, in words; '' when it does. */
  get reason(): string {
    if (this.isDraining) return 'taken out by hand';
    if (!this.isHealthy)
      return `${this.upstream.health?.fall ?? 0} health checks in a row failed; the log says how`;
    return this.isEjected ? this.record!.reason : '';
  }

  /** Nobody else gets a connection now. */
  get isFull(): boolean {
    return this.#idle.length === 0 && this.open >= this.upstream.connectionsMax;
  }

  get isEjected(): boolean {
    return this.record?.isEjected === true;
  }

  weight(nowMs: number): number {
    return this.share * slowStartWeight(nowMs - this.warmFromMs, this.upstream.slowStartMs);
  }

  latencyMs(nowMs: number): number {
    return this.ewma === null ? -1 : this.ewma.at(nowMs);
  }

  /** Begin or stop to time and count its answers; `isEstimated`: how long the next one would take as well. */
  measure(isMeasured: boolean, isEstimated: boolean): void {
    this.isMeasured = isMeasured;
    const windowMs = this.upstream.outlier?.windowMs ?? UNUSED_WINDOW_MS;
    if (isMeasured) this.record ??= new OutlierRecord(this.id, windowMs);
    else this.record = null;
    if (isMeasured && isEstimated) this.ewma ??= new PeakEwma();
    else this.ewma = null;
  }

  /**
   * A connection for `user`, idle or newly opening (then the user is told by `upstreamConnected`); null at the bound,
   * and behind those who wait. `isFresh` passes over the idle ones: the second try after a pooled connection turned
   * out dead.
   */
  acquire(user: UpstreamUser, isFresh: boolean): UpstreamConnection | null {
    return this.#pending.size > 0 ? null : this.take(user, isFresh);
  }

  /** As `acquire`, before everybody else. */
  take(user: UpstreamUser, isFresh: boolean): UpstreamConnection | null {
    if (!isFresh) {
      const connection = this.#idle.pop();
      if (connection !== undefined) {
        this.requests++;
        connection.attach(user);
        return connection;
      }
    }
    if (this.open >= this.upstream.connectionsMax && !this.#evictIdle()) return null;
    this.requests++;
    this.open++;
    const connection = new UpstreamConnection(this, user);
    this.#connections.add(connection);
    return connection;
  }

  /** Wait for a connection; null: as many wait as may. */
  wait(waiting: Waiting, user: UpstreamUser): Pending | null {
    return this.#pending.join(waiting, user);
  }

  /** What went wrong with a fresh connection, if that was TLS. Its log says so, now and then. */
  tlsFailure(error: Error, isConnecting: boolean): ProxyError | null {
    const failure = this.tls?.failure(this.endpoint, error, isConnecting) ?? null;
    if (failure === null) return null;
    const count = this.#tlsFailures.count(this.plane.clock.now());
    if (count > 0)
      this.plane.log.warn(
        { endpoint: this.endpoint.id, count },
        `TLS to ${this.endpoint.id}: ${failure.message}`,
      );
    return failure;
  }

  /** The connection has served its request and can serve another. */
  release(connection: UpstreamConnection): void {
    if (this.isRetired || this.isDraining || connection.isWorn) connection.destroy();
    else {
      this.#idle.push(connection);
      this.#pending.serve();
    }
  }

  /** The connection is gone. */
  forget(connection: UpstreamConnection, wasIdle: boolean): void {
    this.open--;
    this.#connections.delete(connection);
    this.#pending.serve();
    if (!wasIdle) return;
    const index = this.#idle.lastIndexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
  }

  /** It is no longer named: nothing new comes, and what is under way has `drainTimeoutMs`. */
  retire(): void {
    this.isRetired = true;
    this.group = null;
    this.#closeIdle();
    this.#cutLater();
  }

  /** Take it out by hand, or let it back in. Its group is to be told. */
  drain(isDraining: boolean): void {
    this.isDraining = isDraining;
    this.#cutMs = Number.POSITIVE_INFINITY;
    if (!isDraining) return;
    this.#closeIdle();
    this.#cutLater();
  }

  /** Cuts what is under way when its time is up. Answers whether there is no more to do. */
  tickLeaving(nowMs: number): boolean {
    // When there is no other endpoint, one that was taken out by hand is used all the same.
    const isLeft = this.isRetired || !this.isUsable;
    if (isLeft && nowMs >= this.#cutMs) for (const connection of [...this.#connections]) connection.cut();
    return this.open === 0 || !(this.isRetired || this.isDraining);
  }

  #cutLater(): void {
    const { drainTimeoutMs } = this.upstream;
    if (drainTimeoutMs > 0) this.#cutMs = this.plane.clock.now() + drainTimeoutMs;
  }

  #closeIdle(): void {
    for (const connection of [...this.#idle]) connection.destroy();
  }

  #evictIdle(): boolean {
    const oldest = this.#idle[0];
    oldest?.destroy();
    return oldest !== undefined;
  }
}

/** For a record that only the estimate needs. */
const UNUSED_WINDOW_MS = 10_000;
