/** All names that are kept resolved, each once however many upstreams have it. */
import type { Clock, Random } from '../base/clock.ts';
import type { DnsSettings } from '../config/compile-dns.ts';
import type { HealthMetrics } from '../telemetry/health-metrics.ts';
import type { Log } from '../telemetry/log.ts';
import type { Deadlines } from './deadlines.ts';
import { type Answer, DnsClient, type HostAddresses, type ServiceTarget } from './dns-client.ts';
import { DnsFiles } from './dns-files.ts';
import { DnsName, type NameState } from './dns-name.ts';
import { Seldom } from './seldom.ts';

export interface NamesOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Random;
  /** Whose sweeps ask again. */
  readonly deadlines: Deadlines;
  readonly log: Log;
  readonly metrics: HealthMetrics;
  /** `/etc/hosts` and `/etc/resolv.conf` unless given. */
  readonly files?: DnsFiles;
}

/** A name that somebody uses. */
export interface Watched<T> {
  readonly name: DnsName<T>;
  /** It is used no more. */
  close(): void;
}

interface Entry<T> {
  readonly name: DnsName<T>;
  readonly listeners: Set<() => void>;
}

export class DnsNames {
  readonly #options: NamesOptions;
  readonly #files: DnsFiles;
  readonly #hosts = new Map<string, Entry<HostAddresses>>();
  readonly #services = new Map<string, Entry<readonly ServiceTarget[]>>();
  readonly #seldom: Record<'lost' | 'found', Seldom> = { lost: new Seldom(), found: new Seldom() };
  #settings: DnsSettings;
  #client: DnsClient;

  constructor(settings: DnsSettings, options: NamesOptions) {
    this.#options = options;
    this.#files = options.files ?? new DnsFiles();
    this.#settings = settings;
    this.#client = new DnsClient(settings, this.#files, options.clock);
  }

  /** Other settings: every name is asked for again, and what is known stays in use until there is an answer. */
  adopt(settings: DnsSettings): void {
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return;
    this.#settings = settings;
    this.#client.close();
    this.#client = new DnsClient(settings, this.#files, this.#options.clock);
    for (const { name } of [...this.#hosts.values(), ...this.#services.values()]) name.ask();
  }

  /** `onChange` is called, never at once, when there may be other addresses. */
  host(text: string, onChange: () => void): Watched<HostAddresses> {
    return this.#watch(this.#hosts, text, onChange, (before) => this.#client.host(text, before));
  }

  service(text: string, onChange: () => void): Watched<readonly ServiceTarget[]> {
    return this.#watch(this.#services, text, onChange, (before) => this.#client.service(text, before));
  }

  /** Nothing is asked any more. */
  close(): void {
    for (const { name } of [...this.#hosts.values(), ...this.#services.values()])
      this.#options.deadlines.remove(name);
    this.#hosts.clear();
    this.#services.clear();
    this.#client.close();
  }

  #watch<T>(
    entries: Map<string, Entry<T>>,
    text: string,
    onChange: () => void,
    ask: (before: T | null) => Promise<Answer<T>>,
  ): Watched<T> {
    const entry = entries.get(text) ?? this.#begin(entries, text, ask);
    entry.listeners.add(onChange);
    const close = () => {
      entry.listeners.delete(onChange);
      if (entry.listeners.size > 0 || entries.get(text) !== entry) return;
      entries.delete(text);
      this.#options.deadlines.remove(entry.name);
    };
    return { name: entry.name, close };
  }

  #begin<T>(
    entries: Map<string, Entry<T>>,
    text: string,
    ask: (before: T | null) => Promise<Answer<T>>,
  ): Entry<T> {
    const { clock, random, deadlines, metrics } = this.#options;
    const names = this;
    const name: DnsName<T> = new DnsName<T>(text, {
      async ask(before) {
        const answer = await ask(before);
        metrics.dnsAnswers(answer.kind).value++;
        return answer;
      },
      get limits() {
        return names.#settings;
      },
      random,
      now: () => clock.now(),
      changed: (before, cause) => {
        this.#tell(name, before, cause);
        for (const listener of entry.listeners) listener();
      },
    });
    const entry: Entry<T> = { name, listeners: new Set() };
    entries.set(text, entry);
    deadlines.add(name);
    // What `/etc/hosts` has is there before the first request.
    const local = entries === (this.#hosts as unknown) ? this.#client.local(text) : null;
    if (local === null) name.ask();
    else name.take(local as Answer<T>);
    return entry;
  }

  /** When DNS is out, all names are: one line in a while tells of one and says how many there were. */
  #tell({ text, state }: DnsName<unknown>, before: NameState, cause: string): void {
    if (state === before || (state === 'known' && before === 'asking')) return;
    const seldom = this.#seldom[state === 'known' ? 'found' : 'lost'];
    const count = seldom.count(this.#options.clock.now());
    if (count === 0) return;
    const facts = { name: text, state, count, ...(cause === '' ? {} : { cause }) };
    if (state === 'known') this.#options.log.info(facts, `the name ${text} is resolved again`);
    else this.#options.log.warn(facts, sentenceOf(text, state, cause, this.#settings.keepMissingMs));
  }
}

function sentenceOf(name: string, state: NameState, cause: string, keepMissingMs: number): string {
  if (state === 'missing') return `the name ${name} does not exist: there is nobody to send its requests to`;
  if (state === 'failed') return `the name ${name} cannot be resolved: ${cause}`;
  return cause === ''
    ? `the name ${name} does not exist any more: its last addresses stay in use for ${keepMissingMs} ms`
    : `the name ${name} cannot be resolved now: ${cause}; its last addresses stay in use`;
}
