/**
 * One connection to an upstream endpoint. Reads into a buffer shared by all upstream sockets (one system call, no
 * allocation per read), hands the bytes to whoever uses the connection, and knows whether it may be used again.
 * Never parses: that is the exchange's. Bytes nobody asked for poison the connection, and it is destroyed.
 */
import type { OnReadOpts } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ErrorCode } from '../base/error.ts';
import { deadline, type Timed } from './deadlines.ts';
import type { Endpoint } from './endpoint.ts';
import type { Pool } from './pool.ts';
import { NO_LARGE_BUFFERS, ReadBuffer } from './read-buffer.ts';
import { onreadOf, type Reader, shortenReads } from './shared-reads.ts';
import { UpstreamSocket } from './upstream-socket.ts';
import { Writer } from './writer.ts';

/** Who uses a connection: the exchange. */
export interface UpstreamUser {
  upstreamConnected(): void;
  /** Bytes [0, length) of a buffer that is overwritten after the call. */
  upstreamData(bytes: Buffer, length: number): void;
  /** The upstream closed its sending side. */
  upstreamEnded(): void;
  /** The connection failed or was closed; it is already out of the pool. */
  upstreamFailed(code: ErrorCode, cause: unknown): void;
  /** What was written has been taken; go on. */
  upstreamDrained(): void;
}

/** Of the limits of a connection, up to this share is taken off. */
const WEAR_JITTER = 0.1;

type State = 'connecting' | 'busy' | 'idle' | 'closed';

export class UpstreamConnection implements Timed, Reader {
  readonly socket: UpstreamSocket | TLSSocket;
  /** Its `write` answers false when the upstream does not take it all: wait for `upstreamDrained`. */
  readonly writer: Writer;
  readonly pool: Pool;
  /** What it reads into: bytes are valid only during the call they are handed over in. */
  readonly reads: ReadBuffer;
  deadlineMs = Number.POSITIVE_INFINITY;
  timedIndex = -1;
  /** Requests served before the present one. */
  served = 0;
  #state: State = 'connecting';
  #user: UpstreamUser | null;
  /** When its present user got it; 0 when nobody measures. */
  usedFromMs = 0;
  /** After so many requests, or then, it is not used again. */
  readonly #requestsMax: number;
  readonly #oldMs: number;
  /** In the call that hands over what was read. */
  #isReading = false;
  #isPaused = false;

  constructor(pool: Pool, user: UpstreamUser) {
    this.pool = pool;
    this.#user = user;
    const { endpoint, tls } = pool;
    this.reads = new ReadBuffer(tls === null ? pool.plane.largeBuffers : NO_LARGE_BUFFERS);
    const onread = onreadOf(this, endpoint.others.length > 0);
    this.socket = tls === null ? openPlain(endpoint, onread) : tls.connect(endpoint, onread);
    this.writer = new Writer(this.socket, pool.plane.burst, true, pool.plane.plan.snapshot.nodeInternals);
    this.socket.on(tls === null ? 'connect' : 'secureConnect', () => this.#onConnect());
    this.socket.on('drain', () => this.#user?.upstreamDrained());
    this.socket.on('end', () => this.#onEnd());
    this.socket.on('error', (error) => this.#onClosed(error));
    this.socket.on('close', () => this.#onClosed(null));
    // An unresumed socket never tells 'end'.
    this.socket.resume();
    pool.plane.deadlines.add(this);
    const nowMs = pool.plane.clock.now();
    this.deadlineMs = deadline(nowMs, pool.connectTimeoutMs);
    if (pool.isMeasured) this.usedFromMs = nowMs;
    const { connectionRequestsMax, connectionMaxAgeMs } = pool.upstream;
    // So that connections that were opened together do not have to be opened anew together.
    const part = 1 - WEAR_JITTER * pool.plane.random.next();
    this.#requestsMax = connectionRequestsMax * part;
    this.#oldMs = nowMs + connectionMaxAgeMs * part;
  }

  /** It has done its work: it is closed instead of used again. */
  get isWorn(): boolean {
    return this.served >= this.#requestsMax || this.pool.plane.deadlines.nowMs >= this.#oldMs;
  }

  get isConnected(): boolean {
    return this.#state === 'busy';
  }

  /** Whether `user` is who uses it now. */
  isUsedBy(user: UpstreamUser): boolean {
    return this.#user === user;
  }

  attach(user: UpstreamUser): void {
    this.#state = 'busy';
    this.#user = user;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    if (this.pool.isMeasured) this.usedFromMs = this.pool.plane.clock.now();
  }

  /** Reads no more; what TLS has already decrypted still comes. */
  pause(): void {
    this.#isPaused = true;
    this.socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.socket.resume();
  }

  /**
   * The exchange is complete and the connection clean. `idleMaxMs`: what the upstream said it keeps it for. `reader`:
   * where what was read went.
   */
  release(idleMaxMs: number, reader: Writer): void {
    if (this.reads.isLarge) this.reads.shrink(this.#isReading && reader.isSent);
    this.#user = null;
    this.served++;
    this.#state = 'idle';
    // The rest of the answer came all the same, and whoever is next must be read, as must the end of the connection.
    if (this.#isPaused) this.resume();
    const timeoutMs = Math.min(this.pool.idleTimeoutMs || Number.POSITIVE_INFINITY, idleMaxMs);
    this.deadlineMs = Math.min(this.pool.plane.deadlines.nowMs + timeoutMs, this.#oldMs);
    this.pool.release(this);
  }

  /** Cuts the connection; the user hears nothing more. */
  destroy(): void {
    this.#user = null;
    this.#leave();
    this.socket.destroy();
  }

  /** As if it had broken: the user hears of it. */
  cut(): void {
    this.socket.destroy(new Error('cut, since its endpoint was taken out'));
  }

  onDeadline(): void {
    const user = this.#user;
    const wasConnecting = this.#state === 'connecting';
    this.destroy();
    if (wasConnecting) {
      this.pool.connectFailures++;
      user?.upstreamFailed('upstream_connect_timeout', null);
    }
  }

  #onConnect(): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'busy';
    this.deadlineMs = Number.POSITIVE_INFINITY;
    if (this.pool.tls === null && this.pool.plane.plan.snapshot.nodeInternals)
      shortenReads(this.socket, this);
    // Which of the addresses of its name it was.
    if (this.pool.endpoint.others.length > 0)
      this.pool.plane.connected(this.pool, this.socket.remoteAddress ?? '');
    this.#user?.upstreamConnected();
  }

  /** Bytes that nobody asked for poison the connection. */
  onRead(length: number, bytes: Buffer): void {
    if (this.#user === null) this.destroy();
    else {
      this.#isReading = true;
      this.#user.upstreamData(bytes, length);
      this.#isReading = false;
    }
  }

  #onEnd(): void {
    // In the middle of a TLS handshake: an error follows that says so.
    if (this.#state === 'connecting') return;
    if (this.#user === null) this.destroy();
    else if (this.socket instanceof UpstreamSocket && this.socket.writeError !== null)
      this.socket.destroy(this.socket.writeError);
    else this.#user.upstreamEnded();
  }

  #onClosed(error: Error | null): void {
    const user = this.#user;
    const wasConnecting = this.#state === 'connecting';
    this.#user = null;
    this.#leave();
    if (wasConnecting) this.pool.connectFailures++;
    const isFresh = this.served === 0;
    const failure = isFresh && error !== null ? this.pool.tlsFailure(error, wasConnecting) : null;
    if (failure !== null) user?.upstreamFailed(failure.code, failure);
    else user?.upstreamFailed(wasConnecting ? 'upstream_connect_failed' : 'upstream_reset', error);
  }

  #leave(): void {
    if (this.#state === 'closed') return;
    const wasIdle = this.#state === 'idle';
    this.#state = 'closed';
    this.reads.shrink(false);
    this.pool.plane.deadlines.remove(this);
    this.pool.forget(this, wasIdle);
  }
}

function openPlain({ address, target }: Endpoint, onread: OnReadOpts): UpstreamSocket {
  const socket = new UpstreamSocket({ noDelay: address.kind === 'tcp', allowHalfOpen: true, onread });
  return socket.connect(target);
}
