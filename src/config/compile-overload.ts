/**
 * Declared limits on load to those that the data plane keeps, and a worker's share of them: they are for the whole
 * sidecar, and each process keeps its part, rounded up so that none is 0. Pure.
 */
import type { UnitSource } from '../experiment/model.ts';
import type { ConcurrencySettings } from '../resilience/limiter.ts';
import type { LoadSettings } from '../resilience/load-signal.ts';
import type { RateLimitSettings } from '../resilience/rate-limit.ts';
import { compileUnit } from './compile-unit.ts';
import type { Config } from './schema.ts';
import type { OverloadConfig, RateLimitConfig, VariantRateLimitConfig } from './schema-overload.ts';
import { PPM } from './units.ts';

/** A rate limit of a route or a variant. */
export interface RateLimitRule {
  readonly settings: RateLimitSettings;
  /** What requests are counted by; null: all together. */
  readonly by: readonly UnitSource[] | null;
  /** What is beyond it is answered 429, and does not get the fallback. */
  readonly isRefusing: boolean;
}

/** Everything that is limited, by the names of the configuration. */
export interface OverloadRules {
  /** When to shed; null: never. */
  readonly load: LoadSettings | null;
  /** By upstream, and by `experiment/variant`. */
  readonly upstreams: ReadonlyMap<string, ConcurrencySettings>;
  readonly variants: ReadonlyMap<string, ConcurrencySettings>;
  /** By route, and by `experiment/variant`. */
  readonly routeRates: ReadonlyMap<string, RateLimitRule>;
  readonly variantRates: ReadonlyMap<string, RateLimitRule>;
  /** Routes whose requests are shed last. */
  readonly protect: ReadonlySet<string>;
}

/** What the limits of a variant are called: they hold on all routes together. */
export function variantKey(experiment: string, variant: string): string {
  return `${experiment}/${variant}`;
}

/** Null: nothing is limited. */
export function compileOverload(config: Config): OverloadRules | null {
  const upstreams = new Map<string, ConcurrencySettings>();
  for (const [name, { concurrency }] of Object.entries(config.upstreams))
    if (concurrency !== undefined) upstreams.set(name, concurrency);
  const variants = new Map<string, ConcurrencySettings>();
  const variantRates = new Map<string, RateLimitRule>();
  for (const [experiment, { unit, variants: declared }] of Object.entries(config.experiments)) {
    for (const [variant, { concurrency, rateLimit }] of Object.entries(declared)) {
      const key = variantKey(experiment, variant);
      if (concurrency !== undefined) variants.set(key, concurrency);
      if (rateLimit !== undefined) variantRates.set(key, compileRateLimit(rateLimit, compileUnit(unit)));
    }
  }
  const routeRates = new Map<string, RateLimitRule>();
  for (const { name, rateLimit, experiments } of config.routes ?? []) {
    const unit = compileUnit(config.experiments[experiments[0] ?? '']?.unit);
    if (rateLimit !== undefined) routeRates.set(name, compileRateLimit(rateLimit, unit));
  }
  const load = compileLoad(config.overload);
  const isAny = upstreams.size + variants.size + variantRates.size + routeRates.size > 0 || load !== null;
  if (!isAny) return null;
  return { load, upstreams, variants, routeRates, variantRates, protect: new Set(config.protect) };
}

/** @param unit What `by: unit` means. */
function compileRateLimit(
  config: RateLimitConfig | VariantRateLimitConfig,
  unit: readonly UnitSource[],
): RateLimitRule {
  const by = config.by === 'all' ? null : config.by === 'unit' ? unit : compileUnit(config.by);
  return {
    settings: {
      perSecond: config.rate,
      burst: config.burst ?? Math.max(1, Math.ceil(config.rate)),
      entriesMax: by === null ? 0 : config.entries,
    },
    by,
    isRefusing: !('over' in config) || config.over === 'refuse',
  };
}

function compileLoad(config: OverloadConfig | undefined): LoadSettings | null {
  if (config === undefined) return null;
  const { eventLoopDelay, memory } = config;
  const ratio = memory?.kind === 'share' ? memory.ppm / PPM : null;
  return {
    delayMs: eventLoopDelay ?? null,
    memoryBytes: memory?.kind === 'bytes' ? memory.bytes : null,
    memoryRatio: ratio,
    heapRatio: ratio,
  };
}

/**
 * The part of one of `workers` processes. They share the memory, and each has an event loop and a heap of its own. Of a
 * limit by unit each has its part as well, since nobody knows which of them a unit's connections come to.
 */
export function shareOfOverload(rules: OverloadRules | null, workers: number): OverloadRules | null {
  if (rules === null) return null;
  const concurrency = (settings: ConcurrencySettings) => shareOfConcurrency(settings, workers);
  const rate = (rule: RateLimitRule) => shareOfRate(rule, workers);
  return Object.freeze({
    ...rules,
    load: rules.load === null ? null : shareOfLoad(rules.load, workers),
    upstreams: mapValues(rules.upstreams, concurrency),
    variants: mapValues(rules.variants, concurrency),
    routeRates: mapValues(rules.routeRates, rate),
    variantRates: mapValues(rules.variantRates, rate),
  });
}

function shareOfConcurrency(settings: ConcurrencySettings, workers: number): ConcurrencySettings {
  const part = (limit: number) => Math.ceil(limit / workers);
  if (settings.kind === 'fixed') return { kind: 'fixed', max: part(settings.max) };
  const { initial, min, max } = settings;
  return { ...settings, initial: part(initial), min: part(min), max: part(max) };
}

function shareOfRate(rule: RateLimitRule, workers: number): RateLimitRule {
  const { perSecond, burst } = rule.settings;
  const settings = {
    ...rule.settings,
    perSecond: perSecond / workers,
    burst: Math.ceil(burst / workers),
  };
  return { ...rule, settings };
}

function shareOfLoad(load: LoadSettings, workers: number): LoadSettings {
  const { memoryBytes, memoryRatio } = load;
  return {
    ...load,
    memoryBytes: memoryBytes === null ? null : memoryBytes / workers,
    memoryRatio: memoryRatio === null ? null : memoryRatio / workers,
  };
}

function mapValues<T>(map: ReadonlyMap<string, T>, change: (value: T) => T): ReadonlyMap<string, T> {
  return new Map(Array.from(map, ([key, value]) => [key, change(value)]));
}
