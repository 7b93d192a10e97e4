/**
 * A declared experiment and what was changed at run time, to the frozen `Experiment` the request path reads. Pure.
 */
import type { Experiment, SlotRange, Variant } from '../experiment/model.ts';
import type { Segments } from '../experiment/segment.ts';
import { allocate, isSlotTable, reallocate } from '../experiment/slots.ts';
import { compileTargeting } from '../experiment/targeting.ts';
import { isExact } from './algorithm-shares.ts';
import { compileAlgorithm } from './compile-algorithm.ts';
import { compileBridges } from './compile-bridge.ts';
import { compileExclusion, type Layering } from './compile-layers.ts';
import { compileLifecycle, epochOf } from './compile-lifecycle.ts';
import { compileSticky } from './compile-sticky.ts';
import { compileUnit } from './compile-unit.ts';
import { saltOf } from './dealing.ts';
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
  const salt = saltOf(name, config);
  const bucketing = compileAlgorithm({
    name,
    algorithm: config.algorithm,
    trafficPpm: config.traffic,
    variants,
    fallback,
  });
  const before = runtime !== null && runtime.salt === salt ? runtime.slots : [];
  const slots = bucketing === null ? slotTable(variants, fallback, before) : rangesInOrder(variants);
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
    bucketing,
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

/**
 * From the table of before, so that only who must move does; from nothing when there is none that fits. Dealt in the
 * order of the names, so that a sidecar which starts from another order of the same variants has the same table.
 */
function slotTable(
  variants: readonly Variant[],
  fallback: Variant,
  before: readonly NamedSlotRange[],
): SlotRange[] {
  const dealt = variants.toSorted((left, right) => (left.name < right.name ? -1 : 1));
  const weights = dealt.map((variant) => variant.weightPpm);
  const rest = dealt.indexOf(fallback);
  const previous = before.map((range): SlotRange => {
    const index = dealt.findIndex((variant) => variant.name === range.variant);
    // An index beyond the weights: a variant that is gone, whose slots are released.
    return { start: range.start, end: range.end, variant: index === -1 ? dealt.length : index };
  });
  const table =
    previous.length > 0 && isSlotTable(previous)
      ? reallocate(previous, weights, rest)
      : allocate(weights, rest);
  return table.map(({ start, end, variant }) => ({ start, end, variant: dealt[variant]!.index }));
}

/** Of another system's algorithm: its hash falls into one range after the other, in the order of the file. */
function rangesInOrder(variants: readonly Variant[]): SlotRange[] {
  let start = 0;
  return variants.flatMap(({ weightPpm, index }) => {
    if (weightPpm === 0) return [];
    const range = { start, end: start + weightPpm, variant: index };
    start = range.end;
    return [range];
  });
}
