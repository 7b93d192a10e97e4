/** What the order of the keys of a file decides, and what it does not: random orders of random variants. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { configHash } from '../../../src/config/hash.ts';
import { EMPTY_RUNTIME, type RuntimeState } from '../../../src/config/runtime.ts';
import type { Snapshot } from '../../../src/config/snapshot.ts';
import { PPM } from '../../../src/config/units.ts';
import { rememberSlots } from '../../../src/control/runtime-changes.ts';
import { slotOf } from '../../../src/experiment/bucket.ts';
import type { Experiment } from '../../../src/experiment/model.ts';
import { variantAt } from '../../../src/experiment/slots.ts';
import { configOf, minimal, snapshotOf, withExperiment } from '../../support/config.ts';

type Weights = readonly (readonly [name: string, ppm: number])[];

const NAMES = ['control', 'x', 'y', 'z', 'a', 'b'] as const;
const UNITS = Array.from({ length: 300 }, (_, index) => `user-${index}`);
const FOREIGN = [
  'unleash',
  'growthbook1',
  'growthbook2',
  'flagd1',
  'flagd2',
  '{ name: launchdarkly, key: k, salt: s }',
] as const;

/** Two to five variants in whole per cent, of which the control takes the rest. */
const variants = fc
  .tuple(
    fc.shuffledSubarray([...NAMES.slice(1)], { minLength: 1, maxLength: 4 }),
    fc.array(fc.integer({ min: 0, max: 25 }), { minLength: 4, maxLength: 4 }),
  )
  .map(([names, shares]): Weights => {
    const treatments = names.map((name, index): [string, number] => [name, shares[index]! * 10_000]);
    return [['control', PPM - treatments.reduce((sum, [, ppm]) => sum + ppm, 0)], ...treatments];
  });

/** The same variants twice, each time in an order of its own. */
const twoOrders = variants.chain((all) => {
  const order = fc.shuffledSubarray([...all], { minLength: all.length, maxLength: all.length });
  return fc.tuple(order, order);
});

function fileOf(weights: Weights, algorithm = 'fairlead1'): string {
  const list = weights.map(([name, ppm]) => `${name}: { weight: ${ppm / 10_000}% }`);
  return withExperiment(`algorithm: ${algorithm}`, `variants: { ${list.join(', ')} }`);
}

const rankingIn = (snapshot: Snapshot): Experiment => snapshot.experiments.get('ranking')!;

function variantOf({ bucketing, salt, slots, variants: all }: Experiment, unit: string): string | null {
  if (bucketing === null) return all[variantAt(slots, slotOf(salt, 'variant', unit))]!.name;
  const place = bucketing.place(unit);
  return place === null ? null : all[place.variant]!.name;
}

/** As a sidecar that has run with `before` has it when the file becomes `after`. */
function reloaded(before: string, after: string): Experiment {
  const known: RuntimeState = rememberSlots(EMPTY_RUNTIME, snapshotOf(before));
  return rankingIn(snapshotOf(after, known));
}

const namesOf = (weights: Weights) => weights.map(([name]) => name).join();

describe('the order of the variants', () => {
  test('is in the hash, whatever it is', () => {
    fc.assert(
      fc.property(twoOrders, ([one, two]) => {
        const [left, right] = [one, two].map((weights) => configHash(configOf(fileOf(weights))));
        expect(left === right).toBe(namesOf(one) === namesOf(two));
      }),
      { numRuns: 50 },
    );
  });

  test('decides nothing for fairlead1: a sidecar that starts and one that reloads deal alike, in one epoch', () => {
    fc.assert(
      fc.property(twoOrders, ([one, two]) => {
        const fresh = rankingIn(snapshotOf(fileOf(one)));
        for (const other of [rankingIn(snapshotOf(fileOf(two))), reloaded(fileOf(one), fileOf(two))]) {
          expect(other.epoch).toBe(1);
          for (const unit of UNITS) expect(variantOf(other, unit)).toBe(variantOf(fresh, unit));
        }
      }),
      { numRuns: 50 },
    );
  });

  test('of another system is another epoch when it moves anybody', () => {
    fc.assert(
      fc.property(twoOrders, fc.constantFrom(...FOREIGN), ([one, two], algorithm) => {
        const before = rankingIn(snapshotOf(fileOf(one, algorithm)));
        const after = reloaded(fileOf(one, algorithm), fileOf(two, algorithm));
        const isMoved = UNITS.some((unit) => variantOf(before, unit) !== variantOf(after, unit));
        if (isMoved) expect(after.epoch).toBe(2);
        // Who has a place in the order without a share is nobody.
        const shares = (weights: Weights) => namesOf(weights.filter(([, ppm]) => ppm > 0));
        expect(after.epoch).toBe(shares(one) === shares(two) ? 1 : 2);
      }),
      { numRuns: 100 },
    );
  });

  test('of halves turned round moves everyone, and is told', () => {
    const halves: Weights = [
      ['control', 500_000],
      ['x', 500_000],
    ];
    const [one, turned] = [fileOf(halves, 'growthbook2'), fileOf(halves.toReversed(), 'growthbook2')];
    const [before, after] = [rankingIn(snapshotOf(one)), reloaded(one, turned)];
    expect(UNITS.filter((unit) => variantOf(before, unit) === variantOf(after, unit))).toEqual([]);
    expect([before.epoch, after.epoch]).toEqual([1, 2]);
  });
});

describe('another order', () => {
  const hash = (text: string): string => configHash(configOf(text));

  test('of experiments is in the hash where there are no routes, which would say who is asked first', () => {
    const two = ['a', 'b'].map((name) => `${name}: { variants: { control: {}, x: { weight: 10% } } }`);
    const text = (experiments: readonly string[], ...more: string[]) =>
      minimal(`experiments: { ${experiments.join(', ')} }`, ...more);
    expect(hash(text(two))).not.toBe(hash(text(two.toReversed())));
    const routes = 'routes: [{ name: all, experiments: [a, b] }]';
    expect(hash(text(two, routes))).toBe(hash(text(two.toReversed(), routes)));
  });

  test("of the other system's weights, which go by name, is neither another hash nor another epoch", () => {
    const text = (weights: string) =>
      withExperiment(
        'variants: { control: {}, candidate: {} }',
        `algorithm: { name: unleash, weights: ${weights} }`,
      );
    const [one, two] = [text('{ control: 2, candidate: 1 }'), text('{ candidate: 1, control: 2 }')];
    expect(hash(one)).toBe(hash(two));
    expect(reloaded(one, two)).toMatchObject({ epoch: 1, salt: rankingIn(snapshotOf(one)).salt });
  });
});
