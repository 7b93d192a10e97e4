/**
 * Health checks where no traffic is carried: with `workers: N` the primary makes them for all, and says who is not
 * well. Of upstreams that are not checked it knows nothing.
 */
import type { Clock, Random } from '../base/clock.ts';
import type { Snapshot, Upstream } from '../config/snapshot.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { Deadlines, eachTick } from './deadlines.ts';
import { DnsNames } from './dns-names.ts';
import { HealthChecks } from './health-checks.ts';
import { type TlsClient, tlsClientFor } from './tls-client.ts';
import { UpstreamEndpoints } from './upstream-endpoints.ts';

export interface EndpointWatchOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** As of `HealthChecks`. */
  readonly onChange: (unhealthy: ReadonlySet<string>) => void;
}

interface Checked {
  readonly upstream: Upstream;
  readonly endpoints: UpstreamEndpoints;
  readonly tls: TlsClient | null;
}

export class EndpointWatch {
  readonly #deadlines: Deadlines;
  readonly #names: DnsNames;
  readonly #health: HealthChecks;
  readonly #checked = new Map<string, Checked>();
  #ticker: NodeJS.Timeout | null = null;

  constructor(snapshot: Snapshot, options: EndpointWatchOptions) {
    this.#deadlines = new Deadlines(options.clock);
    const own = { ...options, deadlines: this.#deadlines, metrics: options.metrics.health };
    this.#names = new DnsNames(snapshot.dns, own);
    this.#health = new HealthChecks(own);
    this.adopt(snapshot);
  }

  /** Keys (`healthKey`) of all endpoints that are not well. */
  get unhealthy(): ReadonlySet<string> {
    return this.#health.unhealthy;
  }

  adopt(snapshot: Snapshot): void {
    this.#names.adopt(snapshot.dns);
    for (const [name, { endpoints }] of this.#checked) {
      if (snapshot.upstreams.get(name)?.health != null) continue;
      endpoints.close();
      this.#checked.delete(name);
    }
    for (const upstream of snapshot.upstreams.values()) if (upstream.health !== null) this.#check(upstream);
    this.#health.keepOnly(this.#checked);
    this.#run(this.#checked.size > 0);
  }

  close(): void {
    this.#run(false);
    this.#health.close();
    this.#names.close();
  }

  #check(upstream: Upstream): void {
    const before = this.#checked.get(upstream.name);
    if (before?.upstream === upstream) return;
    const tls = tlsClientFor(upstream.tls, before?.tls ?? null);
    const look = () => this.#health.watch(upstream, endpoints.all, tls);
    const endpoints = new UpstreamEndpoints(upstream, this.#names, look);
    before?.endpoints.close();
    this.#checked.set(upstream.name, { upstream, endpoints, tls });
    look();
  }

  #run(isWanted: boolean): void {
    if (isWanted) this.#ticker ??= eachTick(() => this.#deadlines.sweep()).unref();
    else if (this.#ticker !== null) {
      clearInterval(this.#ticker);
      this.#ticker = null;
    }
  }
}
