/** The breaker settings of one variant: the experiment's, with what the variant says differently. Pure. */
import type { BreakerSettings } from '../resilience/breaker.ts';
import type { ExperimentConfig } from './schema-experiment.ts';
import { PPM } from './units.ts';
import { fallbackName } from './weights.ts';

/**
 * The last resort opens only when half its calls fail, unless its own `breaker` says otherwise: nothing stands behind
 * it, so every call it turns away is a 503. A slow answer is still an answer, and 5 % of errors is better than 100 %.
 */
const LAST_RESORT_ERROR_PPM = PPM / 2;

/** The breaker of one variant: the experiment's, with what the variant says differently. */
export function compileBreaker(config: ExperimentConfig, variantName: string): BreakerSettings | null {
  const own = config.variants[variantName]?.breaker;
  if (config.breaker === false || own === false) return null;
  const base = config.breaker;
  const isLastResort = variantName === fallbackName(config);
  const inheritedSlow = isLastResort ? undefined : base.slow;
  const inheritedErrorPpm =
    isLastResort && base.errorRate !== null
      ? Math.max(base.errorRate, LAST_RESORT_ERROR_PPM)
      : base.errorRate;
  const slow = own?.slow === 'off' ? undefined : (own?.slow ?? inheritedSlow);
  const errorRatePpm = own?.errorRate === 'off' ? null : (own?.errorRate ?? inheritedErrorPpm);
  const consecutive = own?.consecutiveFailures ?? base.consecutiveFailures ?? 'off';
  return {
    windowMs: own?.window ?? base.window,
    minimumRequests: own?.minimumRequests ?? base.minimumRequests,
    errorRatio: errorRatePpm === null ? null : errorRatePpm / PPM,
    slow: slow === undefined ? null : { thresholdMs: slow.threshold, ratio: slow.rate / PPM },
    consecutiveFailures: consecutive === 'off' ? null : consecutive,
    openForMs: own?.openFor ?? base.openFor,
    openForMaxMs: own?.openForMax ?? base.openForMax,
    halfOpenRequests: own?.halfOpenRequests ?? base.halfOpenRequests,
  };
}
