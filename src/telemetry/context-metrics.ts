/**
 * The numbers of what requests carry: how the calls that a service makes came by it, what was malformed, and what the
 * memory of contexts did.
 */
import type { Registry } from '@prometheus-io/client';
import { registerCounters } from './counter-family.ts';
import { registerFamily } from './exposition.ts';
import { type LabelBudget, LabelSets } from './label-sets.ts';
import { Counter } from './series.ts';

/** How a call came by what it carries: its own fields, one of its ids; or that it did not. */
export type ContextHow = 'header' | 'baggage' | 'traceparent' | 'request_id' | 'ambiguous' | 'lost';

/** Fields that can be malformed. */
export type ContextField = 'experiment' | 'baggage' | 'traceparent' | 'tracestate';

/** Names of hosts that calls are counted by where no route names them, of a process; all further ones are OTHER_HOSTS. */
export const HOSTS_MAX = 64;
export const OTHER_HOSTS = 'other';
const HOST_CHARS_MAX = 253;
const HOST = /^(?:(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}|\[[0-9a-f:.]+\])$/;

/** What a memory did since the start, by name, and how much it holds. */
export interface MemorySample {
  readonly events: Readonly<Record<string, number>>;
  readonly ids: number;
  readonly bytes: number;
}

export class ContextMetrics {
  readonly #calls: LabelSets<Counter>;
  readonly #malformed: LabelSets<Counter>;
  readonly #hosts = new Set<string>();
  #memory: () => MemorySample | null = () => null;

  constructor(budget: LabelBudget) {
    const counter = (...names: string[]) => new LabelSets(names, budget, () => new Counter());
    this.#calls = counter('direction', 'route', 'host', 'how');
    this.#malformed = counter('field');
  }

  /**
   * What a host that no route names is counted as: its name, as one of the first HOSTS_MAX since the start, however often
   * the rules change. '' is ''.
   * @param name lower case, without port
   */
  hostLabel(name: string): string {
    if (name === '' || this.#hosts.has(name)) return name;
    if (this.#hosts.size >= HOSTS_MAX || name.length > HOST_CHARS_MAX || !HOST.test(name)) return OTHER_HOSTS;
    this.#hosts.add(name);
    return name;
  }

  /** Calls of the service, by the host of the configuration that they go to, or its `hostLabel`. Look it up once. */
  calls(route: string, host: string, how: ContextHow): Counter {
    return this.#calls.get('outbound', route, host, how);
  }

  /** Requests with a field that was left out, or parts of it. Look it up once. */
  malformed(field: ContextField): Counter {
    return this.#malformed.get(field);
  }

  /** Where the memory is read at each scrape; null: there is none. */
  setMemorySource(source: () => MemorySample | null): void {
    this.#memory = source;
  }

  register(registry: Registry): void {
    registerCounters(
      registry,
      this.#calls,
      'fairlead_context_total',
      'Calls of the service, by how they came by the experiments that they carry. lost: they should carry some.',
    );
    registerCounters(
      registry,
      this.#malformed,
      'fairlead_context_malformed_total',
      'Requests with a malformed field, which was left out whole or in part.',
    );
    registerFamily(registry, {
      name: 'fairlead_context_memory_events_total',
      type: 'counter',
      help: 'What the memory did that joins calls to requests by their ids.',
      read: () =>
        Object.entries(this.#memory()?.events ?? {}).map(([event, value]) => ({ labels: { event }, value })),
    });
    const gauge = (name: string, help: string, read: (sample: MemorySample) => number) =>
      registerFamily(registry, {
        name,
        help,
        type: 'gauge',
        read: () => {
          const sample = this.#memory();
          return sample === null ? [] : [{ labels: {}, value: read(sample) }];
        },
      });
    gauge('fairlead_context_memory_ids', 'Ids that the memory holds.', (sample) => sample.ids);
    gauge('fairlead_context_memory_bytes', 'What they take, with their texts.', (sample) => sample.bytes);
  }
}
