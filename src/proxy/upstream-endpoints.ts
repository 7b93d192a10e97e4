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

/** A declared name. */
type Resolved =
  | { readonly kind: 'host'; readonly port: number; readonly watched: Watched<HostAddresses> }
  | { readonly kind: 'service'; readonly watched: Watched<readonly ServiceTarget[]> };

/** Something that is declared. */
interface Source {
  readonly id: string;
  /** Null: nothing is to be resolved. */
  readonly resolved: Resolved | null;
  /** What it stands for: of a service, the targets of all priorities. */
  all: readonly Endpoint[];
  /** Those of them that are in use. */
  list: readonly Endpoint[];
}

export class UpstreamEndpoints {
  /** In use: of services, the targets with the lowest priority that have an address, and one that is well. */
  list: readonly Endpoint[] = [];
  /** There is none, and names are being asked for that never had an answer yet. */
  isAsking: boolean;
  readonly #isOne: boolean;
  readonly #sources: readonly Source[];
  readonly #preferences = new Map<string, Preference>();
  /** A change is to be told. */
  #isDue = false;
  readonly #onChange: () => void;
  readonly #isHealthy: (endpoint: string) => boolean;

  /**
   * `onChange` is called when `list` or `all` is another one, or `isAsking` is over; never at once. `isHealthy` of the
   * id of an endpoint: as its health checks say.
   */
  constructor(
    upstream: Pick<Upstream, 'endpoints' | 'resolve'>,
    names: DnsNames,
    onChange: () => void,
    isHealthy: (endpoint: string) => boolean = () => true,
  ) {
    this.#isHealthy = isHealthy;
    this.#isOne = upstream.resolve === 'one';
    this.#onChange = onChange;
    this.#sources = upstream.endpoints.map((declared) => this.#source(declared, names));
    this.list = eachOnce(this.#sources.map(({ list }) => list));
    this.isAsking = this.#isAsking();
  }

  /** Those that may come to be used as well: what is to be checked. */
  get all(): Endpoint[] {
    return eachOnce(this.#sources.map(({ all }) => all));
  }

  /** Names that are declared, with what they stand for. */
  get names(): NameView[] {
    return this.#sources.flatMap(({ id, resolved, list }) =>
      resolved === null ? [] : [{ name: id, state: resolved.watched.name.state, endpoints: list.length }],
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
    for (const source of this.#sources) this.#renew(source);
    this.#flush();
  }

  /** `isHealthy` says something else: of a service, another priority may be in use. */
  heedHealth(): void {
    for (const source of this.#sources) if (source.resolved?.kind === 'service') this.#renew(source);
    this.#flush();
  }

  close(): void {
    this.#isDue = false;
    for (const { resolved } of this.#sources) resolved?.watched.close();
  }

  /** Connections need no answer of their own: the addresses are followed here. */
  #source({ id, address }: DeclaredEndpoint, names: DnsNames): Source {
    if (address.kind !== 'srv' && (address.kind === 'unix' || isIP(address.host) !== 0))
      return fixed(id, endpointOf({ id, address }));
    const look = (): void => this.#renew(source);
    const resolved: Resolved =
      address.kind === 'srv'
        ? { kind: 'service', watched: names.service(address.name, look) }
        : { kind: 'host', port: address.port, watched: names.host(address.host, look) };
    const source: Source = { id, resolved, all: [], list: [] };
    source.all = this.#find(source, resolved);
    source.list = this.#inUse(source.all);
    return source;
  }

  /** A name was answered. Where there are a thousand names, nearly every answer is that of before. */
  #renew(source: Source): void {
    if (source.resolved === null) return;
    const all = this.#find(source, source.resolved);
    const list = this.#inUse(all);
    if (isSameList(all, source.all) && isSameList(list, source.list) && !this.isAsking) return;
    source.all = all;
    source.list = list;
    if (!this.#isDue) setImmediate(this.#flush);
    this.#isDue = true;
  }

  /** What has changed in one turn of the event loop is one change: the first answers of a thousand names come together. */
  readonly #flush = (): void => {
    if (!this.#isDue) return;
    this.#isDue = false;
    const { list, isAsking } = this;
    this.list = eachOnce(this.#sources.map((source) => source.list));
    this.isAsking = this.#isAsking();
    const isWaitedFor = isAsking && this.isAsking && isSameList(list, this.list);
    if (!isWaitedFor) this.#onChange();
  };

  #inUse(all: readonly Endpoint[]): readonly Endpoint[] {
    const lowest = all[0]?.priority ?? 0;
    if (all.at(-1)?.priority === lowest) return all;
    const priority = all.find(({ id }) => this.#isHealthy(id))?.priority ?? lowest;
    return all.filter((endpoint) => endpoint.priority === priority);
  }

  #isAsking(): boolean {
    if (this.list.length > 0) return false;
    return this.#sources.some(({ resolved }) => resolved?.watched.name.state === 'asking');
  }

  /** What a name stands for now; the objects of endpoints that have not changed are those of before. */
  #find({ id, all }: Source, resolved: Resolved): Endpoint[] {
    const before = new Map(all.map((endpoint) => [endpoint.id, endpoint]));
    const { name } = resolved.watched;
    const found =
      resolved.kind === 'host'
        ? this.#resolved(
            resolved.watched.name.value,
            { id, name: name.text, port: resolved.port, weight: 1 },
            all,
          )
        : this.#targets(resolved.watched.name, all);
    return found.map((endpoint) => {
      const known = before.get(endpoint.id);
      return known !== undefined && isSameEndpoint(known, endpoint) ? known : endpoint;
    });
  }

  #targets(name: DnsName<readonly ServiceTarget[]>, before: readonly Endpoint[]): Endpoint[] {
    let found: Endpoint[] = [];
    // They are in the order of their priorities.
    for (const { host, port, weight, priority, addresses } of name.value ?? []) {
      const id = formatAddress({ kind: 'tcp', host, port });
      // What an attacker of DNS answers must not choose whose certificate is good (RFC 6125 section 1.8).
      const parts = { id, name: nameOf(name.text), port, weight: 1 };
      const own = this.#resolved(addresses, parts, before);
      // RFC 2782: 0 is a small chance beside others. The weight is that of the target, which may have several addresses.
      const share = Math.max(1, weight) / own.length;
      found = found.concat(own.map((endpoint) => ({ ...endpoint, weight: share, priority })));
    }
    return found;
  }

  #resolved(
    addresses: HostAddresses | null,
    { id, name, port, weight }: { id: string; name: string; port: number; weight: number },
    before: readonly Endpoint[],
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
    return bounded(first, port, before).map((host, at) => {
      const others = second.length === 0 ? [] : [second[at % second.length]!];
      return make(formatAddress({ kind: 'tcp', host, port }), host, others);
    });
  }

  #familyOf(name: string, { ipv4, ipv6 }: HostAddresses): 4 | 6 {
    if (ipv4.length === 0 || ipv6.length === 0) return ipv4.length === 0 ? 6 : 4;
    const known = this.#preferences.get(name) ?? { family: 6, losses: 0 };
    this.#preferences.set(name, known);
    return known.family;
  }
}

function fixed(id: string, endpoint: Endpoint): Source {
  return { id, resolved: null, all: [endpoint], list: [endpoint] };
}

function isSameList(one: readonly Endpoint[], other: readonly Endpoint[]): boolean {
  return one.length === other.length && one.every((endpoint, at) => endpoint === other[at]);
}

function eachOnce(lists: readonly (readonly Endpoint[])[]): Endpoint[] {
  const found = new Map<string, Endpoint>();
  for (const list of lists)
    for (const endpoint of list) if (!found.has(endpoint.id)) found.set(endpoint.id, endpoint);
  return [...found.values()];
}

/** Sorted, since DNS answers in another order each time. When there are too many, those in use stay. */
function bounded(hosts: readonly string[], port: number, before: readonly Endpoint[]): string[] {
  if (hosts.length <= ADDRESSES_MAX) return hosts.toSorted();
  const inUse = new Set(before.map(({ id }) => id));
  const isKnown = (host: string) => inUse.has(formatAddress({ kind: 'tcp', host, port }));
  const known = hosts.filter(isKnown);
  const fresh = hosts.filter((host) => !isKnown(host));
  return [...known, ...fresh].slice(0, ADDRESSES_MAX).toSorted();
}

/** `_http._tcp.app.local` -> `app.local`. */
function nameOf(service: string): string {
  return service
    .split('.')
    .filter((label) => !label.startsWith('_'))
    .join('.');
}
