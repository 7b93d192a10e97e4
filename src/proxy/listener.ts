/**
 * One listening socket: accepts, turns away past its bound, and counts. What comes before the first request is
 * `arrival.ts`'s, what a connection does is `downstream.ts`'s.
 */
import { chmodSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { ListenerSettings, SocketAddress } from '../config/snapshot.ts';
import { Arrival, type ArrivalOwner, type ProxyHeaderFailure } from './arrival.ts';
import type { DataPlane } from './data-plane.ts';
import { Downstream } from './downstream.ts';
import { type Peer, peerOf } from './peer.ts';
import { Seldom } from './seldom.ts';
import { type HandshakeFailure, TlsServer } from './tls-server.ts';
import { TurnedAway } from './turned-away.ts';
import { removeStaleSocket } from './unix-socket.ts';

/** Connections the kernel may hold that are not accepted yet. */
const BACKLOG = 1024;

/**
 * How a listener gets its connections: on a socket of its own, on a port that other processes listen on as well
 * (the kernel deals the connections out), or handed over by another process (`take`).
 */
export type Binding =
  | { readonly kind: 'alone' }
  | { readonly kind: 'shared-port'; readonly port: number }
  | { readonly kind: 'handed-over' };

export class Listener implements ArrivalOwner {
  readonly settings: ListenerSettings;
  readonly connections = new Set<Downstream>();
  /** Connections accepted so far, refused ones included. */
  accepted = 0;
  /** Less than the settings say where the process may not open as many; see `descriptors.ts`. */
  connectionsMax: number;
  /** Connections beyond the limit that are told so. */
  turnedAwayMax = 0;
  readonly #plane: DataPlane;
  readonly #server: Server;
  /** Of the Snapshot in force; null: plain. */
  #tls: TlsServer | null;
  readonly #arrivals = new Set<Arrival>();
  readonly #turnedAway = new Set<TurnedAway>();
  readonly #refusals = new Seldom();
  readonly #acceptFailures = new Seldom();
  readonly #arrivalFailures = new Seldom();

  constructor(settings: ListenerSettings, plane: DataPlane) {
    this.settings = settings;
    this.connectionsMax = settings.connectionsMax;
    this.#plane = plane;
    this.#tls = settings.tls === null ? null : new TlsServer(settings.tls);
    // A client that closes its sending side after a request still gets its answer.
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: false }, (socket) =>
      this.#accept(socket),
    );
  }

  /** Rejects with the system's error when the address cannot be bound. */
  async listen(binding: Binding = { kind: 'alone' }): Promise<void> {
    const { address, socketMode } = this.settings;
    if (binding.kind === 'handed-over') return;
    const shared = binding.kind === 'shared-port' ? { port: binding.port, reusePort: true } : {};
    if (address.kind === 'unix') await removeStaleSocket(address.path);
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ ...bindTo(address), ...shared, backlog: BACKLOG }, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => this.#acceptFailed(error));
        resolve();
      });
    });
    if (address.kind === 'unix' && socketMode !== null) chmodSync(address.path, socketMode);
  }

  /** Connections that are open, those without a request yet included. */
  get open(): number {
    return this.connections.size + this.#arrivals.size;
  }

  /** The address as bound: the port is the real one when 0 was asked for. */
  get address(): SocketAddress {
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string') return this.settings.address;
    return { kind: 'tcp', host: bound.address, port: bound.port };
  }

  /** The same listener in another Snapshot: its certificates are for connections from now on. */
  adopt({ tls }: ListenerSettings): void {
    if (this.#tls === null || tls === null || isDeepStrictEqual(tls, this.#tls.settings)) return;
    this.#tls = new TlsServer(tls);
  }

  /** A connection that another process has accepted. */
  take(socket: Socket): void {
    socket.allowHalfOpen = true;
    this.#accept(socket);
  }

  /** Accept nothing more. Connections live on. */
  close(): void {
    this.#server.close();
  }

  /** Cut off those that have not come to a request yet, and those that were turned away. */
  cutArrivals(): void {
    for (const arrival of [...this.#arrivals]) arrival.destroy();
    for (const turnedAway of [...this.#turnedAway]) turnedAway.destroy();
  }

  // What becomes of an arrival.

  arrived(
    arrival: Arrival,
    { socket, peer, bytes }: { socket: Socket; peer: Peer; bytes: Buffer | null },
  ): void {
    this.#arrivals.delete(arrival);
    const downstream = this.#serve(socket, peer);
    if (bytes !== null) downstream.receive(bytes);
  }

  headerFailed(arrival: Arrival, reason: ProxyHeaderFailure, detail: string): void {
    this.#arrivals.delete(arrival);
    const { name } = this.settings;
    this.#plane.metrics.connections.headerFailures(name, reason).value++;
    this.#logArrival(reason, `a connection to ${name} was closed: ${detail}`);
  }

  handshakeFailed(arrival: Arrival, reason: HandshakeFailure): void {
    this.#arrivals.delete(arrival);
    const { name } = this.settings;
    this.#plane.metrics.connections.handshakeFailures(name, reason).value++;
    this.#logArrival(reason, `a TLS handshake with ${name} failed: ${reason}`);
  }

  left(arrival: Arrival): void {
    this.#arrivals.delete(arrival);
  }

  #accept(socket: Socket): void {
    this.accepted++;
    if (this.open >= this.connectionsMax) return this.#turnAway(socket);
    const tls = this.#tls;
    const { proxyProtocol } = this.settings;
    if (tls === null && !proxyProtocol) {
      this.#serve(socket, peerOf(socket));
      return;
    }
    const arrival = new Arrival(this.#plane, socket, tls, this);
    this.#arrivals.add(arrival);
    arrival.begin(proxyProtocol);
  }

  #serve(socket: Socket, peer: Peer): Downstream {
    const downstream: Downstream = new Downstream(this.#plane, socket, peer, this.settings, () => {
      this.connections.delete(downstream);
    });
    this.connections.add(downstream);
    return downstream;
  }

  /** Visibly, as far as that costs next to nothing: a TLS client could be told only after a handshake. */
  #turnAway(socket: Socket): void {
    const { metrics } = this.#plane;
    metrics.counters.connectionsRefused.value++;
    const count = this.#refusals.count(this.#plane.clock.now());
    if (count > 0) {
      const facts = { listener: this.settings.name, connectionsMax: this.connectionsMax, count };
      this.#plane.log.warn(
        facts,
        `${this.settings.name} has ${this.connectionsMax} connections, which is its limit`,
      );
    }
    if (this.#tls !== null || this.#turnedAway.size >= this.turnedAwayMax) {
      socket.destroy();
      return;
    }
    metrics.localAnswers('overloaded').value++;
    const turnedAway = new TurnedAway(this.#plane, socket, this.connectionsMax, (gone) => {
      this.#turnedAway.delete(gone);
    });
    this.#turnedAway.add(turnedAway);
  }

  /** Accepting fails for want of memory or the like, and works again when there is some: go on. */
  #acceptFailed(error: Error): void {
    const { name } = this.settings;
    this.#plane.metrics.connections.acceptFailures(name).value++;
    const count = this.#acceptFailures.count(this.#plane.clock.now());
    if (count > 0)
      this.#plane.log.error(
        { listener: name, error: error.message, count },
        `${name} cannot accept connections`,
      );
  }

  #logArrival(reason: string, sentence: string): void {
    const count = this.#arrivalFailures.count(this.#plane.clock.now());
    if (count > 0) this.#plane.log.info({ listener: this.settings.name, reason, count }, sentence);
  }
}

function bindTo(address: SocketAddress): { path: string } | { host: string; port: number } {
  return address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
}
