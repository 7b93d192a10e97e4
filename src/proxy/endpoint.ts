/** One endpoint that can be connected: an address and a port, or a unix socket. Names are resolved before. */
import { isIP, type LookupFunction, type NetConnectOpts } from 'node:net';
import type { SocketAddress } from '../config/snapshot.ts';

/** RFC 8305 section 5: how long the address before gets before the next is tried. */
const ATTEMPT_DELAY_MS = 250;

export interface Endpoint {
  /** `address:port` or `unix:/path`; with `resolve: one`, as declared. Unique in its upstream. */
  readonly id: string;
  /** The host is an IP address. */
  readonly address: SocketAddress;
  /** The name it was declared with, which its certificate is for; '' for none. */
  readonly name: string;
  /** Of the same name, for connections that the address above does not answer soon. */
  readonly others: readonly string[];
  /** Share among the endpoints of its upstream: SRV records give it, and it is 1 for all others. */
  readonly weight: number;
  /** Those with a higher one are used when none with a lower one is well (RFC 2782); 0 where there are no SRV records. */
  readonly priority: number;
  /** What `net.connect` and `tls.connect` take. Made once: connections of an address are opened without any look-up. */
  readonly target: NetConnectOpts;
}

/** What an endpoint is made of. */
export interface EndpointParts {
  readonly id: string;
  readonly address: SocketAddress;
  readonly name?: string;
  readonly others?: readonly string[];
  readonly weight?: number;
  readonly priority?: number;
}

export function endpointOf(parts: EndpointParts): Endpoint {
  const { id, address, name = '', others = [], weight = 1, priority = 0 } = parts;
  return { id, address, name, others, weight, priority, target: targetOf(address, name, others) };
}

/** Whether a connection to one is as good as a connection to the other. */
export function isSameEndpoint(one: Endpoint, other: Endpoint): boolean {
  return (
    one.id === other.id &&
    one.name === other.name &&
    one.weight === other.weight &&
    one.priority === other.priority &&
    hostOf(one) === hostOf(other) &&
    one.others.length === other.others.length &&
    one.others.every((address, index) => address === other.others[index])
  );
}

function hostOf({ address }: Endpoint): string {
  return address.kind === 'tcp' ? address.host : address.path;
}

/**
 * With other addresses, Node tries them one after the other (its `autoSelectFamily`), and for that wants a name and
 * a function that looks it up: ours knows the answer.
 */
function targetOf(address: SocketAddress, name: string, others: readonly string[]): NetConnectOpts {
  if (address.kind === 'unix') return { path: address.path };
  const { host, port } = address;
  if (others.length === 0) return { host, port };
  const addresses = [host, ...others].map((text) => ({ address: text, family: isIP(text) }));
  const lookup: LookupFunction = (_name, _options, answer) => answer(null, addresses);
  return {
    host: name,
    port,
    lookup,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ATTEMPT_DELAY_MS,
  };
}
