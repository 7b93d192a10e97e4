/**
 * The upstream half of an exchange: the connection of the present attempt, what has been sent on it, and what it takes
 * to send the same request again. Knows nothing of responses; whether to try again is `resilience/retry.ts`'s.
 */
import type { ErrorCode } from '../base/error.ts';
import { judgeRetry } from '../resilience/retry.ts';
import type { RequestFaults } from './faults.ts';
import type { Injection, Sending } from './injection.ts';
import type { Pool } from './pool.ts';
import type { Piece } from './relay.ts';
import { Replay } from './replay.ts';
import type { RequestFacts } from './request-facts.ts';
import type { UpstreamConnection, UpstreamUser } from './upstream.ts';
import type { UpstreamGroup } from './upstream-group.ts';
import type { Writer } from './writer.ts';

/** First tries and the retries of one request together. */
const ATTEMPTS_MAX = 2;

export class Attempt {
  /** Attempts made for this request. */
  count = 0;
  /** Of the present attempt; stays after it for the record. */
  pool: Pool | null = null;
  connection: UpstreamConnection | null = null;
  /** What may be done to this request's attempts on purpose; null: nothing. */
  faults: RequestFaults | null = null;
  isHeadSent = false;
  readonly #user: UpstreamUser;
  /** What is done to the present attempt. */
  #injection: Injection | null = null;
  /** What it is sent with. */
  #sending: Sending | null = null;
  readonly #replay = new Replay();
  #group: UpstreamGroup | null = null;

  constructor(user: UpstreamUser) {
    this.#user = user;
  }

  /** Forget the previous request. */
  reset(): void {
    this.count = 0;
    this.pool = null;
    this.isHeadSent = false;
    this.faults = null;
    this.#injection = null;
  }

  /** The request to send. `isBodyKept`: body bytes are held for another attempt, as far as the limit allows. */
  prepare(head: string, isBodyKept: boolean): void {
    this.#replay.begin(head, isBodyKept);
  }

  /**
   * Try an endpoint, another than `avoided` if there is one. False: it has no connection to give. The user hears
   * `upstreamConnected`, unless `connection.isConnected` already.
   */
  connect(group: UpstreamGroup, avoided: Pool | null): boolean {
    const isFresh = this.count > 0;
    this.count++;
    this.isHeadSent = false;
    this.#group = group;
    this.pool = group.choose(avoided);
    this.#injection = this.faults === null ? null : this.faults.next(this.#user);
    const connection = this.pool.acquire(this.#injection ?? this.#user, isFresh);
    this.connection = connection;
    if (connection === null) return false;
    this.#sending = this.#injection === null ? connection.writer : this.#injection.begin(connection);
    return true;
  }

  /** All of these answer false when the kernel does not take it all: wait for `upstreamDrained`. */
  sendHead(): boolean {
    this.isHeadSent = true;
    return this.#sending!.write(this.#replay.head);
  }

  /** A piece of the body, together with the head if that is still to be sent. */
  sendBody(piece: Piece, replayMaxBytes: number): boolean {
    const { head } = this.#replay;
    const writer = this.#sending!;
    this.#replay.add(piece, replayMaxBytes);
    const isTaken = writer.writeTogether(this.isHeadSent ? '' : head, piece);
    this.isHeadSent = true;
    if (this.isFinal) writer.release(piece);
    return isTaken;
  }

  /** Body bytes of an earlier attempt are to be sent again. */
  get hasReplay(): boolean {
    return this.#replay.pieces.length > 0;
  }

  /** What is sent from now on need not be kept for another attempt. */
  get isFinal(): boolean {
    return !this.#replay.isComplete;
  }

  resend(): boolean {
    let isTaken = this.sendHead();
    for (const piece of this.#replay.pieces) isTaken = this.#sending!.write(piece);
    return isTaken;
  }

  /** The present attempt failed with `error`: may there be another? `bodyBytes` of the body were taken. Forgets the connection either way. */
  mayRetry(error: ErrorCode, request: RequestFacts, bodyBytes: number): boolean {
    const isConnectionReused = this.connection !== null && this.connection.served > 0;
    this.connection = null;
    const verdict = judgeRetry({
      method: request.method,
      error,
      attempts: this.count,
      attemptsMax: ATTEMPTS_MAX,
      isConnectionReused,
      hasOtherEndpoint: this.#group!.pools.length > 1,
      isResponseBegun: request.firstByteMs >= 0,
      isReplayable: this.#replay.isComplete || bodyBytes === 0,
      isUpgrade: request.isUpgradeAsked,
    });
    return verdict === 'retry';
  }

  /** No further attempt: what was kept for one is let go. */
  commit(): void {
    this.#replay.clear();
  }

  /** The connection has done its work; null from now on. */
  release(isReusable: boolean, idleMaxMs: number, reader: Writer): void {
    const { connection } = this;
    this.connection = null;
    if (isReusable) connection!.release(idleMaxMs, reader);
    else connection!.destroy();
  }

  /** Cut the connection, if there is one. */
  destroy(): void {
    this.#injection?.cancel();
    this.connection?.destroy();
    this.connection = null;
  }
}
