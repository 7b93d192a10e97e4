/**
 * Socket addresses as people write them: `host:port`, `[::1]:port`, `unix:/path`, and of endpoints `srv:NAME`. Pure;
 * resolves nothing.
 */
import { isIP } from 'node:net';
import type { DeclaredEndpoint, SocketAddress } from './snapshot.ts';
import type { Parsed } from './units.ts';

export const ADDRESS_PATTERN = '^(unix:/.+|\\[[0-9A-Fa-f:.]+\\]:[0-9]+|[^:/\\s]+:[0-9]+)$';
export const ENDPOINT_PATTERN = ADDRESS_PATTERN.replace('^(', '^(srv:_[^\\s:/]+|');

/** The kernel's limit of `sun_path`, with the NUL that ends it. */
const UNIX_PATH_MAX_BYTES = 107;
const HOST_NAME =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})?)*\.?$/;

/**
 * @param use An endpoint needs a port that can be connected; a listener may ask for port 0, any free one.
 */
export function parseAddress(text: string, use: 'listen' | 'connect'): Parsed<SocketAddress> {
  if (text.startsWith('unix:')) return parseUnix(text);
  const scheme = /^([a-z]+):\/\//.exec(text);
  if (scheme)
    return problem(`${quote(text)} is a URL; write host:port without ${quote(scheme[0])} and without a path`);
  const match = /^(?:\[([^\]]*)\]|([^:]*)):([^:]*)$/.exec(text);
  if (!match) return problem(withoutPort(text));
  const [, bracketed, plain, portText = ''] = match;
  const host = bracketed ?? plain ?? '';
  if (bracketed !== undefined && isIP(bracketed) !== 6)
    return problem(`${quote(text)} holds no IPv6 address in [ ]`);
  if (host === '')
    return problem(
      `${quote(text)} has no host; write 0.0.0.0${text} for every interface or 127.0.0.1${text}`,
    );
  const looksLikeIpv4 = /^[0-9.]+$/.test(host);
  if (looksLikeIpv4 ? isIP(host) !== 4 : bracketed === undefined && !HOST_NAME.test(host)) {
    return problem(`${quote(text)} holds no valid host name or address before the port`);
  }
  const port = /^[0-9]{1,5}$/.test(portText) ? Number(portText) : Number.NaN;
  const portMin = use === 'listen' ? 0 : 1;
  if (!(port >= portMin && port <= 65_535))
    return problem(`${quote(text)} has no port from ${portMin} to 65535`);
  return { ok: true, value: { kind: 'tcp', host: host.toLowerCase(), port } };
}

/** An address to connect to, or `srv:_http._tcp.app.local`: wherever the SRV records of that name say. */
export function parseEndpoint(text: string): Parsed<DeclaredEndpoint> {
  if (text.startsWith('srv:')) return parseService(text);
  const result = parseAddress(text, 'connect');
  return result.ok ? { ok: true, value: { id: formatAddress(result.value), address: result.value } } : result;
}

function parseService(text: string): Parsed<DeclaredEndpoint> {
  const name = text.slice('srv:'.length).toLowerCase();
  if (HOST_NAME.test(name) && /^_[^.]+\._[^.]+\../.test(name))
    return { ok: true, value: { id: `srv:${name}`, address: { kind: 'srv', name } } };
  return problem(
    `${quote(text)} is not srv: and the name of a service, such as srv:_http._tcp.app.local; SRV records say the port`,
  );
}

/** The inverse of `parseAddress`. */
export function formatAddress(address: SocketAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

function parseUnix(text: string): Parsed<SocketAddress> {
  const path = text.slice('unix:'.length);
  if (!path.startsWith('/') || path.includes('\0')) {
    return problem(`${quote(text)} is not unix: and an absolute path, such as unix:/run/app.sock`);
  }
  if (Buffer.byteLength(path) > UNIX_PATH_MAX_BYTES) {
    return problem(`${quote(text)} is longer than the ${UNIX_PATH_MAX_BYTES} bytes a socket path may have`);
  }
  return { ok: true, value: { kind: 'unix', path } };
}

function withoutPort(text: string): string {
  if (isIP(text) === 6) return `${quote(text)} is an IPv6 address; write [${text}]:port`;
  if (text.startsWith('/')) return `${quote(text)} is a path; write unix:${text}`;
  if (/^[0-9]+$/.test(text)) return `${quote(text)} is a port alone; write 127.0.0.1:${text}`;
  return `${quote(text)} is not host:port or unix:/path`;
}

function problem(text: string): { ok: false; problem: string } {
  return { ok: false, problem: text };
}

function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}...` : text);
}
