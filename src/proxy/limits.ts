/**
 * Every limit on load by its name: what may be under way, what may come in, what is shed. Bound once per Snapshot to the
 * routes and variants that have them; a limit whose name stays is kept over a reload, with what is under way.
 */
import type { Clock, Random } from '../base/clock.ts';
import { type OverloadRules, type RateLimitRule, variantKey } from '../config/compile-overload.ts';
import type { Route, Upstream } from '../config/snapshot.ts';
import type { UnitSource } from '../experiment/model.ts';
import { type ConcurrencySettings, Limiter } from '../resilience/limiter.ts';
import type { OverloadView, Scope } from '../resilience/overload-view.ts';
import { RateLimit } from '../resilience/rate-limit.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { Shedding } from './shedding.ts';

/** A rate limit with what requests are counted by; null: all together. */
export interface Rate {
  readonly limit: RateLimit;
  readonly by: readonly UnitSource[] | null;
  /** What is beyond it is answered 429, and does not get the fallback. */
  readonly isRefusing: boolean;
}

/** What stands before the requests of a route; each part null where there is none. */
export interface Admission {
  readonly shedding: Shedding | null;
  /** Its requests are shed last. */
  readonly isProtected: boolean;
  readonly rate: Rate | null;
  /** Of the route's own upstream. */
  readonly upstream: Limiter | null;
}

/** What stands before the requests of a variant, likewise. */
export interface VariantLimits {
  readonly rate: Rate | null;
  readonly limiter: Limiter | null;
  /** Of the variant's upstream. */
  readonly upstream: Limiter | null;
}

/** A seed is any of this many. */
const SEEDS = 2 ** 32;

export class Limits {
  /** Null: nothing is ever shed. */
  shedding: Shedding | null = null;
  readonly #from: {
    readonly clock: Clock;
    readonly random: Random;
    readonly metrics: Metrics;
    readonly log: Log;
  };
  readonly #limiters = new Map<string, { readonly scope: Scope; readonly limiter: Limiter }>();
  readonly #rates = new Map<string, { readonly scope: Scope; readonly limit: RateLimit }>();
  #rules: OverloadRules | null = null;

  constructor(from: {
    readonly clock: Clock;
    readonly random: Random;
    readonly metrics: Metrics;
    readonly log: Log;
  }) {
    this.#from = from;
  }

  /** These are in force, before they are bound; null: nothing is limited. What no longer has a name is forgotten. */
  adopt(rules: OverloadRules | null): void {
    this.#rules = rules;
    const load = rules?.load ?? null;
    if (load === null) this.shedding = null;
    else if (this.shedding === null) this.shedding = new Shedding(load, this.#from.metrics, this.#from.log);
    else this.shedding.reconfigure(load);
    const concurrency = [...scoped('upstream', rules?.upstreams), ...scoped('variant', rules?.variants)];
    const rates = [...scoped('route', rules?.routeRates), ...scoped('variant', rules?.variantRates)];
    forget(this.#limiters, concurrency);
    forget(this.#rates, rates);
    for (const one of concurrency) this.#keepLimiter(one);
    for (const one of rates) this.#keepRate(one);
  }

  /** What stands before this route's requests; null: nothing. */
  admission(route: Route): Admission | null {
    if (this.#rules === null) return null;
    const rate = this.#rate('route', route.name, this.#rules.routeRates.get(route.name));
    const upstream = this.#limiter('upstream', route.upstream.name);
    const hasLimits = route.experiments.some(({ experiment, variants }) =>
      variants.some(({ upstream: own }, index) =>
        this.#has(experiment.name, experiment.variants[index]!.name, own),
      ),
    );
    const { shedding } = this;
    if (shedding === null && rate === null && upstream === null && !hasLimits) return null;
    // A call that the service makes belongs to a request that was let in.
    const isProtected = route.direction === 'outbound' || this.#rules.protect.has(route.name);
    return { shedding, isProtected, rate, upstream };
  }

  /** What stands before the requests of this variant; null: nothing. */
  ofVariant(experiment: string, variant: string, upstream: Upstream): VariantLimits | null {
    if (!this.#has(experiment, variant, upstream)) return null;
    const key = variantKey(experiment, variant);
    return {
      rate: this.#rate('variant', key, this.#rules?.variantRates.get(key)),
      limiter: this.#limiter('variant', key),
      upstream: this.#limiter('upstream', upstream.name),
    };
  }

  tick(nowMs: number): void {
    this.shedding?.tick(nowMs);
  }

  view(): OverloadView {
    return {
      shedding: this.shedding?.view() ?? null,
      concurrency: Array.from(this.#limiters.values(), ({ scope, limiter }) => ({
        scope,
        ...limiter.view(),
      })),
      rateLimits: Array.from(this.#rates.values(), ({ scope, limit }) => ({ scope, ...limit.view() })),
    };
  }

  #has(experiment: string, variant: string, upstream: Upstream): boolean {
    const key = variantKey(experiment, variant);
    const rules = this.#rules;
    return (
      rules !== null &&
      (rules.upstreams.has(upstream.name) || rules.variants.has(key) || rules.variantRates.has(key))
    );
  }

  #limiter(scope: Scope, name: string): Limiter | null {
    return this.#limiters.get(`${scope} ${name}`)?.limiter ?? null;
  }

  #rate(scope: Scope, name: string, rule: RateLimitRule | undefined): Rate | null {
    const kept = this.#rates.get(`${scope} ${name}`);
    if (kept === undefined || rule === undefined) return null;
    return { limit: kept.limit, by: rule.by, isRefusing: rule.isRefusing };
  }

  #keepLimiter({ key, scope, name, value }: Scoped<ConcurrencySettings>): void {
    const kept = this.#limiters.get(key);
    if (kept !== undefined) kept.limiter.reconfigure(value);
    else this.#limiters.set(key, { scope, limiter: new Limiter(name, value) });
  }

  #keepRate({ key, scope, name, value }: Scoped<RateLimitRule>): void {
    const { clock, random } = this.#from;
    const nowMs = clock.now();
    if (this.#rates.get(key)?.limit.reconfigure(value.settings, nowMs) === true) return;
    const limit = new RateLimit(name, value.settings, Math.floor(random.next() * SEEDS), nowMs);
    this.#rates.set(key, { scope, limit });
  }
}

interface Scoped<T> {
  /** In the maps. */
  readonly key: string;
  readonly scope: Scope;
  readonly name: string;
  readonly value: T;
}

function scoped<T>(scope: Scope, values: ReadonlyMap<string, T> | undefined): Scoped<T>[] {
  return Array.from(values ?? [], ([name, value]) => ({ key: `${scope} ${name}`, scope, name, value }));
}

function forget(kept: Map<string, unknown>, wanted: readonly { readonly key: string }[]): void {
  const keys = new Set(wanted.map(({ key }) => key));
  for (const key of kept.keys()) if (!keys.has(key)) kept.delete(key);
}
