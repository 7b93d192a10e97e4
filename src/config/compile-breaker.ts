/**
 * The breaker settings of one variant: the experiment's, with what the variant says differently, and of the fallback
 * variant what the others need to know of it. Pure.
 */
import type { BreakerSettings } from '../resilience/breaker.ts';
import { criticalSurprise } from '../resilience/confidence.ts';
import type { Compared, Confidence, QuantileLimit, Watch } from '../resilience/limits.ts';
import { compileBudgeting } from './compile-budget.ts';
import type { Limit, RelativeLimit } from './limit-text.ts';
import { type BreakerConfig, type BreakerOverrideConfig, QUANTILE_SHARES } from './schema-breaker.ts';
import type { ExperimentConfig } from './schema-experiment.ts';
import { PPM } from './units.ts';
import { fallbackName } from './weights.ts';

/**
 * The last resort opens only when half its calls fail, unless its own `breaker` says otherwise: nothing stands behind
 * it, so every call it turns away is a 503. A slow answer is still an answer, and 5 % of errors is better than 100 %.
 */
const LAST_RESORT_ERROR_PPM = PPM / 2;

/** Nor does it stay open for longer each time, but for the jitter: it would outlast the outage by as much. */
const LAST_RESORT_OPEN_MAX = 1.5;

/** Beside a limit against the control, which is of no use without a control that gets calls. */
const RATE_DEFAULT_PPM = PPM / 2;

/** One limit or both, told apart. */
interface Both {
  readonly own: number | null;
  readonly beside: RelativeLimit | null;
}

/** The breaker of one variant; null: it has none. */
export function compileBreaker(config: ExperimentConfig, variantName: string): BreakerSettings | null {
  const settings = withoutWatch(config, variantName);
  if (config.breaker === false || variantName !== fallbackName(config)) {
    const watch = settings === null ? null : watchOf([settings]);
    return settings === null || watch === null ? settings : { ...settings, watch };
  }
  const others = Object.keys(config.variants)
    .filter((name) => name !== variantName)
    .flatMap((name) => withoutWatch(config, name) ?? []);
  const isAsked = others.some(
    ({ compared, sharedOutage }) => sharedOutage?.policy === 'hold' || needsControl(compared),
  );
  const counted = settings ?? (isAsked ? onlyCounting(config.breaker) : null);
  const watch = watchOf(settings === null ? others : [settings, ...others]);
  return counted === null || watch === null ? counted : { ...counted, watch };
}

function withoutWatch(config: ExperimentConfig, variantName: string): BreakerSettings | null {
  const own = config.variants[variantName]?.breaker;
  if (config.breaker === false || own === false) return null;
  const base = config.breaker;
  const isLastResort = variantName === fallbackName(config);
  const errorRate = both(own?.errorRate ?? base.errorRate);
  const isInherited = own?.errorRate === undefined;
  const errorPpm =
    isLastResort && isInherited && errorRate.own !== null
      ? Math.max(errorRate.own, LAST_RESORT_ERROR_PPM)
      : errorRate.own;
  const slow = own?.slow === 'off' ? undefined : (own?.slow ?? (isLastResort ? undefined : base.slow));
  const slowRate = slow === undefined ? null : both(slow.rate);
  const inARow = isLastResort ? undefined : base.consecutiveFailures;
  const consecutive = own?.consecutiveFailures ?? inARow ?? 'off';
  const openForMs = own?.openFor ?? base.openFor;
  const openForMaxMs = isLastResort
    ? Math.min(base.openForMax, openForMs * LAST_RESORT_OPEN_MAX)
    : base.openForMax;
  const confidence = confidenceOf(own?.confidence ?? base.confidence);
  const compared: Compared = {
    confidence,
    error: isLastResort ? null : ratios(errorRate.beside),
    slow: isLastResort || slowRate === null ? null : ratios(slowRate.beside),
    quantiles: quantilesOf(own, isLastResort ? null : base),
  };
  const isComparing = compared.error !== null || compared.slow !== null || compared.quantiles.length > 0;
  return {
    windowMs: own?.window ?? base.window,
    minimumRequests: own?.minimumRequests ?? base.minimumRequests,
    errorRatio: errorPpm === null ? null : errorPpm / PPM,
    slow: slow === undefined ? null : slowLimit(slow, (slowRate!.own ?? PPM) / PPM),
    consecutiveFailures: consecutive === 'off' ? null : consecutive,
    openForMs,
    openForMaxMs: own?.openForMax ?? openForMaxMs,
    halfOpenRequests: own?.halfOpenRequests ?? base.halfOpenRequests,
    ...compileBudgeting(base, own, isLastResort),
    ...(isComparing ? { compared } : {}),
    ...(isLastResort ? {} : { sharedOutage: { policy: own?.sharedOutage ?? base.sharedOutage, confidence } }),
  };
}

function slowLimit(
  { threshold, stall }: NonNullable<BreakerConfig['slow']>,
  ratio: number,
): NonNullable<BreakerSettings['slow']> {
  const limit = { thresholdMs: threshold, ratio };
  return stall === undefined ? limit : { ...limit, stallMs: stall === 'off' ? null : stall };
}

/** For a fallback variant without a breaker, when the others have to know how it does: it counts, and opens never. */
function onlyCounting({
  window,
  minimumRequests,
  openFor,
  openForMax,
  halfOpenRequests,
}: BreakerConfig): BreakerSettings {
  return {
    windowMs: window,
    minimumRequests,
    errorRatio: null,
    slow: null,
    consecutiveFailures: null,
    openForMs: openFor,
    openForMaxMs: openForMax,
    halfOpenRequests,
    mode: 'observe',
    budget: null,
    tripsMax: null,
  };
}

/** How long an answer on a streaming route takes is no fault: nothing is slow, and a probe may wait like any call. */
export function patient(breaker: BreakerSettings, idleMs: number): BreakerSettings {
  const { watch: _, compared, ...rest } = breaker;
  const probeMaxMs = idleMs === 0 ? Number.POSITIVE_INFINITY : idleMs;
  const isComparing = compared !== undefined && compared.error !== null;
  return {
    ...rest,
    slow: null,
    probeMaxMs,
    ...(isComparing ? { compared: { ...compared, slow: null, quantiles: [] } } : {}),
  };
}

function needsControl(compared: Compared | undefined): boolean {
  if (compared === undefined) return false;
  const { error, slow, quantiles } = compared;
  return error !== null || slow !== null || quantiles.some(({ limit }) => limit.kind === 'relative');
}

/** What must be counted for the limits of these breakers; null: nothing but failures and slow calls. */
function watchOf(breakers: readonly BreakerSettings[]): Watch | null {
  const levels = new Set<number>();
  let hasHistogram = false;
  for (const { slow, compared, sharedOutage } of breakers) {
    const isSlowAsked = sharedOutage?.policy === 'hold' || (compared?.slow ?? null) !== null;
    if (slow !== null && isSlowAsked) levels.add(slow.thresholdMs);
    for (const { limit } of compared?.quantiles ?? []) {
      if (limit.kind === 'fixed') levels.add(limit.ms);
      else hasHistogram = true;
    }
  }
  if (levels.size === 0 && !hasHistogram) return null;
  return { levelsMs: [...levels].sort((left, right) => left - right), hasHistogram };
}

function quantilesOf(own: BreakerOverrideConfig | undefined, base: BreakerConfig | null): QuantileLimit[] {
  return Object.entries(QUANTILE_SHARES).flatMap(([key, share]) => {
    const name = key as keyof typeof QUANTILE_SHARES;
    const limits = own?.[name] ?? base?.[name] ?? 'off';
    if (limits === 'off') return [];
    return (Array.isArray(limits) ? limits : [limits]).map((limit: Limit): QuantileLimit => {
      const compiled =
        typeof limit === 'number'
          ? ({ kind: 'fixed', ms: limit } as const)
          : ({ kind: 'relative', ...limit } as const);
      return { name, share, limit: compiled };
    });
  });
}

function both(limits: 'off' | Limit | readonly Limit[]): Both {
  if (limits === 'off') return { own: null, beside: null };
  const list: readonly Limit[] = Array.isArray(limits) ? limits : [limits as Limit];
  const beside = list.find((limit) => typeof limit !== 'number') ?? null;
  return { own: list.find((limit) => typeof limit === 'number') ?? RATE_DEFAULT_PPM, beside };
}

function ratios(limit: RelativeLimit | null): RelativeLimit | null {
  return limit === null ? null : { factor: limit.factor, plus: limit.plus / PPM };
}

function confidenceOf(ppm: number): Confidence {
  return { ratio: ppm / PPM, surprise: criticalSurprise((PPM - ppm) / PPM) };
}
