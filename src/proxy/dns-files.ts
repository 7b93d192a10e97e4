/**
 * What this machine knows of names by itself: `/etc/hosts`, and where to look for short names, of `/etc/resolv.conf`.
 * Both are read when they have changed, which is looked at once a second at most.
 */
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';

const HOSTS_FILE = '/etc/hosts';
const RESOLV_FILE = '/etc/resolv.conf';
const LOOK_MS = 1000;
/** Lists of blocked hosts have a few MiB; nobody writes more by hand, and it is read at once. */
const FILE_MAX_BYTES = 8 * 1024 * 1024;
/** Of glibc since 2.26; before, and elsewhere, 6. */
const SEARCH_MAX = 16;
const NDOTS_MAX = 15;

/** Domains that short names are looked for in. */
export interface Search {
  readonly domains: readonly string[];
  /** A name with as many dots is first taken as it is. */
  readonly ndots: number;
}

/** Addresses by lower-case name, in the order of the lines. */
export function parseHosts(text: string): ReadonlyMap<string, readonly string[]> {
  const hosts = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/s, '').trim().split(/\s+/);
    if (isIP(address) === 0) continue;
    for (const name of names) {
      const key = name.toLowerCase();
      const known = hosts.get(key);
      if (known === undefined) hosts.set(key, [address]);
      else if (!known.includes(address)) known.push(address);
    }
  }
  return hosts;
}

/** `search`, or `domain`, whichever is last, and `options ndots:N`. */
export function parseSearch(text: string): Search {
  let domains: string[] = [];
  let ndots = 1;
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*/s, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'search') domains = values.slice(0, SEARCH_MAX);
    if (keyword === 'domain') domains = values.slice(0, 1);
    if (keyword !== 'options') continue;
    for (const value of values) {
      const dots = /^ndots:([0-9]{1,4})$/.exec(value)?.[1];
      if (dots !== undefined) ndots = Math.min(Number(dots), NDOTS_MAX);
    }
  }
  return { domains: domains.map((domain) => domain.replace(/\.$/, '')).filter(Boolean), ndots };
}

/** The full names that a name may stand for, the first that exists is it. A dot at the end says that it is full. */
export function candidates(name: string, { domains, ndots }: Search): string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const dots = name.split('.').length - 1;
  const searched = domains.map((domain) => `${name}.${domain}`);
  return dots >= ndots ? [name, ...searched] : [...searched, name];
}

export class DnsFiles {
  readonly #hosts: CachedFile<ReadonlyMap<string, readonly string[]>>;
  readonly #search: CachedFile<Search>;

  constructor(hostsFile = HOSTS_FILE, resolvFile = RESOLV_FILE) {
    this.#hosts = new CachedFile(hostsFile, parseHosts);
    this.#search = new CachedFile(resolvFile, parseSearch);
  }

  /** What `/etc/hosts` says of a name; null: nothing. `localhost` is here always (RFC 6761 section 6.3). */
  hosts(name: string, nowMs: number): readonly string[] | null {
    const plain = name.toLowerCase().replace(/\.$/, '');
    const known = this.#hosts.read(nowMs).get(plain);
    if (known !== undefined) return known;
    return plain === 'localhost' || plain.endsWith('.localhost') ? ['127.0.0.1', '::1'] : null;
  }

  candidates(name: string, nowMs: number): string[] {
    return candidates(name, this.#search.read(nowMs));
  }

  /** Another number each time that `/etc/resolv.conf` was read anew. */
  revision(nowMs: number): number {
    this.#search.read(nowMs);
    return this.#search.revision;
  }
}

/** A file that may change or be missing, parsed. */
class CachedFile<T> {
  revision = 0;
  readonly #path: string;
  readonly #parse: (text: string) => T;
  #value: T;
  #stamp = '';
  #nextLookMs = Number.NEGATIVE_INFINITY;

  constructor(path: string, parse: (text: string) => T) {
    this.#path = path;
    this.#parse = parse;
    this.#value = parse('');
  }

  read(nowMs: number): T {
    if (nowMs < this.#nextLookMs) return this.#value;
    this.#nextLookMs = nowMs + LOOK_MS;
    try {
      this.#look();
    } catch {
      // Being written, or not readable any more: what was read before is the best there is.
    }
    return this.#value;
  }

  #look(): void {
    const stats = statSync(this.#path, { throwIfNoEntry: false });
    const stamp = stats === undefined ? 'none' : `${stats.ino} ${stats.mtimeMs} ${stats.size}`;
    if (stamp === this.#stamp) return;
    const isReadable = stats !== undefined && stats.size <= FILE_MAX_BYTES;
    this.#value = this.#parse(isReadable ? readFileSync(this.#path, 'utf8') : '');
    this.#stamp = stamp;
    this.revision++;
  }
}
