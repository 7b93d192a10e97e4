/** What connects an experiment with other tools, and what its excluded traffic gets, as declared to compiled. Pure. */
import type { Experiment, Variant } from '../experiment/model.ts';
import { compileRoutingKey } from '../experiment/routing-key.ts';
import type { ExperimentConfig } from './schema-experiment.ts';

type Bridges = Pick<Experiment, 'excludedVariant' | 'routingKeys' | 'bucketHeader'>;

export function compileBridges(
  config: ExperimentConfig,
  variants: readonly Variant[],
  fallback: Variant,
): Bridges {
  const variantNamed = (name: string): Variant => {
    const variant = variants.find((one) => one.name === name);
    if (variant === undefined) throw new RangeError(`no variant ${name}`);
    return variant;
  };
  return {
    excludedVariant: config.excludedVariant === undefined ? fallback : variantNamed(config.excludedVariant),
    bucketHeader: config.bucketHeader ?? null,
    routingKeys: config.routingKeys.map(({ kind, name, map }) => {
      const wanted = Object.entries(map).map(([key, variant]): [string, Variant] => [
        key,
        variantNamed(variant),
      ]);
      return compileRoutingKey(kind, name ?? null, new Map(wanted));
    }),
  };
}
