/**
 * The server's side of TLS: makes the handshake on sockets that were accepted elsewhere, with one set of certificates.
 * A rotated certificate is another object of this class; handshakes under way and connections keep the one they began
 * with. Never listens, and knows nothing of HTTP.
 */
import { constants, X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import type { SecureContext, SecureContextOptions, Server, TLSSocket, TlsOptions } from 'node:tls';
import type { KeyPair, ListenerTls } from '../config/snapshot.ts';
import { nodeTls } from './node-tls.ts';
import { identityOf } from './tls-identity.ts';

/** Why a handshake did not succeed; a label of `fairlead_tls_handshake_failures_total`. */
export type HandshakeFailure =
  | 'alpn' // the client speaks no HTTP/1
  | 'certificate-missing'
  | 'certificate-refused' // the client's, by us
  | 'closed' // by the client, in the middle
  | 'not-tls'
  | 'refused-by-client' // our certificate, usually
  | 'timeout'
  | 'version' // or cipher: nothing in common
  | 'other';

/** Who began the handshake. One of the two is called, once, unless the socket is destroyed before. */
export interface HandshakeUser {
  /** `identity`: what the client's verified certificate says; null without one. */
  handshakeDone(socket: TLSSocket, identity: string | null): void;
  handshakeFailed(reason: HandshakeFailure): void;
}

/** A certificate that is chosen by the name the client asks for. */
interface Named {
  readonly certificate: X509Certificate;
  /** Undefined: the one of the server. */
  readonly context: SecureContext | undefined;
}

export class TlsServer {
  readonly settings: ListenerTls;
  readonly #server: Server;
  readonly #users = new WeakMap<Socket, HandshakeUser>();

  constructor(settings: ListenerTls) {
    const [first, ...others] = settings.keyPairs;
    const named = others.length === 0 ? [] : namedCertificates(settings);
    this.settings = settings;
    this.#server = nodeTls().createServer({
      ...contextOptions(settings, first!),
      // In the order we like them; an HTTP/1.0 client may ask for its own.
      ALPNProtocols: ['http/1.1', 'http/1.0'],
      requestCert: settings.clientCertificate !== 'off',
      rejectUnauthorized: settings.clientCertificate === 'required',
      ...(named.length === 0 ? {} : { SNICallback: chooser(named) }),
    });
    this.#server.on('secureConnection', (socket) => this.#onSecure(socket));
    this.#server.on('tlsClientError', (error, socket) => this.#onError(error, socket));
  }

  /** Bytes that were read already and put back (`unshift`) are the first of the handshake. */
  handshake(socket: Socket, user: HandshakeUser): void {
    // A client that goes away in the middle must not be waited for, so half-open is for later.
    socket.allowHalfOpen = false;
    this.#users.set(socket, user);
    this.#server.emit('connection', socket);
  }

  #onSecure(socket: TLSSocket): void {
    const user = this.#users.get(transportOf(socket))!;
    const isAsked = this.settings.clientCertificate !== 'off';
    const certificate = isAsked ? socket.getPeerX509Certificate() : undefined;
    if (certificate !== undefined && !socket.authorized) {
      user.handshakeFailed('certificate-refused');
      socket.destroy();
      return;
    }
    socket.allowHalfOpen = true;
    user.handshakeDone(socket, certificate === undefined ? null : identityOf(certificate));
  }

  #onError(error: NodeJS.ErrnoException, socket: TLSSocket): void {
    // Node says nothing else of a certificate that it does not accept.
    const isRefused = socket.authorizationError !== null && socket.authorizationError !== undefined;
    const reason = isRefused ? 'certificate-refused' : failureOf(error.code ?? '');
    this.#users.get(transportOf(socket))?.handshakeFailed(reason);
    socket.destroy();
  }
}

/** What carries a TLS socket; any other socket is its own. */
export function transportOf(socket: Socket): Socket {
  // Node has this link in no public way, and its event only has the outer socket.
  return isEncrypted(socket) ? ((socket as unknown as { _parent?: Socket })._parent ?? socket) : socket;
}

/**
 * Cuts a connection so that its peer cannot take it for ended: with a reset, also below TLS, since many clients take
 * a TLS connection without its closing alert for whole. A unix socket has no reset and is closed.
 */
export function reset(socket: Socket): void {
  const transport = transportOf(socket);
  if (transport.remoteAddress === undefined || isEncrypted(transport)) socket.destroy();
  else transport.resetAndDestroy();
}

/** Whether it is one of `node:tls`; asked without loading that. */
function isEncrypted(socket: Socket): boolean {
  return (socket as Partial<TLSSocket>).encrypted === true;
}

function contextOptions(settings: ListenerTls, pair: KeyPair): SecureContextOptions {
  return {
    cert: pair.certificate,
    key: pair.key,
    minVersion: settings.minVersion,
    honorCipherOrder: true,
    // Nobody needs it, and it lets a client cost us a handshake whenever it likes.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    ...(settings.clientCa === null ? {} : { ca: settings.clientCa }),
  };
}

function namedCertificates(settings: ListenerTls): Named[] {
  return settings.keyPairs.map((pair, index) => ({
    certificate: new X509Certificate(pair.certificate),
    context: index === 0 ? undefined : nodeTls().createSecureContext(contextOptions(settings, pair)),
  }));
}

function chooser(named: readonly Named[]): NonNullable<TlsOptions['SNICallback']> {
  return (name, choose) => choose(null, contextFor(named, name));
}

/** The first that has exactly this name, else the first that covers it, else the listener's own. */
function contextFor(named: readonly Named[], name: string): SecureContext | undefined {
  const found =
    named.find(({ certificate }) => certificate.checkHost(name, { wildcards: false }) !== undefined) ??
    named.find(({ certificate }) => certificate.checkHost(name) !== undefined);
  return found?.context;
}

function failureOf(code: string): HandshakeFailure {
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'closed';
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'timeout';
  if (code === 'ERR_SSL_NO_APPLICATION_PROTOCOL') return 'alpn';
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return 'certificate-missing';
  if (code.includes('ALERT')) return 'refused-by-client';
  if (/HTTP_REQUEST|HTTPS_PROXY_REQUEST|WRONG_VERSION_NUMBER|UNKNOWN_PROTOCOL|PACKET_LENGTH/.test(code))
    return 'not-tls';
  return /UNSUPPORTED_PROTOCOL|VERSION|NO_SHARED|NO_SUITABLE/.test(code) ? 'version' : 'other';
}
