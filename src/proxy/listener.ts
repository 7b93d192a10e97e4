/** One listening socket: accepts, refuses past its bound, and counts. What a connection does is `downstream.ts`'s. */
import { createServer, type Server, type Socket } from 'node:net';
import type { ListenerSettings, SocketAddress } from '../config/snapshot.ts';
import type { DataPlane } from './data-plane.ts';
import { Downstream } from './downstream.ts';
import { peerOf } from './peer.ts';

/** Connections the kernel may hold that are not accepted yet. */
const BACKLOG = 1024;

export class Listener {
  readonly settings: ListenerSettings;
  readonly connections = new Set<Downstream>();
  /** Connections accepted so far, refused ones included. */
  accepted = 0;
  readonly #plane: DataPlane;
  readonly #server: Server;

  constructor(settings: ListenerSettings, plane: DataPlane) {
    this.settings = settings;
    this.#plane = plane;
    // A client that closes its sending side after a request still gets its answer.
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: false }, (socket) =>
      this.#accept(socket),
    );
  }

  /** Rejects with the system's error when the address cannot be bound. */
  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ ...bindTo(this.settings.address), backlog: BACKLOG }, () => {
        this.#server.off('error', reject);
        // Accepting can fail for want of file descriptors; the listener goes on.
        this.#server.on('error', (error) =>
          this.#plane.log.error({ listener: this.settings.name, error: error.message }, 'accept failed'),
        );
        resolve();
      });
    });
  }

  /** The address as bound: the port is the real one when 0 was asked for. */
  get address(): SocketAddress {
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string') return this.settings.address;
    return { kind: 'tcp', host: bound.address, port: bound.port };
  }

  /** Accept nothing more. Connections live on. */
  close(): void {
    this.#server.close();
  }

  #accept(socket: Socket): void {
    this.accepted++;
    if (this.connections.size >= this.settings.connectionsMax) {
      this.#plane.metrics.counters.connectionsRefused.value++;
      socket.destroy();
      return;
    }
    const downstream: Downstream = new Downstream(
      this.#plane,
      socket,
      peerOf(socket),
      this.settings.direction,
      () => {
        this.connections.delete(downstream);
      },
    );
    this.connections.add(downstream);
  }
}

function bindTo(address: SocketAddress): { path: string } | { host: string; port: number } {
  return address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
}
