/**
 * Asks for the addresses of names: first `/etc/hosts`, then DNS with the search domains of `/etc/resolv.conf`, and
 * where neither knows a name, the system (`getaddrinfo`), which may have other sources but tells no time to live.
 * Never rejects and remembers nothing between two questions; what is done with an answer is `dns-name.ts`'s.
 */
import { type RecordWithTtl, Resolver, type SrvRecord } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { DnsSettings } from '../config/compile-dns.ts';
import type { DnsFiles } from './dns-files.ts';
import { Slots } from './slots.ts';

/** Questions to DNS servers at one time; the others wait. A resolver of a node is easily drowned. */
const QUESTIONS_MAX = 64;
/** Calls of `getaddrinfo` at one time. Each blocks one of the four threads that files are read with, for seconds. */
const SYSTEM_CALLS_MAX = 1;
/** RFC 8305 section 3: the other family is waited for this long, when nothing is known yet. */
const OTHER_FAMILY_MS = 50;
/** Tries of a question at each server. */
const TRIES = 2;
/** `/etc/hosts` is looked at again. */
const HOSTS_TTL_MS = 5000;
/** `getaddrinfo` tells none. */
const SYSTEM_TTL_MS = 30_000;
/** Targets of one service; those of the lowest priority first. */
const TARGETS_MAX = 256;

/** `failed`: nobody knows; `missing`: somebody who should know says that there is none. */
export type Answer<T> =
  | { readonly kind: 'found'; readonly value: T; readonly ttlMs: number }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly cause: string };

export interface HostAddresses {
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
  /** The name that was found: with a search domain, perhaps. */
  readonly fullName: string;
}

/** An SRV record with the addresses of its target. */
export interface ServiceTarget extends Pick<SrvRecord, 'port' | 'priority' | 'weight'> {
  readonly host: string;
  readonly addresses: HostAddresses;
}

type Records = Answer<readonly string[]>;

const MISSING = { kind: 'missing' } as const;

/** One per settings; `close` ends what is under way. */
export class DnsClient {
  readonly #settings: DnsSettings;
  readonly #files: DnsFiles;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #questions = new Slots(QUESTIONS_MAX);
  readonly #systemCalls = new Slots(SYSTEM_CALLS_MAX);
  #resolver: Resolver | null = null;
  #revision = -1;

  constructor(settings: DnsSettings, files: DnsFiles, clock: Pick<Clock, 'now'>) {
    this.#settings = settings;
    this.#files = files;
    this.#clock = clock;
  }

  /** What is known without asking anybody; null: nothing. */
  local(name: string): Answer<HostAddresses> | null {
    const found = this.#files.hosts(name, this.#clock.now());
    const answer = found === null ? MISSING : this.#sorted(found, name, HOSTS_TTL_MS);
    return answer.kind === 'found' ? answer : null;
  }

  /** The addresses of a host. Those in `before` stand in for a family that could not be asked for. */
  async host(name: string, before: HostAddresses | null): Promise<Answer<HostAddresses>> {
    const local = this.local(name);
    if (local !== null) return local;
    const isSystemAsked = this.#settings.servers.length === 0;
    const names = this.#files.candidates(name, this.#clock.now());
    // A name that was found with a search domain is asked for once, and not in vain in all the domains before it.
    if (before !== null && names.includes(before.fullName)) names.unshift(before.fullName);
    for (const fullName of names) {
      const answer = await this.#addresses(fullName, before);
      if (answer.kind === 'missing') continue;
      const isAlone = answer.kind === 'failed' && answer.cause === 'ECONNREFUSED' && isSystemAsked;
      return isAlone ? this.#system(name, answer) : answer;
    }
    return isSystemAsked ? this.#system(name, MISSING) : MISSING;
  }

  /**
   * The targets of a service with their addresses. Node tells no time to live of SRV records: it is that of the
   * target's address that has the shortest.
   */
  async service(
    name: string,
    before: readonly ServiceTarget[] | null,
  ): Promise<Answer<readonly ServiceTarget[]>> {
    for (const fullName of this.#files.candidates(name, this.#clock.now())) {
      const answer = await this.#ask<SrvRecord>((resolver, done) => resolver.resolveSrv(fullName, done));
      if (answer.kind === 'missing') continue;
      if (answer.kind === 'failed') return answer;
      // RFC 2782: a target of "." says that the service is decidedly not available.
      const records = answer.value.filter((record) => record.name !== '' && record.name !== '.');
      return records.length === 0 ? MISSING : this.#targets(records, before ?? []);
    }
    return MISSING;
  }

  close(): void {
    this.#resolver?.cancel();
  }

  async #targets(
    records: readonly SrvRecord[],
    before: readonly ServiceTarget[],
  ): Promise<Answer<readonly ServiceTarget[]>> {
    const wanted = records.toSorted((a, b) => a.priority - b.priority).slice(0, TARGETS_MAX);
    let ttlMs = Number.POSITIVE_INFINITY;
    let failure: Answer<never> = MISSING;
    const targets = await Promise.all(
      wanted.map(async ({ name, port, priority, weight }): Promise<ServiceTarget | null> => {
        const host = name.toLowerCase();
        const known = before.find((target) => target.host === host)?.addresses ?? null;
        const answer = this.local(host) ?? (await this.#addresses(host, known));
        if (answer.kind === 'failed') failure = answer;
        else if (answer.kind === 'found') ttlMs = Math.min(ttlMs, answer.ttlMs);
        const addresses =
          answer.kind === 'found' ? answer.value : answer.kind === 'failed' && known !== null ? known : null;
        return addresses === null ? null : { host, port, priority, weight, addresses };
      }),
    );
    const value = targets.filter((target) => target !== null);
    return ttlMs === Number.POSITIVE_INFINITY ? failure : { kind: 'found', value, ttlMs };
  }

  async #addresses(fullName: string, before: HostAddresses | null): Promise<Answer<HostAddresses>> {
    const { family } = this.#settings;
    const first: Promise<Records> =
      family === 'ipv6'
        ? Promise.resolve(MISSING)
        : this.#askAddresses((resolver, done) => resolver.resolve4(fullName, { ttl: true }, done));
    const second: Promise<Records> =
      family === 'ipv4'
        ? Promise.resolve(MISSING)
        : this.#askAddresses((resolver, done) => resolver.resolve6(fullName, { ttl: true }, done));
    const [ipv4, ipv6] = before === null ? await soon(first, second) : await Promise.all([first, second]);
    if (ipv4.kind !== 'found' && ipv6.kind !== 'found') return ipv4.kind === 'failed' ? ipv4 : ipv6;
    const ttlMs = Math.min(
      ...[ipv4, ipv6].map((answer) => (answer.kind === 'found' ? answer.ttlMs : Number.POSITIVE_INFINITY)),
    );
    const value = {
      ipv4: listOf(ipv4, before?.ipv4),
      ipv6: listOf(ipv6, before?.ipv6),
      fullName,
    };
    return { kind: 'found', value, ttlMs };
  }

  async #askAddresses(
    ask: (resolver: Resolver, done: (error: Error | null, records: RecordWithTtl[]) => void) => void,
  ): Promise<Records> {
    const answer = await this.#ask(ask);
    if (answer.kind !== 'found') return answer;
    const value = [...new Set(answer.value.map(({ address }) => address))].filter(isSomebody);
    if (value.length === 0) return MISSING;
    return { kind: 'found', value, ttlMs: 1000 * Math.min(...answer.value.map(({ ttl }) => ttl)) };
  }

  async #ask<T>(
    ask: (resolver: Resolver, done: (error: Error | null, records: T[]) => void) => void,
  ): Promise<Answer<readonly T[]>> {
    await this.#questions.take();
    try {
      return await new Promise((resolve) => {
        // The tries of c-ares come to about this as well; it may wait longer for a server that it has given up before.
        const timer = setTimeout(
          () => resolve({ kind: 'failed', cause: 'ETIMEOUT' }),
          this.#settings.timeoutMs,
        );
        ask(this.#current(), (error: NodeJS.ErrnoException | null, value) => {
          clearTimeout(timer);
          resolve(error === null ? { kind: 'found', value, ttlMs: 0 } : failureOf(error));
        });
      });
    } catch (error) {
      return failureOf(error as NodeJS.ErrnoException);
    } finally {
      this.#questions.give();
    }
  }

  /** Another source may know the name; when none does, it is what DNS said: `otherwise`. */
  async #system(name: string, otherwise: Answer<HostAddresses>): Promise<Answer<HostAddresses>> {
    await this.#systemCalls.take();
    try {
      const found = await lookup(name, { all: true, order: 'verbatim' });
      return this.#sorted(
        found.map(({ address }) => address),
        name,
        SYSTEM_TTL_MS,
      );
    } catch {
      return otherwise;
    } finally {
      this.#systemCalls.give();
    }
  }

  #sorted(addresses: readonly string[], fullName: string, ttlMs: number): Answer<HostAddresses> {
    const { family } = this.#settings;
    const usable = [...new Set(addresses)].filter(isSomebody);
    const of = (version: number) => usable.filter((address) => isIP(address) === version);
    const value = { ipv4: family === 'ipv6' ? [] : of(4), ipv6: family === 'ipv4' ? [] : of(6), fullName };
    return value.ipv4.length + value.ipv6.length === 0 ? MISSING : { kind: 'found', value, ttlMs };
  }

  /** Servers of the system are read once by c-ares, so another `/etc/resolv.conf` is another resolver. */
  #current(): Resolver {
    const { servers, timeoutMs } = this.#settings;
    const revision = servers.length > 0 ? 0 : this.#files.revision(this.#clock.now());
    if (this.#resolver !== null && revision === this.#revision) return this.#resolver;
    const count = servers.length > 0 ? servers.length : Math.max(1, new Resolver().getServers().length);
    const timeout = Math.max(TRY_MIN_MS, Math.floor(timeoutMs / (TRIES * count)));
    const resolver = new Resolver({ timeout, tries: TRIES });
    if (servers.length > 0) resolver.setServers(servers);
    this.#resolver = resolver;
    this.#revision = revision;
    return resolver;
  }
}

/** Resolvers that block names answer so; connected, it would be this machine. */
function isSomebody(address: string): boolean {
  return address !== '0.0.0.0' && address !== '::';
}

/** Shorter, and a server in another zone is given up before it could answer. */
const TRY_MIN_MS = 100;

/** Both answers, or the first that has an address with what there is of the other a moment later. */
async function soon(first: Promise<Records>, second: Promise<Records>): Promise<[Records, Records]> {
  const late: Records = { kind: 'failed', cause: 'late' };
  const found: [Records, Records] = [late, late];
  let timer: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve) => {
    let open = 2;
    const take = (at: 0 | 1, records: Records): void => {
      found[at] = records;
      open--;
      if (open === 0) resolve();
      else if (records.kind === 'found') timer = setTimeout(resolve, OTHER_FAMILY_MS);
    };
    void first.then((records) => take(0, records));
    void second.then((records) => take(1, records));
  });
  clearTimeout(timer);
  return [found[0], found[1]];
}

function listOf(records: Records, before: readonly string[] | undefined): readonly string[] {
  if (records.kind === 'found') return records.value;
  return records.kind === 'failed' ? (before ?? []) : [];
}

/** ENOTFOUND: there is no such name (NXDOMAIN); ENODATA: it has no such record. */
function failureOf({ code = '' }: NodeJS.ErrnoException): Answer<never> {
  return code === 'ENOTFOUND' || code === 'ENODATA' ? MISSING : { kind: 'failed', cause: code || 'unknown' };
}
