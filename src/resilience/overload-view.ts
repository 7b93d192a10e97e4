/** The load and its limits as people see them: of one process, and of several together. Pure. */
import type { LimiterView } from './limiter.ts';
import type { Shed } from './load-signal.ts';
import type { RateLimitView } from './rate-limit.ts';

export type Scope = 'upstream' | 'variant' | 'route';

/** What is given up, and why. */
export interface SheddingView {
  /** From 0, nothing is shed, to 5. */
  readonly level: number;
  /** The last that is shed; null: nothing. */
  readonly upTo: Shed | null;
  readonly eventLoopDelayMs: number;
  /** In use, as a share of the limit; null: there is no limit, or it was not looked at yet. */
  readonly memoryRatio: number | null;
  /** Which signal is beyond its limit; '' when none is. */
  readonly reason: string;
}

export type ConcurrencyView = LimiterView & { readonly scope: Scope };
export type RateView = RateLimitView & { readonly scope: Scope };

export interface OverloadView {
  /** Null: nothing is ever shed. */
  readonly shedding: SheddingView | null;
  readonly concurrency: readonly ConcurrencyView[];
  readonly rateLimits: readonly RateView[];
}

/** Limits and counts added up, and the shedding of the process that sheds most. */
export function overloadTotal(views: readonly OverloadView[]): OverloadView {
  const concurrency = new Map<string, ConcurrencyView>();
  const rates = new Map<string, RateView>();
  let shedding: SheddingView | null = null;
  for (const view of views) {
    if (view.shedding !== null && (shedding === null || view.shedding.level > shedding.level))
      shedding = view.shedding;
    for (const one of view.concurrency) gather(concurrency, one, addConcurrency);
    for (const one of view.rateLimits) gather(rates, one, addRates);
  }
  return { shedding, concurrency: [...concurrency.values()], rateLimits: [...rates.values()] };
}

function gather<T extends { readonly scope: Scope; readonly name: string }>(
  totals: Map<string, T>,
  one: T,
  add: (total: T, one: T) => T,
): void {
  const key = `${one.scope} ${one.name}`;
  const total = totals.get(key);
  totals.set(key, total === undefined ? one : add(total, one));
}

function addConcurrency(total: ConcurrencyView, one: ConcurrencyView): ConcurrencyView {
  return {
    ...total,
    limit: total.limit + one.limit,
    inFlight: total.inFlight + one.inFlight,
    rejected: total.rejected + one.rejected,
    usualMs: Math.max(total.usualMs ?? 0, one.usualMs ?? 0) || null,
  };
}

function addRates(total: RateView, one: RateView): RateView {
  return {
    ...total,
    perSecond: total.perSecond + one.perSecond,
    burst: total.burst + one.burst,
    limited: total.limited + one.limited,
  };
}
