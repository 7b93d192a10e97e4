/** The metrics of the simulations: what comes in, and how it is compared. */

import { Distribution } from '../../src/analysis/distribution.ts';
import { mean, proportion, ratio } from '../../src/analysis/estimate.ts';
import { compare } from '../../src/analysis/interval.ts';
import { Moments } from '../../src/analysis/moments.ts';
import { compareQuantiles } from '../../src/analysis/quantile-difference.ts';
import type { SequenceSettings } from '../../src/analysis/sequence.ts';
import { UnitSums } from '../../src/analysis/unit-sums.ts';
import type { Random } from '../../src/base/clock.ts';
import type { Experiment } from './peeking.ts';

/** Failures: this share of each. */
export function proportions(
  control: number,
  candidate: number,
  settings: SequenceSettings,
): () => Experiment {
  return () => {
    const [hits, trials] = [
      [0, 0],
      [0, 0],
    ];
    return {
      draw(isCandidate, random) {
        const arm = isCandidate ? 1 : 0;
        trials[arm]!++;
        if (random.next() < (isCandidate ? candidate : control)) hits[arm]!++;
      },
      look: () => compare(proportion(hits[0]!, trials[0]!), proportion(hits[1]!, trials[1]!), settings),
    };
  };
}

export type Value = (random: Random, isCandidate: boolean) => number;

/** Values whose means are compared. */
export function means(value: Value, settings: SequenceSettings): () => Experiment {
  return () => {
    const arms = [new Moments(), new Moments()];
    return {
      draw: (isCandidate, random) => arms[isCandidate ? 1 : 0]!.add(value(random, isCandidate)),
      look: () => compare(mean(arms[0]!), mean(arms[1]!), settings),
    };
  };
}

/** Values of which a quantile is compared. */
export function quantiles(quantile: number, value: Value, settings: SequenceSettings): () => Experiment {
  return () => {
    const [control, candidate] = [new Distribution(), new Distribution()];
    return {
      draw: (isCandidate, random) => (isCandidate ? candidate : control).add(value(random, isCandidate)),
      look: () => compareQuantiles({ control, candidate, quantile }, settings),
    };
  };
}

/** Units that send several requests each, `more` of the time one that is there already, and fail by a share of their own. */
export function ratios(
  { share, more, shift = 0 }: { readonly share: number; readonly more: number; readonly shift?: number },
  settings: SequenceSettings,
): () => Experiment {
  return () => {
    const sums = [new UnitSums(), new UnitSums()];
    const units: [
      { bad: number; all: number; share: number }[],
      { bad: number; all: number; share: number }[],
    ] = [[], []];
    return {
      draw(isCandidate, random) {
        const arm = isCandidate ? 1 : 0;
        const known = units[arm];
        if (known.length === 0 || random.next() >= more) {
          // Half of the units never fail, the others twice as often as all.
          known.push({
            bad: 0,
            all: 0,
            share: (random.next() < 0.5 ? 0 : 2 * share) + (isCandidate ? shift : 0),
          });
          sums[arm]!.add(0, 0);
        }
        const unit =
          known[random.next() < 0.3 ? known.length - 1 : Math.floor(random.next() * known.length)]!;
        const { bad, all } = unit;
        unit.all++;
        if (random.next() < unit.share) unit.bad++;
        sums[arm]!.move(bad, all, unit.bad, unit.all);
      },
      look: () => compare(ratio(sums[0]!), ratio(sums[1]!), settings),
    };
  };
}

/** Every unit comes once, with `perUnit` requests; half of them never fail, the others twice as often as all. */
export function unitRatios(
  {
    control,
    candidate,
    perUnit,
  }: { readonly control: number; readonly candidate: number; readonly perUnit: number },
  settings: SequenceSettings,
): () => Experiment {
  return () => {
    const sums = [new UnitSums(), new UnitSums()];
    return {
      draw(isCandidate, random) {
        const share = random.next() < 0.5 ? 0 : 2 * (isCandidate ? candidate : control);
        let bad = 0;
        for (let request = 0; request < perUnit; request++) if (random.next() < share) bad++;
        sums[isCandidate ? 1 : 0]!.add(bad, perUnit);
      },
      look: () => compare(ratio(sums[0]!), ratio(sums[1]!), settings),
    };
  };
}
