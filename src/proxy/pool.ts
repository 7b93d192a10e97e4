/**
 * Connections to one endpoint: an idle stack (the warmest first, so that surplus ones run into their idle limit),
 * and a bound on how many are open. Nothing waits here: at the bound the caller is told no.
 */
import type { ProxyError } from '../base/error.ts';
import type { Endpoint } from '../config/snapshot.ts';
import type { DataPlane } from './data-plane.ts';
import { Seldom } from './seldom.ts';
import type { TlsClient } from './tls-client.ts';
import { UpstreamConnection, type UpstreamUser } from './upstream.ts';

export class Pool {
  readonly endpoint: Endpoint;
  /** Null: plain. */
  readonly tls: TlsClient | null;
  /** Changed by a reload. */
  connectionsMax = 0;
  connectTimeoutMs = 0;
  idleTimeoutMs = 0;
  /** Open or opening. */
  open = 0;
  requests = 0;
  connectFailures = 0;
  /** No longer in the configuration: connections are closed as they come back. */
  isRetired = false;
  readonly plane: DataPlane;
  readonly #idle: UpstreamConnection[] = [];
  readonly #tlsFailures = new Seldom();

  constructor(endpoint: Endpoint, tls: TlsClient | null, plane: DataPlane) {
    this.endpoint = endpoint;
    this.tls = tls;
    this.plane = plane;
  }

  get idle(): number {
    return this.#idle.length;
  }

  /**
   * A connection for `user`, idle or newly opening (then the user is told by `upstreamConnected`); null at the bound.
   * `isFresh` passes over the idle ones: the second try after a pooled connection turned out dead.
   */
  acquire(user: UpstreamUser, isFresh: boolean): UpstreamConnection | null {
    if (!isFresh) {
      const connection = this.#idle.pop();
      if (connection !== undefined) {
        this.requests++;
        connection.attach(user);
        return connection;
      }
    }
    if (this.open >= this.connectionsMax && !this.#evictIdle()) return null;
    this.requests++;
    this.open++;
    return new UpstreamConnection(this, user);
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
    if (this.isRetired) connection.destroy();
    else this.#idle.push(connection);
  }

  /** The connection is gone. */
  forget(connection: UpstreamConnection, wasIdle: boolean): void {
    this.open--;
    if (!wasIdle) return;
    const index = this.#idle.lastIndexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
  }

  retire(): void {
    this.isRetired = true;
    for (const connection of [...this.#idle]) connection.destroy();
  }

  #evictIdle(): boolean {
    const oldest = this.#idle[0];
    oldest?.destroy();
    return oldest !== undefined;
  }
}
