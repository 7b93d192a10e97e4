/**
 * Layers and holdouts as declared, to what experiments have of them. Pure.
 */
import { type Holdout, type Layer, type LayerShare, merged } from '../experiment/layer.ts';
import type { Config } from './schema.ts';
import type { ExperimentConfig } from './schema-experiment.ts';

/** The same in every service, so that a user who is held out is held out everywhere. */
const HOLDOUT_SALT = 'holdout';

/** What keeps units out of experiments. */
export interface Layering {
  /** Of all experiments; null: there is none. */
  readonly holdout: Holdout | null;
  readonly layers: ReadonlyMap<string, Layer>;
}

export function compileLayers(config: Config): Layering {
  const { holdout, layers } = config;
  return {
    holdout:
      holdout === undefined
        ? null
        : { kind: 'holdout', salt: holdout.salt ?? HOLDOUT_SALT, sharePpm: holdout.share },
    layers: new Map(
      Object.entries(layers).map(([name, layer]): [string, Layer] => {
        const salt = layer.salt ?? name;
        const { holdout: sharePpm } = layer;
        return [
          name,
          { name, salt, holdout: sharePpm === undefined ? null : { kind: 'layer-holdout', salt, sharePpm } },
        ];
      }),
    ),
  };
}

/** What of that concerns one experiment. */
export function compileExclusion(
  config: ExperimentConfig,
  { holdout, layers }: Layering,
): { readonly holdouts: readonly Holdout[]; readonly layer: LayerShare | null } {
  const layer = config.layer === undefined ? undefined : layers.get(config.layer);
  return {
    holdouts: [holdout, layer?.holdout ?? null].filter((one) => one !== null),
    layer:
      layer === undefined ? null : { name: layer.name, salt: layer.salt, ranges: merged(config.range ?? []) },
  };
}
