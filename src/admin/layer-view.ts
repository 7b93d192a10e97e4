/**
 * The layers as the admin API shows them: who has which part, and what is free for the next experiment. Pure.
 */
import type { Snapshot } from '../config/snapshot.ts';
import { formatPercent, formatRange } from '../config/units.ts';
import { freeRanges, type Layer, slotsIn } from '../experiment/layer.ts';

export interface LayerView {
  readonly name: string;
  readonly salt: string;
  /** Share of units kept out of its experiments; null: none. */
  readonly holdout: string | null;
  readonly experiments: readonly {
    readonly name: string;
    readonly status: string;
    readonly ranges: readonly string[];
    readonly share: string;
  }[];
  readonly free: { readonly ranges: readonly string[]; readonly share: string };
}

export interface LayersView {
  /** Of every experiment; null: none. */
  readonly holdout: { readonly share: string; readonly salt: string } | null;
  readonly layers: readonly LayerView[];
}

/** All layers, in the order of the config. */
export function layersView(snapshot: Snapshot): LayersView {
  const { holdout } = snapshot;
  return {
    holdout: holdout === null ? null : { share: formatPercent(holdout.sharePpm), salt: holdout.salt },
    layers: [...snapshot.layers.values()].map((layer) => layerView(layer, snapshot)),
  };
}

function layerView({ name, salt, holdout }: Layer, snapshot: Snapshot): LayerView {
  const members = [...snapshot.experiments.values()].flatMap((experiment) =>
    experiment.layer?.name === name ? [{ experiment, ranges: experiment.layer.ranges }] : [],
  );
  // What is concluded has no use for its ranges: everyone gets the winner.
  const taken = members.flatMap(({ experiment, ranges }) =>
    experiment.status === 'concluded' ? [] : ranges,
  );
  const free = freeRanges(taken);
  return {
    name,
    salt,
    holdout: holdout === null ? null : formatPercent(holdout.sharePpm),
    experiments: members.map(({ experiment, ranges }) => ({
      name: experiment.name,
      status: experiment.status,
      ranges: ranges.map(formatRange),
      share: formatPercent(slotsIn(ranges)),
    })),
    free: { ranges: free.map(formatRange), share: formatPercent(slotsIn(free)) },
  };
}
