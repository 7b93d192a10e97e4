/**
 * The endpoints of one upstream now: what it declares, with every name replaced by the addresses that it has.
 *
 * Of a name with IPv4 and IPv6 addresses one family is in use, IPv6 first: a host that has both is one endpoint and
 * not two. A connection that is not made soon is made with the other family (RFC 8305), and the family that the last
 * connections were made with stays in use.
 */
import { isIP } from 'node:net';
import { formatAddress } from '../config/address.ts';
import type { DeclaredEndpoint, Upstream } from '../config/snapshot.ts';
import type { HostAddresses, ServiceTarget } from './dns-client.ts';
import type { DnsName, NameState } from './dns-name.ts';
import type { DnsNames, Watched } from './dns-names.ts';
import { type Endpoint, endpointOf, isSameEndpoint } from './endpoint.ts';

/** Endpoints of one name; more are left out. */
const ADDRESSES_MAX = 1000;
/** Other addresses that one connection may try. */
const OTHERS_MAX = 7;
/** Connections in a row that the other family made, until it is the one that is tried first. */
const LOSSES_MAX = 3;

/** A declared name as people see it. */
export interface NameView {
  readonly name: string;
  readonly state: NameState;
  readonly endpoints: number;
}

/** Which family a host is connected by. */
interface Preference {
  family: 4 | 6;
  losses: number;
}

type Source =
  | { readonly kind: 'fixed'; readonly endpoint: Endpoint }
  | {
      readonly kind: 'host';
      readonly id: string;
      readonly host: string;
      readonly port: number;
      readonly watched: Watched<HostAddresses>;
    }
  | {
      readonly kind: 'service';
      readonly id: string;
      readonly service: string;
      readonly watched: Watched<readonly ServiceTarget[]>;
    };

export class UpstreamEndpoints {
  /** In use: of services, the targets with the lowest priority that have an address. */
  list: readonly Endpoint[] = [];
  /** There is none, and names are being asked for that never had an answer yet. */
  isAsking: boolean;
  readonly #isOne: boolean;
  readonly #sources: readonly Source[];
  readonly #preferences = new Map<string, Preference>();
  readonly #onChange: () => void;

  /** `onChange` is called when `list` is another one, or `isAsking` is over; never at once. */
  constructor(upstream: Pick<Upstream, 'endpoints' | 'resolve'>, names: DnsNames, onChange: () => void) {
    this.#isOne = upstream.resolve === 'one';
    this.#onChange = onChange;
    this.#sources = upstream.endpoints.map((declared) => sourceOf(declared, names, this.#renew));
    this.list = this.#find();
    this.isAsking = this.#isAsking();
  }

  /** Names that are declared, with what they stand for. */
  get names(): NameView[] {
    return this.#sources.flatMap((source) =>
      source.kind === 'fixed'
        ? []
        : [{ name: source.id, state: source.watched.name.state, endpoints: this.#of(source).length }],
    );
  }

  /** A connection to `endpoint` was made with `host`, one of its addresses. */
  connected(endpoint: Endpoint, host: string): void {
    const { address, name } = endpoint;
    const preference = this.#preferences.get(name);
    if (address.kind !== 'tcp' || preference === undefined) return;
    const family = isIP(host) === 4 ? 4 : 6;
    preference.losses = family === preference.family ? 0 : preference.losses + 1;
    if (preference.losses < LOSSES_MAX) return;
    preference.family = family;
    preference.losses = 0;
    this.#renew();
  }

  close(): void {
    for (const source of this.#sources) if (source.kind !== 'fixed') source.watched.close();
  }

  readonly #renew = (): void => {
    const found = this.#find();
    const isSame =
      found.length === this.list.length && found.every((endpoint, at) => endpoint === this.list[at]);
    const wasAsking = this.isAsking;
    this.list = found;
    this.isAsking = this.#isAsking();
    if (isSame && this.isAsking === wasAsking) return;
    this.#onChange();
  };

  #isAsking(): boolean {
    if (this.list.length > 0) return false;
    return this.#sources.some((source) => source.kind !== 'fixed' && source.watched.name.state === 'asking');
  }

  /** Each endpoint once; the objects of those that have not changed are the same as before. */
  #find(): Endpoint[] {
    const before = new Map(this.list.map((endpoint) => [endpoint.id, endpoint]));
    const found = new Map<string, Endpoint>();
    for (const source of this.#sources) {
      for (const endpoint of this.#of(source)) {
        const known = before.get(endpoint.id);
        const kept = known !== undefined && isSameEndpoint(known, endpoint) ? known : endpoint;
        if (!found.has(endpoint.id)) found.set(endpoint.id, kept);
      }
    }
    return [...found.values()];
  }

  #of(source: Source): Endpoint[] {
    if (source.kind === 'fixed') return [source.endpoint];
    if (source.kind === 'host') {
      const { id, host, port, watched } = source;
      return this.#resolved(watched.name.value, { id, name: host, port, weight: 1 });
    }
    return this.#targets(source.watched.name, source.service);
  }

  #targets(name: DnsName<readonly ServiceTarget[]>, service: string): Endpoint[] {
    let found: Endpoint[] = [];
    let priority = -1;
    for (const target of name.value ?? []) {
      // They are in the order of their priorities (RFC 2782).
      if (found.length > 0 && target.priority > priority) break;
      priority = target.priority;
      const { host, port, weight } = target;
      const id = formatAddress({ kind: 'tcp', host, port });
      // What an attacker of DNS answers must not choose whose certificate is good (RFC 6125 section 1.8).
      const parts = { id, name: nameOf(service), port, weight: 1 };
      const own = this.#resolved(target.addresses, parts);
      // RFC 2782: 0 is a small chance beside others. The weight is that of the target, which may have several addresses.
      const share = Math.max(1, weight) / own.length;
      found = found.concat(own.map((endpoint) => ({ ...endpoint, weight: share })));
    }
    return found;
  }

  #resolved(
    addresses: HostAddresses | null,
    { id, name, port, weight }: { id: string; name: string; port: number; weight: number },
  ): Endpoint[] {
    if (addresses === null) return [];
    const { ipv4, ipv6 } = addresses;
    const isFirst6 = ipv4.length === 0 || (ipv6.length > 0 && this.#familyOf(name, addresses) === 6);
    const [first, second] = isFirst6 ? [ipv6, ipv4] : [ipv4, ipv6];
    const make = (own: string, host: string, others: readonly string[]) =>
      endpointOf({ id: own, address: { kind: 'tcp', host, port }, name, others, weight });
    if (this.#isOne) {
      const all = first.flatMap((host, at) => (at < second.length ? [host, second[at]!] : [host]));
      const rest = [...all, ...second.slice(first.length)].slice(1, 1 + OTHERS_MAX);
      return first.length === 0 ? [] : [make(id, first[0]!, rest)];
    }
    return this.#bounded(first, port).map((host, at) => {
      const others = second.length === 0 ? [] : [second[at % second.length]!];
      return make(formatAddress({ kind: 'tcp', host, port }), host, others);
    });
  }

  /** Sorted, since DNS answers in another order each time. When there are too many, those in use stay. */
  #bounded(hosts: readonly string[], port: number): string[] {
    if (hosts.length <= ADDRESSES_MAX) return hosts.toSorted();
    const inUse = new Set(this.list.map(({ id }) => id));
    const isKnown = (host: string) => inUse.has(formatAddress({ kind: 'tcp', host, port }));
    const known = hosts.filter(isKnown);
    const fresh = hosts.filter((host) => !isKnown(host));
    return [...known, ...fresh].slice(0, ADDRESSES_MAX).toSorted();
  }

  #familyOf(name: string, { ipv4, ipv6 }: HostAddresses): 4 | 6 {
    if (ipv4.length === 0 || ipv6.length === 0) return ipv4.length === 0 ? 6 : 4;
    const known = this.#preferences.get(name) ?? { family: 6, losses: 0 };
    this.#preferences.set(name, known);
    return known.family;
  }
}

/** A connection by name needs no answer of its own: the addresses are followed here. */
function sourceOf(declared: DeclaredEndpoint, names: DnsNames, onChange: () => void): Source {
  const { id, address } = declared;
  if (address.kind === 'srv')
    return { kind: 'service', id, service: address.name, watched: names.service(address.name, onChange) };
  if (address.kind === 'unix' || isIP(address.host) !== 0)
    return { kind: 'fixed', endpoint: endpointOf({ id, address }) };
  const { host, port } = address;
  return { kind: 'host', id, host, port, watched: names.host(host, onChange) };
}

/** `_http._tcp.app.local` -> `app.local`. */
function nameOf(service: string): string {
  return service
    .split('.')
    .filter((label) => !label.startsWith('_'))
    .join('.');
}
