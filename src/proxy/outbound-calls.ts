/**
 * The calls that the service makes on a route, as carriers of experiments: one that carries nothing itself is given what
 * the request carries that it belongs to (`propagation/memory.ts`), and each is counted by how it came by it.
 */
import type { Route } from '../config/snapshot.ts';
import { Field } from '../http1/field.ts';
import type { Head } from '../http1/head.ts';
import type { Carried } from '../propagation/header.ts';
import type { HostSet } from '../routing/host-set.ts';
import { hostName } from '../routing/match.ts';
import type { ContextHow, ContextMetrics } from '../telemetry/context-metrics.ts';
import type { Counter } from '../telemetry/metrics.ts';
import type { Contexts } from './context-memory.ts';

type HowCounters = Partial<Record<ContextHow, Counter>> & { readonly host: string };

export class OutboundCalls {
  readonly #route: Route;
  readonly #memory: Contexts;
  readonly #metrics: ContextMetrics;
  /** By host as the route names it; by its label where it names none. */
  readonly #counters = new Map<string, HowCounters>();

  /** Null: every host is one of ours. */
  readonly #internalHosts: HostSet | null;

  constructor(route: Route, memory: Contexts, metrics: ContextMetrics, internalHosts: HostSet | null) {
    this.#route = route;
    this.#memory = memory;
    this.#metrics = metrics;
    this.#internalHosts = internalHosts;
  }

  /**
   * What a call is given since it carries nothing; null for one that does, and when there is nothing to give. Counts
   * it, unless nobody could expect it to carry anything: it goes to a host that is not ours, it belongs to a request that
   * carries nothing, or no request has of late.
   */
  join(head: Head, carried: Carried | null, nowMs: number): Carried | null {
    if (this.#internalHosts !== null && !this.#internalHosts.has(head.host() ?? '')) return null;
    if (carried !== null && carried.members.length > 0) {
      this.#count(head, carried.isFromField ? 'header' : 'baggage');
      return null;
    }
    const traceparent = head.first(Field.traceparent) >= 0 ? head.header('traceparent')! : '';
    const requestId = head.first(Field.requestId) >= 0 ? head.header('x-request-id')! : '';
    const join = this.#memory.find(traceparent, requestId, nowMs);
    if (join.by === 'unknown') {
      if (this.#memory.hasCarried(nowMs)) this.#count(head, 'lost');
    } else if (join.by === 'ambiguous' || join.carried !== null) this.#count(head, join.by);
    return join.carried;
  }

  #count(head: Head, how: ContextHow): void {
    const counters = this.#countersFor(head);
    counters[how] ??= this.#metrics.calls(this.#route.name, counters.host, how);
    counters[how].value++;
  }

  /** There are never more of them than hosts that the route names or, where it names none, that have a label. */
  #countersFor(head: Head): HowCounters {
    const { hosts } = this.#route;
    if (hosts.length === 1) return this.#countersOf(hosts[0]!);
    const name = hostName(head.host() ?? '');
    if (hosts.length > 1) return this.#countersOf(patternOf(name, hosts));
    return this.#counters.get(name) ?? this.#countersOf(this.#metrics.hostLabel(name));
  }

  #countersOf(host: string): HowCounters {
    let counters = this.#counters.get(host);
    if (counters === undefined) {
      counters = { host };
      this.#counters.set(host, counters);
    }
    return counters;
  }
}

/** The host of the configuration that a call goes to. */
function patternOf(name: string, hosts: readonly string[]): string {
  if (hosts.includes(name)) return name;
  let longest = '';
  for (const host of hosts)
    if (host.length > longest.length && host.startsWith('*.') && name.endsWith(host.slice(1))) longest = host;
  return longest;
}
