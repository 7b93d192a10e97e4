/**
 * The upstream half of an exchange: the connection of the present attempt, what has been sent on it, and what it takes
 * to send the same request again. Knows nothing of responses; whether to try again is `resilience/retry.ts`'s.
 */
import { ERRORS, type ErrorCode } from '../base/error.ts';
import type { BodyCopy } from './body-copy.ts';
import type { Expiry } from './expiry.ts';
import type { RequestFaults } from './faults.ts';
import { Hedge, type Hedged, type HedgeRule } from './hedge.ts';
import type { Injection, Sending } from './injection.ts';
import type { Pending, Waiting } from './pending.ts';
import type { Pool } from './pool.ts';
import type { Piece } from './relay.ts';
import { Replay } from './replay.ts';
import type { UpstreamConnection, UpstreamUser } from './upstream.ts';
import type { UpstreamGroup } from './upstream-group.ts';
import type { Writer } from './writer.ts';

/** One that runs beside the attempt. */
interface Second {
  readonly pool: Pool;
  readonly connection: UpstreamConnection;
  readonly injection: Injection | null;
  readonly sending: Sending;
}

export class Attempt implements Waiting, Hedged {
  /** Attempts made for this request. */
  count = 0;
  /** Those of them at the present upstream. */
  tries = 0;
  /** Of the present attempt; stays after it for the record. */
  pool: Pool | null = null;
  connection: UpstreamConnection | null = null;
  /** What may be done to this request's attempts on purpose; null: nothing. */
  faults: RequestFaults | null = null;
  /** When a second attempt is made beside the first at an upstream; null: never. */
  hedging: HedgeRule | null = null;
  /** Gets the body as well; null: nobody wants it. */
  copy: BodyCopy | null = null;
  isHeadSent = false;
  /** What endpoints are chosen by, where they are hashed; '' for nothing. */
  hashKey = '';
  /** Its connection had carried an exchange before. */
  isReused = false;
  /** The present upstream has answered, and is to be asked again: what it closes it does not close unasked. */
  isAnswered = false;
  /** What the last attempt failed with that another one followed: an error code or a status; '': there was none. */
  recoveredFrom = '';
  readonly #user: UpstreamUser;
  /** What is done to the present attempt. */
  #injection: Injection | null = null;
  /** Its place in the queue for a connection; null: it does not wait. */
  #pending: Pending | null = null;
  #hedge: Hedge | null = null;
  #second: Second | null = null;
  /** When the endpoint got it; below 0: nobody times it, or all has been said of it. */
  #fromMs = -1;
  /** How long the endpoint took to answer; below 0: it has not, or that says nothing. */
  #tookMs = -1;
  /** What it is sent with. */
  #sending: Sending | null = null;
  readonly #replay = new Replay();
  #group: UpstreamGroup | null = null;
  /** Says in the head how much time is left; null: nobody wants to know. */
  #timeLeft: Expiry | null = null;

  constructor(user: UpstreamUser) {
    this.#user = user;
  }

  /** Forget the previous request. */
  reset(): void {
    this.count = 0;
    this.tries = 0;
    this.#group = null;
    this.pool = null;
    this.isHeadSent = false;
    this.faults = null;
    this.recoveredFrom = '';
    this.hedging = null;
    this.copy = null;
    this.#hedge = null;
    this.#injection = null;
    this.#fromMs = -1;
  }

  /** The request to send. `isBodyKept`: body bytes are held for another attempt, as far as the limit allows. */
  prepare(head: string, isBodyKept: boolean, timeLeft: Expiry | null): void {
    this.#replay.begin(head, isBodyKept);
    this.#timeLeft = timeLeft;
  }

  /** Another upstream is told something else: `lines` of the head instead of those. */
  amend(before: string, lines: string): void {
    if (before !== lines) this.#replay.head = withLines(this.#replay.head, before, lines);
  }

  /**
   * Try an endpoint of `group`, another than the last one if there is one. False: it has no connection to give. The
   * user hears `upstreamConnected`, unless `connection.isConnected` already.
   */
  connect(group: UpstreamGroup): boolean {
    const isAgain = group === this.#group;
    const failed = isAgain ? this.pool : null;
    // A pooled connection may be as dead as the one before.
    const isFresh = isAgain && !this.isAnswered;
    this.#group = group;
    this.tries = isAgain ? this.tries + 1 : 1;
    this.count++;
    this.isHeadSent = false;
    this.isAnswered = false;
    this.pool = failed === null ? group.choose(null, this.hashKey) : group.chooseAfter(failed, this.hashKey);
    this.connection = null;
    this.#fromMs = -1;
    if (this.pool === null) return false;
    this.#hedge = isAgain || this.hedging === null ? null : new Hedge(this, this.#user, this.hedging);
    const hedged = this.#hedge ?? this.#user;
    this.#injection = this.faults === null ? null : this.faults.next(hedged);
    const user = this.#injection ?? hedged;
    const connection = this.pool.acquire(user, isFresh);
    if (connection === null) this.#pending = this.pool.wait(this, user);
    else this.#begin(connection);
    return connection !== null || this.#pending !== null;
  }

  /** It had to wait for a connection: here it is. */
  granted(connection: UpstreamConnection): void {
    this.#pending = null;
    this.#begin(connection);
    if (connection.isConnected) this.#user.upstreamConnected();
  }

  #begin(connection: UpstreamConnection): void {
    this.connection = connection;
    this.isReused = connection.served > 0;
    this.#fromMs = this.pool!.isMeasured ? connection.usedFromMs : -1;
    this.#tookMs = -1;
    this.#sending = this.#injection === null ? connection.writer : this.#injection.begin(connection);
  }

  /** All of these answer false when the kernel does not take it all: wait for `upstreamDrained`. */
  sendHead(): boolean {
    this.isHeadSent = true;
    return this.#sending!.write(this.#head());
  }

  /** A piece of the body, together with the head if that is still to be sent. */
  sendBody(piece: Piece, replayMaxBytes: number): boolean {
    const head = this.isHeadSent ? '' : this.#head();
    const writer = this.#sending!;
    this.#replay.add(piece, replayMaxBytes);
    if (this.copy !== null) this.copy.add(piece);
    const isTaken = writer.writeTogether(head, piece);
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

  /** The next attempt at the same upstream goes to another endpoint. */
  get hasOtherEndpoint(): boolean {
    return this.#group!.hasOther(this.pool!);
  }

  /** `bodyBytes` of the body were taken: are they, and the head, still here to be sent again? */
  isReplayable(bodyBytes: number): boolean {
    return this.#replay.isComplete || bodyBytes === 0;
  }

  /** Nothing is kept for another attempt: part of an answer has gone to the client. */
  get isCommitted(): boolean {
    return this.#replay.head === '';
  }

  /** No further attempt: what was kept for one is let go. */
  commit(): void {
    this.#replay.clear();
  }

  /**
   * The endpoint has answered with `status`; the request was whole at `completeMs`, below 0: how long it took says
   * nothing. If that is a failure, its group hears it now, otherwise when the answer is complete.
   */
  answered(status: number, completeMs: number): void {
    if (this.#fromMs < 0) return;
    if (completeMs >= 0) this.#tookMs = this.pool!.plane.clock.now() - Math.max(this.#fromMs, completeMs);
    if (status >= 500) this.#tell(false);
    else if (status === 101) this.#tell(true);
  }

  /** The attempt failed. Its group hears of it if that is the endpoint's doing. */
  failed(code: ErrorCode): void {
    if (this.#fromMs < 0 || ERRORS[code].side !== 'upstream') return;
    // What has been idle for a while may have been closed just then, as it may be; and who was asked last had the
    // least of the time.
    const isExcused =
      code === 'request_timeout' ? this.count > 1 : code === 'upstream_reset' && this.isReused;
    if (isExcused) this.#fromMs = -1;
    else this.#tell(false);
  }

  /** The second attempt was sooner: whoever is always overtaken must not look as if nothing were known of it. */
  #overtaken(): void {
    if (this.#fromMs < 0) return;
    const pool = this.pool!;
    const nowMs = pool.plane.clock.now();
    pool.group?.overtaken(pool, nowMs - this.#fromMs, nowMs);
    this.#fromMs = -1;
  }

  #tell(isGood: boolean): void {
    const pool = this.pool!;
    const nowMs = pool.plane.clock.now();
    const fromMs = this.#fromMs;
    this.#fromMs = -1;
    if (isGood) pool.group?.succeeded(pool, this.#tookMs, nowMs);
    else pool.group?.failed(pool, nowMs - fromMs, nowMs);
  }

  /** The connection has done its work; null from now on. */
  release(isReusable: boolean, idleMaxMs: number, reader: Writer): void {
    const { connection } = this;
    if (this.#fromMs >= 0) this.#tell(true);
    this.connection = null;
    if (isReusable) connection!.release(idleMaxMs, reader);
    else connection!.destroy();
  }

  startSecond(user: UpstreamUser): boolean {
    const group = this.#group!;
    const pool = group.choose(this.pool, this.hashKey);
    if (pool === null) return false;
    const { retryBudgets, clock } = pool.plane;
    if (!retryBudgets.of(group).take(clock.now())) {
      this.hedging!.counters.refused.value++;
      return false;
    }
    const injection = this.faults === null ? null : this.faults.next(user);
    const connection = pool.acquire(injection ?? user, false);
    if (connection === null) return false;
    this.count++;
    this.tries++;
    const sending = injection === null ? connection.writer : injection.begin(connection);
    this.#second = { pool, connection, injection, sending };
    if (connection.isConnected) user.upstreamConnected();
    return true;
  }

  sendSecond(): void {
    if (this.#second === null) this.sendHead();
    else this.#second.sending.write(this.#head());
  }

  takeSecond(isSent: boolean, code: ErrorCode | null): void {
    const { pool, connection, injection, sending } = this.#second!;
    this.#second = null;
    if (code !== null) this.failed(code);
    else this.#overtaken();
    this.#cut();
    this.pool = pool;
    this.#injection = null;
    this.#begin(connection);
    this.#injection = injection;
    this.#sending = sending;
    this.isHeadSent = isSent;
  }

  cutSecond(): void {
    this.#second?.injection?.cancel();
    this.#second?.connection.destroy();
    this.#second = null;
  }

  #head(): string {
    const { head } = this.#replay;
    const lines = this.#timeLeft === null ? '' : this.#timeLeft.lines();
    return lines === '' ? head : withLines(head, '', lines);
  }

  /** Cut the connection, if there is one. */
  destroy(): void {
    this.#hedge?.end();
    this.#cut();
  }

  #cut(): void {
    this.#pending?.cancel();
    this.#pending = null;
    this.#injection?.cancel();
    this.connection?.destroy();
    this.connection = null;
  }
}

/** A head in which `lines` are in the place of `before`, or at the end. */
function withLines(head: string, before: string, lines: string): string {
  const at = before === '' ? head.length - 2 : head.lastIndexOf(before);
  return `${head.slice(0, at)}${lines}${head.slice(at + before.length)}`;
}
