/**
 * Checks endpoints of all upstreams that want it, each at its own pace, and says which are not well. What is done
 * about those is the balancing's; a sidecar is ready however many upstreams are away.
 */
import type { Clock, Random } from '../base/clock.ts';
import type { HealthSettings } from '../config/compile-health.ts';
import type { Upstream } from '../config/snapshot.ts';
import { Health } from '../resilience/health.ts';
import type { HealthMetrics, HealthSample } from '../telemetry/health-metrics.ts';
import type { Log } from '../telemetry/log.ts';
import type { Deadlines, Timed } from './deadlines.ts';
import type { Endpoint } from './endpoint.ts';
import { probe, type Verdict } from './health-probe.ts';
import { Slots } from './slots.ts';
import type { TlsClient } from './tls-client.ts';

/** Checks at one time; the others wait. */
const CHECKS_MAX = 64;
/** The first check of an endpoint comes soon, and those of many not at once. */
const FIRST_MAX_MS = 500;
/** More or less than the interval. */
const JITTER_RATIO = 0.1;

export interface HealthOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Random;
  /** Whose sweeps begin checks. */
  readonly deadlines: Deadlines;
  readonly log: Log;
  readonly metrics: HealthMetrics;
  /** The keys (`healthKey`) of all that are not well, when they are others than before. */
  readonly onChange: (unhealthy: ReadonlySet<string>) => void;
}

/** Of an endpoint among all upstreams. */
export function healthKey(upstream: string, endpoint: string): string {
  return `${upstream} ${endpoint}`;
}

interface Watched {
  readonly settings: HealthSettings;
  readonly tls: TlsClient | null;
}

export class HealthChecks {
  readonly #options: HealthOptions;
  readonly #slots = new Slots(CHECKS_MAX);
  /** By upstream, then by the endpoint's id. */
  readonly #checked = new Map<string, Map<string, Checked>>();

  constructor(options: HealthOptions) {
    this.#options = options;
    options.metrics.setHealthSource(() => this.samples());
  }

  /** From now on these are the endpoints of `upstream`. Those that stay keep what is known of them. */
  watch({ name, health }: Upstream, endpoints: readonly Endpoint[], tls: TlsClient | null): void {
    const before = this.#checked.get(name) ?? new Map<string, Checked>();
    const now = new Map<string, Checked>();
    if (health !== null) {
      for (const endpoint of endpoints) {
        const known = before.get(endpoint.id) ?? this.#begin(name, endpoint);
        known.endpoint = endpoint;
        known.watched = { settings: health, tls };
        now.set(endpoint.id, known);
      }
    }
    let isOther = false;
    for (const [id, checked] of before) {
      if (now.has(id)) continue;
      this.#options.deadlines.remove(checked);
      isOther ||= !checked.health.isHealthy;
    }
    if (now.size === 0) this.#checked.delete(name);
    else this.#checked.set(name, now);
    if (isOther) this.#options.onChange(this.unhealthy);
  }

  /** Upstreams that are not among `names` are gone. */
  keepOnly(names: { has(name: string): boolean }): void {
    const before = this.unhealthy.size;
    for (const [name, checked] of this.#checked) {
      if (names.has(name)) continue;
      for (const one of checked.values()) this.#options.deadlines.remove(one);
      this.#checked.delete(name);
    }
    const { unhealthy } = this;
    if (unhealthy.size < before) this.#options.onChange(unhealthy);
  }

  /** Keys of all that are not well. */
  get unhealthy(): ReadonlySet<string> {
    const keys = new Set<string>();
    for (const [upstream, checked] of this.#checked)
      for (const [id, { health }] of checked) if (!health.isHealthy) keys.add(healthKey(upstream, id));
    return keys;
  }

  samples(): HealthSample[] {
    return [...this.#checked].flatMap(([upstream, checked]) =>
      Array.from(checked, ([endpoint, { health }]) => ({ upstream, endpoint, isHealthy: health.isHealthy })),
    );
  }

  close(): void {
    this.keepOnly(new Set());
  }

  #begin(upstream: string, endpoint: Endpoint): Checked {
    const { clock, random, deadlines } = this.#options;
    const checked = new Checked(endpoint, () => void this.#check(upstream, checked));
    checked.deadlineMs = clock.now() + FIRST_MAX_MS * random.next();
    deadlines.add(checked);
    return checked;
  }

  async #check(upstream: string, checked: Checked): Promise<void> {
    await this.#slots.take();
    try {
      // Removed while it waited.
      if (checked.timedIndex < 0 || checked.watched === null) return;
      const { settings, tls } = checked.watched;
      const verdict = await probe(checked.endpoint, tls, settings).catch(
        (error: NodeJS.ErrnoException): Verdict => `it could not be asked: ${error.code ?? error.name}`,
      );
      if (checked.timedIndex >= 0) this.#take(upstream, checked, verdict);
    } finally {
      this.#slots.give();
    }
  }

  #take(upstream: string, checked: Checked, verdict: Verdict): void {
    const { clock, random, metrics, onChange } = this.#options;
    const { settings } = checked.watched!;
    const jitter = 1 + JITTER_RATIO * (2 * random.next() - 1);
    checked.deadlineMs = clock.now() + settings.intervalMs * jitter;
    metrics.healthChecks(upstream, verdict === null ? 'passed' : 'failed').value++;
    if (!checked.health.take(verdict === null, settings)) return;
    this.#tell(upstream, checked.endpoint.id, verdict, settings);
    onChange(this.unhealthy);
  }

  #tell(upstream: string, endpoint: string, verdict: Verdict, { rise, fall }: HealthSettings): void {
    const { log } = this.#options;
    const facts = { upstream, endpoint, isHealthy: verdict === null };
    const begin = `endpoint ${upstream}/${endpoint}:`;
    if (verdict === null) log.info(facts, `${begin} well again: ${rise} checks in a row passed`);
    else log.warn(facts, `${begin} not well: ${fall} checks in a row failed, the last because ${verdict}`);
  }
}

/** An endpoint that is checked. */
class Checked implements Timed {
  deadlineMs = Number.POSITIVE_INFINITY;
  timedIndex = -1;
  readonly health = new Health();
  endpoint: Endpoint;
  watched: Watched | null = null;
  readonly onDeadline: () => void;

  constructor(endpoint: Endpoint, onDeadline: () => void) {
    this.endpoint = endpoint;
    this.onDeadline = onDeadline;
  }
}
