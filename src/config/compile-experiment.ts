/**
 * A declared experiment and what was changed at run time, to the frozen `Experiment` the request path reads, and
 * the breaker settings of its variants. Pure.
 */
import type { Experiment, SlotRange, Variant } from '../experiment/model.ts';
import type { Segments } from '../experiment/segment.ts';
import { allocate, isSlotTable, reallocate } from '../experiment/slots.ts';
import { compileTargeting } from '../experiment/targeting.ts';
import type { BreakerSettings } from '../resilience/breaker.ts';
import { isExact } from './algorithm-shares.ts';
import { compileAlgorithm } from './compile-algorithm.ts';
import { compileBridges } from './compile-bridge.ts';
import { compileExclusion, type Layering } from './compile-layers.ts';
import { compileLifecycle, epochOf } from './compile-lifecycle.ts';
import { compileSticky } from './compile-sticky.ts';
import { compileUnit } from './compile-unit.ts';
import type { NamedSlotRange, RuntimeExperiment } from './runtime.ts';
import type { ExperimentConfig } from './schema-experiment.ts';
import { PPM } from './units.ts';
import { declaredWeights, fallbackName } from './weights.ts';

/** @param runtime What is known of this experiment from before; null when it is new. */
export function compileExperiment(
  name: string,
  config: ExperimentConfig,
  runtime: RuntimeExperiment | null,
  { layering, segments }: { readonly layering: Layering; readonly segments: Segments },
): Experiment {
  const weights = effectiveWeights(config, runtime);
  const variants = Object.entries(config.variants).map(
    ([variantName, variant], index): Variant => ({
      name: variantName,
      index,
      weightPpm: weights.get(variantName) ?? 0,
      upstream: variant.upstream ?? null,
      payload: variant.payload ?? null,
    }),
  );
  const fallback = variants.find((variant) => variant.name === fallbackName(config));
  if (fallback === undefined) throw new RangeError(`experiment ${name} has no fallback`);
  const salt = config.salt ?? name;
  const slots = slotTable(variants, fallback, runtime !== null && runtime.salt === salt ? runtime.slots : []);
  return {
    name,
    owner: config.owner ?? null,
    hypothesis: config.hypothesis ?? null,
    successCriteria: config.successCriteria ?? null,
    rollbackPlan: config.rollbackPlan ?? null,
    salt,
    epoch: epochOf(salt, slots, variants, runtime),
    ...compileLifecycle(config, runtime, { variants, fallback }),
    ...compileExclusion(config, layering),
    unit: compileUnit(config.unit),
    sticky: compileSticky(config.sticky),
    refusesUnknown: config.unknownVariant === 'refuse',
    trafficPpm: config.traffic,
    targeting: config.targeting.map((rule) => compileTargeting(rule, segments)),
    variants,
    fallback,
    slots,
    bucketing: compileAlgorithm({
      name,
      algorithm: config.algorithm,
      trafficPpm: config.traffic,
      variants,
      fallback,
    }),
    ...compileBridges(config, variants, fallback),
  };
}

/**
 * The weights set at run time if they name exactly the declared variants, else the declared ones; these as well
 * where the algorithm has its own numbers, which no weights stand for.
 */
export function effectiveWeights(
  config: ExperimentConfig,
  runtime: RuntimeExperiment | null,
): Map<string, number> {
  const declared = declaredWeights(config);
  const override = isExact(config.algorithm) ? undefined : runtime?.weights?.weightsPpm;
  if (override === undefined || !isFitting(override, [...declared.keys()])) return declared;
  return new Map([...declared.keys()].map((name) => [name, override[name] ?? 0]));
}

function isFitting(weightsPpm: Readonly<Record<string, number>>, variants: readonly string[]): boolean {
  const names = Object.keys(weightsPpm);
  const sum = Object.values(weightsPpm).reduce((total, weight) => total + weight, 0);
  return (
    names.length === variants.length &&
    variants.every((name) => Object.hasOwn(weightsPpm, name)) &&
    sum === PPM
  );
}

/** From the table of before, so that only who must move does; from nothing when there is none that fits. */
function slotTable(
  variants: readonly Variant[],
  fallback: Variant,
  before: readonly NamedSlotRange[],
): SlotRange[] {
  const weights = variants.map((variant) => variant.weightPpm);
  const previous = before.map((range): SlotRange => {
    const index = variants.findIndex((variant) => variant.name === range.variant);
    // An index beyond the weights: a variant that is gone, whose slots are released.
    return { start: range.start, end: range.end, variant: index === -1 ? variants.length : index };
  });
  return previous.length > 0 && isSlotTable(previous)
    ? reallocate(previous, weights, fallback.index)
    : allocate(weights, fallback.index);
}

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
