/**
 * Requests that wait for a connection of a pool that has as many as it may: first come, first served, each with a
 * deadline, and no more than `pendingMax`. Those who wait are served in a turn of the event loop of their own, so that
 * the exchange that gives its connection back has come to its end.
 */
import { ProxyError } from '../base/error.ts';
import type { Timed } from './deadlines.ts';
import type { Pool } from './pool.ts';
import type { UpstreamConnection, UpstreamUser } from './upstream.ts';

/** Who waits. */
export interface Waiting {
  /** Here it is; if it is not connected yet, its user hears `upstreamConnected`. */
  granted(connection: UpstreamConnection): void;
}

/** A place in the queue. */
export interface Pending {
  /** Wait no longer. */
  cancel(): void;
}

export class PendingQueue {
  readonly #pool: Pool;
  /** In the order they came. */
  readonly #places = new Set<Place>();
  #isServing = false;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  get size(): number {
    return this.#places.size;
  }

  /**
   * A place at the end; null: it is full. `user` is whose the connection is going to be, and hears
   * `upstreamFailed('overloaded')` when it has waited too long.
   */
  join(waiting: Waiting, user: UpstreamUser): Pending | null {
    const { pendingMax, pendingTimeoutMs } = this.#pool.upstream;
    if (this.#places.size >= pendingMax) return null;
    const { plane } = this.#pool;
    const place = new Place(this, waiting, user, plane.clock.now() + pendingTimeoutMs);
    this.#places.add(place);
    plane.deadlines.add(place);
    return place;
  }

  /** A connection has come back, or there is room for another. */
  serve(): void {
    if (this.#places.size === 0 || this.#isServing) return;
    this.#isServing = true;
    setImmediate(this.#serveAll);
  }

  leave(place: Place): void {
    this.#places.delete(place);
    this.#pool.plane.deadlines.remove(place);
  }

  expire({ user }: Place): void {
    const { connectionsMax, pendingTimeoutMs } = this.#pool.upstream;
    const detail = `The endpoint has ${connectionsMax} connections, which is its limit, and none came free within ${pendingTimeoutMs} ms.`;
    user.upstreamFailed('overloaded', new ProxyError('overloaded', detail));
  }

  readonly #serveAll = (): void => {
    this.#isServing = false;
    for (const place of this.#places) {
      const connection = this.#pool.take(place.user, false);
      if (connection === null) return;
      this.leave(place);
      place.waiting.granted(connection);
    }
  };
}

class Place implements Pending, Timed {
  readonly waiting: Waiting;
  readonly user: UpstreamUser;
  deadlineMs: number;
  timedIndex = -1;
  readonly #queue: PendingQueue;

  constructor(queue: PendingQueue, waiting: Waiting, user: UpstreamUser, deadlineMs: number) {
    this.#queue = queue;
    this.waiting = waiting;
    this.user = user;
    this.deadlineMs = deadlineMs;
  }

  cancel(): void {
    this.#queue.leave(this);
  }

  onDeadline(): void {
    this.#queue.leave(this);
    this.#queue.expire(this);
  }
}
