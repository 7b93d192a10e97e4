/**
 * Who may ask and who may change. Reads are open to whoever reaches the listener (loopback by default), changes
 * need the bearer token. A web page must reach neither: a Host that is a name other than localhost is refused,
 * since that is how DNS rebinding looks, and so is every Origin but our own.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { AdminError } from './problem.ts';

/** Refuses requests that a page of another site could have made. @throws AdminError */
export function checkHostAndOrigin(request: FastifyRequest): void {
  const host = request.headers.host ?? '';
  if (!isOwnHost(host)) {
    throw new AdminError('host_forbidden', 'The Host is neither localhost nor an IP address.', {
      hint: 'ask by address, such as http://127.0.0.1:15100',
    });
  }
  const { origin } = request.headers;
  const isForeign = origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`;
  if (isForeign || request.headers['sec-fetch-site'] === 'cross-site') {
    throw new AdminError('origin_forbidden', 'The Origin is not this server.');
  }
}

/** An IP address cannot be rebound, and neither can localhost. An empty Host is a client on the unix socket. */
function isOwnHost(host: string): boolean {
  if (host === '') return true;
  const name = /^\[([^\]]*)\](?::\d+)?$/.exec(host)?.[1] ?? host.replace(/:\d*$/, '');
  return isIP(name) !== 0 || /^(?:[a-z0-9-]+\.)*localhost$/i.test(name);
}

/** Compares in a time that tells nothing about where the two differ, nor about their lengths. */
export function isSameToken(given: string, wanted: string): boolean {
  return timingSafeEqual(digest(given), digest(wanted));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Longest name of a person that is believed. */
const ACTOR_MAX_CHARS = 80;

/**
 * Who makes the change, for the audit. The token is shared, so the name is what the client says of itself
 * (`x-fairlead-actor`, the CLI sends user@machine); it is marked as such.
 */
export function actorOf(request: FastifyRequest): string {
  const claimed = request.headers['x-fairlead-actor'];
  const name = typeof claimed === 'string' ? claimed.replace(/[^\w.@+-]/g, '').slice(0, ACTOR_MAX_CHARS) : '';
  return name === '' ? 'token' : `token:${name}`;
}
