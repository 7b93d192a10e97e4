/**
 * A fault done to one attempt. It stands between the exchange and a real connection of the pool, and what it does
 * takes the way that the upstream's own failures take: a late answer is bytes that come late, an abort is an answer
 * that is read as any other, a reset is an error of the socket. So breakers, retries, failover and the pools see
 * what they would see, and there is nothing for them to know.
 *
 * A request that is aborted or reset is not sent: its upstream has not done it.
 */
import type { ErrorCode } from '../base/error.ts';
import { contentLength, statusText } from '../http1/encode.ts';
import type { Blow } from '../resilience/fault.ts';
import type { UpstreamConnection, UpstreamUser } from './upstream.ts';
import type { Writer } from './writer.ts';

/** What an attempt sends with. */
export type Sending = Pick<Writer, 'write' | 'writeTogether' | 'release'>;

export class Injection implements UpstreamUser {
  readonly #blow: Blow;
  readonly #user: UpstreamUser;
  /** What was read and is held back. */
  readonly #held: Buffer[] = [];
  #connection: UpstreamConnection | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** The answer has been held back for as long as it should. */
  #isOver = false;

  /** `user`: whose attempt it is. */
  constructor(blow: Blow, user: UpstreamUser) {
    this.#blow = blow;
    this.#user = user;
  }

  /** The connection that the attempt got, if it did. Answers what the request is sent with. */
  begin(connection: UpstreamConnection): Sending {
    this.#connection = connection;
    if (this.#blow.ending === null) return connection.writer;
    const swallow = (): true => {
      this.#timer ??= setTimeout(this.#end, this.#blow.delayMs);
      return true;
    };
    return { write: swallow, writeTogether: swallow, release() {} };
  }

  /** The attempt is given up: nothing more happens. */
  cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#held.length = 0;
    this.#connection = null;
  }

  upstreamConnected(): void {
    this.#user.upstreamConnected();
  }

  upstreamDrained(): void {
    this.#user.upstreamDrained();
  }

  upstreamData(bytes: Buffer, length: number): void {
    if (this.#isOver || this.#blow.ending !== null) return this.#user.upstreamData(bytes, length);
    // What is read into is used again after this call.
    this.#held.push(Buffer.from(bytes.subarray(0, length)));
    if (this.#timer !== null) return;
    this.#connection!.pause();
    this.#timer = setTimeout(this.#handOver, this.#blow.delayMs);
  }

  upstreamEnded(): void {
    const connection = this.#connection!;
    if (this.#held.length > 0) this.#handOver();
    if (connection.isUsedBy(this)) this.#user.upstreamEnded();
  }

  upstreamFailed(code: ErrorCode, cause: unknown): void {
    this.cancel();
    this.#user.upstreamFailed(code, cause);
  }

  /** Late, but as it came. */
  readonly #handOver = (): void => {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#isOver = true;
    const connection = this.#connection;
    if (connection === null || !connection.isUsedBy(this)) return;
    const bytes = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held);
    this.#held.length = 0;
    connection.resume();
    this.#user.upstreamData(bytes, bytes.length);
  };

  readonly #end = (): void => {
    const connection = this.#connection;
    const { ending } = this.#blow;
    if (connection === null || ending === null || !connection.isUsedBy(this)) return;
    if (ending.kind === 'reset') {
      connection.socket.destroy(Object.assign(new Error('reset on purpose'), { code: 'ECONNRESET' }));
      return;
    }
    const bytes = Buffer.from(abortedAnswer(ending.status), 'latin1');
    this.#user.upstreamData(bytes, bytes.length);
  };
}

/** An answer without a body, which is right for HEAD as well. */
function abortedAnswer(status: number): string {
  return `HTTP/1.1 ${status} ${statusText(status)}\r\nx-fairlead-fault: abort\r\n${contentLength(0)}\r\n`;
}
