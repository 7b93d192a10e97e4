/**
 * The client's side of TLS: opens connections to the endpoints of one upstream with its settings, always verifies who
 * is there, and says in a sentence what was wrong when that fails. Remembers one session for each endpoint, so that
 * the next connection is cheaper. Other settings, or another certificate of ours, are another object of this class.
 */
import { isIP, type OnReadOpts } from 'node:net';
import type { ConnectionOptions, PeerCertificate, SecureContext, TLSSocket } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { ProxyError } from '../base/error.ts';
import type { UpstreamTls } from '../config/snapshot.ts';
import type { Endpoint } from './endpoint.ts';
import { nodeTls } from './node-tls.ts';
import { hasAltName } from './tls-identity.ts';

/** What the endpoint's certificate fails with when it is for somebody else; Node's own code for that. */
const WRONG_NAME = 'ERR_TLS_CERT_ALTNAME_INVALID';

/** As many as an upstream may declare endpoints; each has about 2 KiB. */
const SESSIONS_MAX = 1000;

export class TlsClient {
  readonly settings: UpstreamTls;
  readonly #context: SecureContext;
  /** By endpoint. They hold for this context only, and only once the endpoint was verified. */
  readonly #sessions = new Map<string, Buffer>();

  constructor(settings: UpstreamTls) {
    const { ca, keyPair, minVersion } = settings;
    this.settings = settings;
    this.#context = nodeTls().createSecureContext({
      minVersion,
      ...(ca === null ? {} : { ca }),
      ...(keyPair === null ? {} : { cert: keyPair.certificate, key: keyPair.key }),
    });
  }

  /** Emits 'secureConnect' when it may be used, or 'error'. `onread` gets what is decrypted; null: 'data' does. */
  connect(endpoint: Endpoint, onread: OnReadOpts | null): TLSSocket {
    const { address } = endpoint;
    const name = this.#expectedName(endpoint);
    const session = this.#sessions.get(endpoint.id);
    // The types leave some of these out, which the documentation does not.
    const options: ConnectionOptions & { allowHalfOpen: boolean; noDelay: boolean; onread?: OnReadOpts } = {
      ...(endpoint.target as ConnectionOptions),
      // RFC 6066 section 3: names only.
      ...(name !== '' && isIP(name) === 0 ? { servername: name } : {}),
      ...(session === undefined ? {} : { session }),
      secureContext: this.#context,
      ALPNProtocols: ['http/1.1'],
      // Said, so that NODE_TLS_REJECT_UNAUTHORIZED cannot say otherwise.
      rejectUnauthorized: true,
      checkServerIdentity: (_host, certificate) => this.#check(name, certificate),
      allowHalfOpen: true,
      noDelay: address.kind === 'tcp',
      ...(onread === null ? {} : { onread }),
    };
    const socket = nodeTls().connect(options);
    socket.on('session', (fresh) => this.#remember(endpoint.id, fresh));
    return socket;
  }

  /**
   * The failure of a connection, if TLS is what failed. `isConnecting`: the handshake was not over on our side; from
   * TLS 1.3 on, a server refuses our certificate only after it.
   */
  failure(endpoint: Endpoint, error: NodeJS.ErrnoException, isConnecting: boolean): ProxyError | null {
    const sentence = isConnecting
      ? this.#sentence(endpoint, error)
      : REFUSALS.test(error.code ?? '')
        ? refused(error)
        : null;
    return sentence === null ? null : new ProxyError('upstream_tls_failed', sentence, { cause: error });
  }

  #expectedName({ name, address }: Endpoint): string {
    const declared = name === '' && address.kind === 'tcp' ? address.host : name.replace(/\.$/, '');
    return this.settings.serverName ?? declared;
  }

  #remember(endpoint: string, session: Buffer): void {
    // Addresses of names come and go: the oldest session is forgotten.
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size >= SESSIONS_MAX && oldest !== undefined) this.#sessions.delete(oldest);
    this.#sessions.set(endpoint, session);
  }

  #check(name: string, certificate: PeerCertificate): Error | undefined {
    const { subjectAltNames } = this.settings;
    if (subjectAltNames.length === 0) return nodeTls().checkServerIdentity(name, certificate);
    if (hasAltName(certificate.subjectaltname ?? '', subjectAltNames)) return undefined;
    return Object.assign(new Error('none of the expected names'), { code: WRONG_NAME });
  }

  /** Of an error before the handshake was over; null: there was no connection to make it on. */
  #sentence(endpoint: Endpoint, error: NodeJS.ErrnoException): string | null {
    const code = error.code ?? '';
    if (code === 'CERT_HAS_EXPIRED') return 'The certificate of the upstream has expired.';
    if (code === 'CERT_NOT_YET_VALID') return 'The certificate of the upstream is not valid yet.';
    if (code === WRONG_NAME)
      return `The certificate of the upstream is not for ${this.#expectation(endpoint)}.`;
    if (UNTRUSTED.has(code))
      return 'The certificate of the upstream is not signed by an authority that is trusted here.';
    if (code.includes('ALERT')) return refused(error);
    if (code.startsWith('ERR_SSL_WRONG_VERSION_NUMBER') || code.includes('PACKET_LENGTH'))
      return 'The upstream does not speak TLS on this port.';
    if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_'))
      return `The TLS handshake with the upstream failed: ${code}.`;
    const isOnConnection = error.syscall !== 'connect' && (code === 'ECONNRESET' || code === 'EPIPE');
    if (isOnConnection) return 'The upstream closed the connection during the TLS handshake.';
    return isVerification(code) ? `The certificate of the upstream was refused: ${code}.` : null;
  }

  #expectation(endpoint: Endpoint): string {
    const { subjectAltNames } = this.settings;
    return subjectAltNames.length === 0 ? this.#expectedName(endpoint) : subjectAltNames.join(' or ');
  }
}

/** `before`, if it has these settings, so that its connections and sessions can be kept; null for none. */
export function tlsClientFor(settings: UpstreamTls | null, before: TlsClient | null): TlsClient | null {
  if (settings === null) return null;
  return before !== null && isDeepStrictEqual(before.settings, settings) ? before : new TlsClient(settings);
}

/** Codes of OpenSSL's verification that mean: nobody we trust vouches for it. */
const UNTRUSTED: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_UNTRUSTED',
  'CERT_SIGNATURE_FAILURE',
  'INVALID_CA',
]);

/** Alerts about our certificate, which end a handshake and no exchange: the upstream has looked at nothing else. */
const REFUSALS =
  /ALERT_(CERTIFICATE|BAD_CERTIFICATE|NO_CERTIFICATE|UNKNOWN_CA|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED|HANDSHAKE_FAILURE|DECRYPT_ERROR)/;

/** Node's other codes of verification; those of the system begin with E. */
function isVerification(code: string): boolean {
  return /^[A-Z]+_[A-Z_]+$/.test(code) && !code.startsWith('ERR_');
}

/** OpenSSL's name of the alert, such as `certificate required`: fixed words. */
function refused(error: NodeJS.ErrnoException): string {
  const alert = /ALERT_([A-Z_]+)/
    .exec(error.code ?? '')?.[1]
    ?.toLowerCase()
    .replaceAll('_', ' ');
  return `The upstream refused the TLS handshake: ${alert ?? 'no reason given'}.`;
}
