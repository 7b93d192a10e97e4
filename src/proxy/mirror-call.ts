/**
 * One mirrored request to one endpoint and its answer, whole. On connections of its own, never sent twice, and heard of by
 * nobody but who made it: no breaker, no series, no log.
 */
import { createHash, type Hash } from 'node:crypto';
import type { ErrorCode } from '../base/error.ts';
import { Body, Framing, isFramingField, responseFraming } from '../http1/framing.ts';
import type { Head } from '../http1/head.ts';
import type { Pool } from './pool.ts';
import { BodyRelay, type Piece } from './relay.ts';
import { upstreamIdleMs } from './response-head.ts';
import { type ResponseHandler, ResponseReader } from './response-reader.ts';
import type { UpstreamConnection, UpstreamUser } from './upstream.ts';

/** Of a longer body only the beginning is read. */
const READ_MAX_BYTES = 16 * 1024 * 1024;

export interface MirrorRequest {
  readonly method: string;
  /** The whole request, as it is written. */
  readonly head: string;
  readonly body: readonly Piece[];
}

/** An answer as it came. */
export interface RawAnswer {
  /** 0: none came. */
  readonly status: number;
  readonly problem: string;
  readonly headers: ReadonlyMap<string, string>;
  /** Null: it is longer than is kept. */
  readonly body: Buffer | null;
  readonly hash: string;
  readonly bytes: number;
  readonly ms: number;
  /** None came since a connection that had been idle was closed just then, as it may be: that says nothing. */
  readonly isStale: boolean;
}

export interface MirrorLimits {
  readonly timeoutMs: number;
  /** Of the answer's body, so much is kept. */
  readonly bodyMaxBytes: number;
}

export class MirrorCall implements UpstreamUser, ResponseHandler {
  readonly answered: Promise<RawAnswer>;
  readonly #pool: Pool;
  readonly #request: MirrorRequest;
  readonly #limits: MirrorLimits;
  readonly #reader: ResponseReader;
  readonly #framing = new Framing();
  readonly #relay = new BodyRelay();
  readonly #timer: NodeJS.Timeout;
  readonly #hash: Hash = createHash('sha256');
  #resolve: (answer: RawAnswer) => void = () => {};
  #connection: UpstreamConnection | null = null;
  #sentMs = -1;
  #status = 0;
  #headers: ReadonlyMap<string, string> = new Map();
  #isReusable = false;
  #idleMs = 0;
  #parts: Buffer[] | null = [];
  #bytes = 0;
  #isStale = false;
  #isOver = false;

  /** Sends it. `answered` never rejects. */
  constructor(pool: Pool, request: MirrorRequest, limits: MirrorLimits) {
    this.#pool = pool;
    this.#request = request;
    this.#limits = limits;
    this.#reader = new ResponseReader(pool.plane.responseHead, this);
    this.answered = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#timer = setTimeout(() => this.#end('request_timeout'), limits.timeoutMs);
    this.#timer.unref();
    this.#connection = pool.acquire(this, false);
    if (this.#connection === null) this.#end('overloaded');
    else if (this.#connection.isConnected) this.#send();
  }

  /** Nobody wants the answer any more. */
  cancel(): void {
    this.#end('client_aborted');
  }

  upstreamConnected(): void {
    this.#send();
  }

  upstreamData(bytes: Buffer, length: number): void {
    if (this.#status === 0) this.#reader.read(bytes, length, this.#pool.plane.plan.snapshot.limits);
    else this.#take(bytes, 0, length);
  }

  upstreamEnded(): void {
    if (this.#status > 0 && this.#relay.isUntilClose) {
      this.#relay.finish();
      this.#isReusable = false;
      this.#finish();
    } else {
      this.#isStale = this.#connection!.served > 0 && this.#status === 0;
      this.#end('upstream_reset');
    }
  }

  upstreamFailed(code: ErrorCode, _cause: unknown): void {
    this.#isStale = code === 'upstream_reset' && (this.#connection?.served ?? 0) > 0 && this.#status === 0;
    this.#connection = null;
    this.#end(this.#status > 0 ? 'upstream_aborted' : code);
  }

  upstreamDrained(): void {}

  informational(_head: Head): void {}

  begin(head: Head, bytes: Buffer, at: number, end: number): void {
    if (head.status === 101) return this.malformed('It switched protocols, which nobody asked for.');
    if (!responseFraming(head, this.#request.method, this.#framing)) return this.malformed('');
    this.#status = head.status;
    this.#headers = headersOf(head);
    this.#isReusable = head.versionMinor === 1 && !head.isClose && this.#framing.kind !== Body.untilClose;
    this.#idleMs = upstreamIdleMs(head);
    this.#relay.begin(this.#framing, false, this.#pool.plane.plan.responseChunks);
    this.#take(bytes, at, end);
  }

  malformed(_detail: string): void {
    this.#end('upstream_malformed');
  }

  #send(): void {
    const { head, body } = this.#request;
    const { writer } = this.#connection!;
    this.#sentMs = this.#pool.plane.clock.now();
    writer.write(head);
    for (const piece of body) writer.write(piece);
  }

  #take(bytes: Buffer, start: number, end: number): void {
    const relay = this.#relay;
    let at = start;
    if (!relay.isDone && at < end) {
      const piece = relay.take(bytes, at, end, Number.POSITIVE_INFINITY);
      at = relay.consumedTo;
      if (relay.failure !== null) return this.malformed(relay.failure);
      if (piece !== null) this.#keep(piece);
    }
    if (at < end) this.#isReusable = false;
    if (relay.isDone) this.#finish();
    else if (this.#bytes === READ_MAX_BYTES) {
      this.#isReusable = false;
      this.#finish();
    }
  }

  #keep(piece: Piece): void {
    const whole = typeof piece === 'string' ? Buffer.from(piece, 'latin1') : Buffer.from(piece);
    const part = whole.subarray(0, READ_MAX_BYTES - this.#bytes);
    this.#bytes += part.length;
    this.#hash.update(part);
    if (this.#bytes > this.#limits.bodyMaxBytes) this.#parts = null;
    else this.#parts?.push(part);
  }

  #finish(): void {
    if (this.#isOver) return;
    const connection = this.#connection!;
    this.#connection = null;
    if (this.#isReusable) connection.release(this.#idleMs, connection.writer);
    else connection.destroy();
    this.#resolveWith('');
  }

  #end(code: ErrorCode): void {
    if (this.#isOver) return;
    this.#connection?.destroy();
    this.#connection = null;
    this.#status = 0;
    this.#resolveWith(code);
  }

  #resolveWith(problem: string): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    const ms = this.#sentMs < 0 ? 0 : this.#pool.plane.clock.now() - this.#sentMs;
    this.#resolve({
      status: this.#status,
      problem,
      headers: this.#headers,
      body: this.#parts === null ? null : Buffer.concat(this.#parts),
      hash: this.#hash.digest('hex'),
      bytes: this.#bytes,
      ms,
      isStale: this.#isStale,
    });
  }
}

/** Those that say something about the answer. Several of a name are one, line by line. */
function headersOf(head: Head): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (let i = 0; i < head.count; i++) {
    if (isFramingField(head.id[i]!)) continue;
    const name = head.text(head.nameStart[i]!, head.nameEnd[i]!).toLowerCase();
    const before = headers.get(name);
    headers.set(name, before === undefined ? head.value(i) : `${before}\n${head.value(i)}`);
  }
  return headers;
}
