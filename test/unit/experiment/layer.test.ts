import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SLOTS, slotOf } from '../../../src/experiment/bucket.ts';
import {
  freeRanges,
  heldOut,
  isWithin,
  type LayerRange,
  layerSlot,
  merged,
  overlap,
  slotsIn,
} from '../../../src/experiment/layer.ts';

const range = (start: number, end: number): LayerRange => ({ start, end });
const ranges = fc.array(
  fc
    .tuple(fc.nat(SLOTS), fc.nat(SLOTS))
    .filter(([a, b]) => a !== b)
    .map(([a, b]) => range(Math.min(a, b), Math.max(a, b))),
  { maxLength: 8 },
);

/** fairlead1 with salt `ranking`: layer, holdout, layer-holdout; computed by another implementation too. */
const GOLDEN = [
  [67_514, 961_025, 150_014],
  [111_056, 392_919, 266_348],
  [107_915, 324_020, 278_498],
];

test('the slots of a layer and of holdouts are these, in every release', () => {
  expect(layerSlot({ salt: 'ranking' }, 'alice')).toBe(slotOf('ranking', 'layer', 'alice'));
  const slots = ['alice', 'bob', 'Zoë'].map((unit) =>
    (['layer', 'holdout', 'layer-holdout'] as const).map((purpose) => slotOf('ranking', purpose, unit)),
  );
  expect(slots).toEqual(GOLDEN);
});

describe('ranges', () => {
  test('a slot is within from the start of a range and up to its end', () => {
    const two = [range(100, 200), range(300, 400)];
    const inside = [99, 100, 199, 200, 299, 300, 399, 400].filter((slot) => isWithin(two, slot));
    expect(inside).toEqual([100, 199, 300, 399]);
    expect(isWithin([], 0)).toBe(false);
  });

  test('what is taken and what is free are the whole layer, once', () => {
    fc.assert(
      fc.property(ranges, fc.nat(SLOTS - 1), (taken, slot) => {
        const free = freeRanges(taken);
        expect(slotsIn(free) + slotsIn(taken)).toBe(SLOTS);
        expect(overlap(free, taken)).toBe(null);
        expect(isWithin(free, slot)).toBe(!isWithin(merged(taken), slot));
        expect(isWithin(merged(taken), slot)).toBe(taken.some((one) => slot >= one.start && slot < one.end));
      }),
    );
  });

  test('neighbours become one range and a gap stays', () => {
    expect(merged([range(200, 300), range(0, 100), range(100, 200), range(400, 500)])).toEqual([
      range(0, 300),
      range(400, 500),
    ]);
    expect(freeRanges([range(0, SLOTS)])).toEqual([]);
    expect(freeRanges([])).toEqual([range(0, SLOTS)]);
  });

  test('ranges that touch do not overlap, and the first slots in common are told', () => {
    expect(overlap([range(0, 100)], [range(100, 200)])).toBe(null);
    expect(overlap([range(0, 100), range(200, 300)], [range(250, 400), range(50, 60)])).toEqual(
      range(50, 60),
    );
  });
});

test('a holdout keeps out the slots below its share, each by its own hash', () => {
  const slot = slotOf('h', 'holdout', 'alice');
  const holdout = (sharePpm: number) => ({ kind: 'holdout', salt: 'h', sharePpm }) as const;
  expect(heldOut([holdout(slot)], 'alice')).toBe(null);
  expect(heldOut([holdout(slot + 1)], 'alice')).toEqual(holdout(slot + 1));
  const ofLayer = { kind: 'layer-holdout', salt: 'h', sharePpm: SLOTS } as const;
  expect(heldOut([holdout(slot), ofLayer], 'alice')).toBe(ofLayer);
});
