/**
 * Who may ask and who may change. Reads are open to whoever reaches the listener (loopback by default) unless
 * `admin.readRole` says otherwise, changes need a bearer token with the role for it. A web page must reach neither: a Host that is a name other than localhost is refused,
 * since that is how DNS rebinding looks, and so is every Origin but our own.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { SHARED_TOKEN } from '../config/admin-access.ts';
import type { Role } from '../config/schema-audit.ts';
import type { AdminSettings } from '../config/snapshot.ts';
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

/** Whose token came with a request. */
export interface Principal {
  /** Two tokens of one name are one person. */
  readonly name: string;
  readonly role: Role;
}

/** By their token; null: nobody has it. All are compared, so that the time it takes tells nothing. */
export function principalWith(
  given: string,
  { token, tokens }: Pick<AdminSettings, 'token' | 'tokens'>,
): Principal | null {
  let found: Principal | null = null;
  for (const one of tokens) if (isSameToken(given, one.token)) found ??= { name: one.name, role: one.role };
  if (token !== null && isSameToken(given, token)) found ??= { name: SHARED_TOKEN, role: 'admin' };
  return found;
}

const principals = new WeakMap<FastifyRequest, Principal>();

/** Whose token it came with, from now on. */
export function identify(request: FastifyRequest, principal: Principal): void {
  principals.set(request, principal);
}

/** Null: it came without a token, or none was needed. */
export function principalOf(request: FastifyRequest): Principal | null {
  return principals.get(request) ?? null;
}

/** Longest name of a person that is believed. */
const ACTOR_MAX_CHARS = 80;

/**
 * Who makes the change, for the audit: `operator:alice`, whose token it is, or `token` for the one that is shared. What
 * the client says of itself (`x-fairlead-actor`, the CLI sends user@machine) is added, and proves nothing.
 */
export function actorOf(request: FastifyRequest): string {
  const claimed = request.headers['x-fairlead-actor'];
  const name = typeof claimed === 'string' ? claimed.replace(/[^\w.@+-]/g, '').slice(0, ACTOR_MAX_CHARS) : '';
  const principal = principalOf(request);
  if (principal === null || principal.name === SHARED_TOKEN)
    return name === '' ? SHARED_TOKEN : `${SHARED_TOKEN}:${name}`;
  const known = `${principal.role}:${principal.name}`;
  return name === '' ? known : `${known} (${name})`;
}
