/**
 * An accepted connection before its first request: the PROXY protocol header, if the listener wants one, then the TLS
 * handshake, if it speaks TLS. Bounded in bytes and, both together, in time. Plain listeners have none of this.
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { DataPlane } from './data-plane.ts';
import { deadline, type Timed } from './deadlines.ts';
import { Intake } from './intake.ts';
import { type Peer, peerOf } from './peer.ts';
import { PROXY_HEADER_MAX_BYTES, parseProxyHeader } from './proxy-protocol.ts';
import type { HandshakeFailure, HandshakeUser, TlsServer } from './tls-server.ts';

/** Why a PROXY header was not accepted; a label of `fairlead_proxy_protocol_failures_total`. */
export type ProxyHeaderFailure = 'malformed' | 'closed' | 'timeout';

/** The listener. One of these is called, once. */
export interface ArrivalOwner {
  /** `bytes` came in behind the header; null: none. */
  arrived(arrival: Arrival, connection: { socket: Socket; peer: Peer; bytes: Buffer | null }): void;
  headerFailed(arrival: Arrival, reason: ProxyHeaderFailure, detail: string): void;
  handshakeFailed(arrival: Arrival, reason: HandshakeFailure): void;
  /** Closed without having sent a byte, as port checks do; or cut by us. */
  left(arrival: Arrival): void;
}

/** `header`: waiting for the PROXY header. `over`: the owner has been told. */
type State = 'header' | 'handshake' | 'over';

export class Arrival implements Timed, HandshakeUser {
  deadlineMs: number;
  timedIndex = -1;
  readonly #plane: DataPlane;
  readonly #socket: Socket;
  readonly #tls: TlsServer | null;
  readonly #owner: ArrivalOwner;
  readonly #intake = new Intake();
  #peer: Peer;
  #state: State = 'header';

  constructor(plane: DataPlane, socket: Socket, tls: TlsServer | null, owner: ArrivalOwner) {
    this.#plane = plane;
    this.#socket = socket;
    this.#tls = tls;
    this.#owner = owner;
    this.#peer = peerOf(socket);
    this.deadlineMs = deadline(plane.clock.now(), plane.plan.snapshot.timeouts.requestHeadMs);
    plane.deadlines.add(this);
    // 'close' follows every error and does the work.
    socket.on('error', () => {});
    socket.on('close', this.#onClose);
  }

  /** `isProxied`: a PROXY header comes first. */
  begin(isProxied: boolean): void {
    if (!isProxied) return this.#secure();
    this.#socket.on('data', this.#onData);
    this.#socket.on('end', this.#onEnd);
  }

  /** Cuts it off; nothing is counted. */
  destroy(): void {
    if (this.#end()) this.#owner.left(this);
    this.#socket.destroy();
  }

  onDeadline(): void {
    if (this.#state === 'header') this.#headerFailed('timeout', 'The PROXY header did not arrive in time.');
    else {
      this.handshakeFailed('timeout');
      this.#socket.destroy();
    }
  }

  handshakeDone(socket: TLSSocket, identity: string | null): void {
    if (!this.#end()) return;
    const peer: Peer = { address: this.#peer.address, scheme: 'https', identity };
    this.#owner.arrived(this, { socket, peer, bytes: null });
  }

  handshakeFailed(reason: HandshakeFailure): void {
    const isPortCheck = reason === 'closed' && this.#socket.bytesRead === 0;
    if (!this.#end()) return;
    if (isPortCheck) this.#owner.left(this);
    else this.#owner.handshakeFailed(this, reason);
  }

  readonly #onData = (chunk: Buffer): void => {
    const intake = this.#intake;
    const before = intake.length;
    intake.append(chunk, 0, Math.min(chunk.length, PROXY_HEADER_MAX_BYTES - before));
    const header = parseProxyHeader(intake.bytes.subarray(intake.start, intake.end));
    if (header.state === 'incomplete') return;
    if (header.state === 'malformed') return this.#headerFailed('malformed', header.problem);
    if (header.address !== null) this.#peer = { ...this.#peer, address: header.address };
    this.#headerDone(chunk.subarray(header.length - before));
  };

  /** `rest` came in behind the header. */
  #headerDone(rest: Buffer): void {
    const socket = this.#socket;
    socket.pause();
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    this.#intake.clear();
    if (this.#tls !== null) {
      if (rest.length > 0) socket.unshift(rest);
      return this.#secure();
    }
    this.#end();
    this.#owner.arrived(this, { socket, peer: this.#peer, bytes: rest.length > 0 ? rest : null });
  }

  #secure(): void {
    this.#state = 'handshake';
    this.#tls!.handshake(this.#socket, this);
  }

  readonly #onEnd = (): void => {
    if (this.#socket.bytesRead === 0) this.destroy();
    else this.#headerFailed('closed', 'The connection ended within its PROXY header.');
  };

  #headerFailed(reason: ProxyHeaderFailure, detail: string): void {
    if (this.#end()) this.#owner.headerFailed(this, reason, detail);
    this.#socket.destroy();
  }

  readonly #onClose = (): void => {
    if (this.#state === 'over') return;
    if (this.#state === 'header') this.#onEnd();
    // Whoever made the handshake knows better why, and says so when it hears of the end itself.
    else setImmediate(() => this.handshakeFailed('closed'));
  };

  /** Nothing more is to be told. False: that was so already. */
  #end(): boolean {
    if (this.#state === 'over') return false;
    this.#state = 'over';
    this.#plane.deadlines.remove(this);
    this.#socket.off('close', this.#onClose);
    return true;
  }
}
