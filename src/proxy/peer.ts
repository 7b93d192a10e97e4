/** Who is at the other end of an accepted connection, as far as it is known before a request is read. */
import type { Socket } from 'node:net';
import type { Client } from '../routing/attributes.ts';

export interface Peer {
  /** IP address; `unknown` for a unix socket. */
  readonly address: string;
  readonly scheme: 'http' | 'https';
  /** What the client's verified certificate says it is: its SPIFFE URI, else its common name; null without one. */
  readonly identity: string | null;
}

/** RFC 7239's word for a peer without an address, such as one on a unix socket. */
export const UNKNOWN_ADDRESS = 'unknown';

/** The peer of a plain socket. */
export function peerOf(socket: Socket): Peer {
  const address = socket.remoteAddress ?? UNKNOWN_ADDRESS;
  return {
    address: address.startsWith('::ffff:') ? address.slice(7) : address,
    scheme: 'http',
    identity: null,
  };
}

/** The peer as assignment sees it. */
export function clientOf({ identity, address }: Peer): Client {
  return { identity, address: address === UNKNOWN_ADDRESS ? null : address };
}
