/**
 * After a 101: bytes both ways, unread, with backpressure and half-close, until both sides have ended or neither has
 * sent anything for a time. The breaker has been told already: a tunnel's length says nothing about its upstream.
 */
import type { Downstream } from './downstream.ts';
import type { Piece } from './relay.ts';
import type { UpstreamConnection, UpstreamUser } from './upstream.ts';

export class Tunnel implements UpstreamUser {
  readonly #downstream: Downstream;
  readonly #connection: UpstreamConnection;
  readonly #idleMs: number;
  bytesIn = 0;
  bytesOut = 0;

  /** Takes the connection over from the exchange. `idleMs` 0: no limit. */
  constructor(downstream: Downstream, connection: UpstreamConnection, idleMs: number) {
    this.#downstream = downstream;
    this.#connection = connection;
    this.#idleMs = idleMs;
    connection.attach(this);
    this.#touch();
  }

  /** Write to the client: the 101 itself, with what came behind it. */
  toClient(piece: Piece): void {
    if (!this.#downstream.writer.write(piece)) this.#connection.pause();
    this.#touch();
  }

  /** Bytes [start, end) from the client; the buffer is not written to again. */
  toUpstream(bytes: Buffer, start: number, end: number): void {
    this.bytesIn += end - start;
    if (!this.#connection.writer.write(bytes.subarray(start, end))) this.#downstream.pause();
    this.#touch();
  }

  clientDrained(): void {
    this.#connection.resume();
  }

  clientEnded(): void {
    this.#connection.writer.end();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  upstreamConnected(): void {}

  upstreamData(bytes: Buffer, length: number): void {
    this.bytesOut += length;
    this.toClient(Buffer.from(bytes.subarray(0, length)));
  }

  upstreamEnded(): void {
    this.#downstream.writer.end();
  }

  upstreamFailed(_code: string, cause: unknown): void {
    // Without an error this is both sides having ended, and the client's last bytes are still on their way to it.
    if (cause !== null) this.#downstream.destroy();
    else this.#downstream.destroySoon();
  }

  upstreamDrained(): void {
    this.#downstream.resume();
  }

  #touch(): void {
    const { deadlines } = this.#downstream.plane;
    this.#downstream.deadlineMs =
      this.#idleMs === 0 ? Number.POSITIVE_INFINITY : deadlines.nowMs + this.#idleMs;
  }
}
