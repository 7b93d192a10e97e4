/**
 * A socket that outlives its failed writes. An upstream that answers early and hangs up (413, 401) resets the
 * connection under the body that is still being sent; Node would destroy the socket on the failed write, and with it
 * the answer that waits to be read. The kernel still hands that over, so the reading side decides when it is over:
 * it always ends behind a failed write, with a reset or as if closed.
 */
import { Socket } from 'node:net';

type Done = (error?: Error | null) => void;

export class UpstreamSocket extends Socket {
  /** The first write that failed; nothing is written any more, and an end of the reading side is no clean one. */
  writeError: Error | null = null;
  #done: Done | null = null;

  override _write(chunk: unknown, encoding: BufferEncoding, done: Done): void {
    // Always the same function for one socket: nothing is allocated per write.
    this.#done = done;
    super._write(chunk, encoding, this.#written);
  }

  override _writev(chunks: { chunk: unknown; encoding: BufferEncoding }[], done: Done): void {
    this.#done = done;
    super._writev!(chunks, this.#written);
  }

  /** A failed write stays unfinished, so the stream holds back what follows and says so (`writableNeedDrain`). */
  readonly #written = (error?: Error | null): void => {
    if (error) this.writeError ??= error;
    else this.#done!();
  };
}
