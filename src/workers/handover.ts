/**
 * A unix socket for several workers. The kernel deals out the connections of a TCP port to all who listen on it, but
 * a path has one listener only: the primary listens, and hands each connection to the next worker.
 * Never reads a byte of them.
 */
import { createServer, type Server, type Socket } from 'node:net';

/** Connections the kernel may hold that are not accepted yet. */
const BACKLOG = 1024;
/** Clients that connect without end must not keep a drain from beginning. */
const TURNS_MAX = 100;

export class Handover {
  readonly #server: Server;
  #accepted = 0;

  /** @param give hands one connection over */
  constructor(give: (socket: Socket) => void) {
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      this.#accepted++;
      socket.on('error', () => {});
      give(socket);
    });
  }

  /** Rejects with the system's error when the path cannot be bound. */
  listen(path: string, onError: (error: Error) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ path, backlog: BACKLOG }, () => {
        this.#server.off('error', reject);
        // Accepting can fail for want of file descriptors; the listener goes on.
        this.#server.on('error', onError);
        resolve();
      });
    });
  }

  /** Accept nothing more, once what the kernel has accepted is handed over. */
  async close(): Promise<void> {
    let before = -1;
    // Each turn of the event loop accepts what is pending, and a second one what came in behind a first signal.
    for (let turn = 0; turn < TURNS_MAX && before !== this.#accepted; turn += 2) {
      before = this.#accepted;
      for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
    }
    this.#server.close();
  }
}
