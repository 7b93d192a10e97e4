/** What assignment promises about groups of users, counted over a million of them. */
import { beforeAll, describe, expect, test } from 'vitest';
import { assign } from '../../src/experiment/assign.ts';
import { SLOTS, slotOf } from '../../src/experiment/bucket.ts';
import { heldOut, isWithin, type LayerShare, layerSlot } from '../../src/experiment/layer.ts';
import { allocate, reallocate, variantAt } from '../../src/experiment/slots.ts';
import { experimentOf, givenOf, requestOf } from '../support/experiment.ts';

const UNITS = 1_000_000;
const ids = Array.from({ length: UNITS }, (_, index) => `user-${index}`);

/** Slots of every id under a salt and a purpose. */
function slotsOf(salt: string, purpose: Parameters<typeof slotOf>[1]): Int32Array {
  const slots = new Int32Array(UNITS);
  for (let i = 0; i < UNITS; i++) slots[i] = slotOf(salt, purpose, ids[i]!);
  return slots;
}

/** Chi-squared statistic against independence of which of ten equal parts the two slots of each id are in. */
function dependence(rows: Int32Array, columns: Int32Array): number {
  const counts = new Float64Array(100);
  for (let i = 0; i < UNITS; i++)
    counts[Math.floor(rows[i]! / 100_000) * 10 + Math.floor(columns[i]! / 100_000)]!++;
  const row = Array.from({ length: 10 }, (_, r) =>
    counts.subarray(r * 10, r * 10 + 10).reduce((a, b) => a + b, 0),
  );
  const column = Array.from({ length: 10 }, (_, c) =>
    row.reduce((sum, _row, r) => sum + counts[r * 10 + c]!, 0),
  );
  let sum = 0;
  for (let cell = 0; cell < 100; cell++) {
    const expected = (row[Math.floor(cell / 10)]! * column[cell % 10]!) / UNITS;
    sum += (counts[cell]! - expected) ** 2 / expected;
  }
  return sum;
}

/** Chi-squared, 81 degrees of freedom: exceeded by chance once in a thousand. */
const INDEPENDENT = 126.1;

let searchLayer: Int32Array;
let priceLayer: Int32Array;
let split: Int32Array;

beforeAll(() => {
  searchLayer = slotsOf('search', 'layer');
  priceLayer = slotsOf('price', 'layer');
  split = slotsOf('ranking-1', 'variant');
});

describe('a million users in layers', () => {
  const share = (...ranges: [number, number][]): LayerShare => ({
    name: 'search',
    salt: 'search',
    ranges: ranges.map(([start, end]) => ({ start, end })),
  });

  test('no two experiments of a layer share one of them, and each has its share', () => {
    const experiments = [
      share([0, 400_000]),
      share([400_000, 500_000], [900_000, 1_000_000]),
      share([500_000, 750_000]),
    ].map((layer, index) =>
      experimentOf({ control: 500_000, candidate: 500_000 }, { name: `e${index}`, salt: `e${index}`, layer }),
    );
    const counts = [0, 0, 0];
    let shared = 0;
    let user = '';
    const request = requestOf();
    const given = givenOf({ request: { ...request, header: () => user } });
    for (const id of ids) {
      user = id;
      let taken = 0;
      for (let e = 0; e < experiments.length; e++) {
        if (assign(experiments[e]!, given).reason !== 'split') continue;
        taken++;
        counts[e]!++;
      }
      if (taken > 1) shared++;
    }
    expect(shared).toBe(0);
    // 3.3 standard errors of a share of a million are at most 0.17 %.
    for (const [index, expected] of [0.4, 0.2, 0.25].entries())
      expect(Math.abs(counts[index]! / UNITS - expected)).toBeLessThan(0.0017);
  });

  test('a range that is added moves nobody who is in another', () => {
    const before = share([0, 400_000]).ranges;
    const after = share([0, 400_000], [600_000, 700_000]).ranges;
    let lost = 0;
    let gained = 0;
    for (const slot of searchLayer) {
      const was = isWithin(before, slot);
      const is = isWithin(after, slot);
      if (was && !is) lost++;
      if (is && !was) gained++;
    }
    expect(lost).toBe(0);
    expect(Math.abs(gained / UNITS - 0.1)).toBeLessThan(0.001);
  });

  test('two layers have nothing to do with one another', () => {
    expect(dependence(searchLayer, priceLayer)).toBeLessThan(INDEPENDENT);
  });

  test('where a user is in a layer says nothing about the variant, the traffic gate or a holdout', () => {
    expect(dependence(searchLayer, split)).toBeLessThan(INDEPENDENT);
    // With one salt for everything, too: each purpose is a hash of its own.
    for (const purpose of ['variant', 'enrol', 'holdout', 'layer-holdout'] as const)
      expect(dependence(searchLayer, slotsOf('search', purpose))).toBeLessThan(INDEPENDENT);
  });

  test('hashes that are not independent would be found', () => {
    expect(dependence(searchLayer, searchLayer)).toBeGreaterThan(1_000_000);
    const shifted = searchLayer.map((slot) => (slot + 50_000) % SLOTS);
    expect(dependence(searchLayer, shifted)).toBeGreaterThan(1_000_000);
  });
});

test('of a million users none that is held out gets a candidate, in any experiment', () => {
  const everything = { kind: 'holdout', salt: 'holdout', sharePpm: 10_000 } as const;
  const ofLayer = { kind: 'layer-holdout', salt: 'search', sharePpm: 50_000 } as const;
  const inLayer = experimentOf(
    { control: 0, candidate: SLOTS },
    {
      holdouts: [everything, ofLayer],
      layer: { name: 'search', salt: 'search', ranges: [{ start: 0, end: SLOTS }] },
    },
  );
  const elsewhere = experimentOf({ control: 0, candidate: SLOTS }, { salt: 'other', holdouts: [everything] });
  let user = '';
  const given = givenOf({ request: { ...requestOf(), header: () => user } });
  const seen = { all: 0, layer: 0, broken: 0 };
  for (const id of ids) {
    user = id;
    const isHeld = heldOut([everything], id) !== null;
    const isHeldInLayer = isHeld || heldOut([ofLayer], id) !== null;
    if (isHeld) seen.all++;
    if (isHeldInLayer) seen.layer++;
    if ((assign(inLayer, given).variant.name === 'candidate') === isHeldInLayer) seen.broken++;
    if ((assign(elsewhere, given).variant.name === 'candidate') === isHeld) seen.broken++;
  }
  expect(seen.broken).toBe(0);
  expect(Math.abs(seen.all / UNITS - 0.01)).toBeLessThan(0.00035); // 3.3 standard errors
  expect(Math.abs(seen.layer / UNITS - 0.0595)).toBeLessThan(0.0008);
});

describe('a million users on a ramp', () => {
  const weights = (...percent: number[]) => percent.map((share) => share * 10_000);

  test('90/5/5 to 80/10/10 moves one in ten, and none from one treatment to the other', () => {
    const before = allocate(weights(90, 5, 5), 0);
    const after = reallocate(before, weights(80, 10, 10), 0);
    let moved = 0;
    let flipped = 0;
    for (const slot of split) {
      const from = variantAt(before, slot);
      const to = variantAt(after, slot);
      if (from === to) continue;
      moved++;
      if (from !== 0) flipped++;
    }
    expect(flipped).toBe(0);
    expect(Math.abs(moved / UNITS - 0.1)).toBeLessThan(0.001);
  });

  test('down and up again restores every one of them', () => {
    const ramp = [
      [90, 5, 5],
      [99, 1, 0],
      [100, 0, 0],
      [60, 20, 20],
      [95, 0, 5],
      [90, 5, 5],
    ];
    const first = allocate(weights(...ramp[0]!), 0);
    let table = first;
    for (const step of ramp.slice(1)) table = reallocate(table, weights(...step), 0);
    let changed = 0;
    for (const slot of split) if (variantAt(first, slot) !== variantAt(table, slot)) changed++;
    expect(changed).toBe(0);
  });
});

test('a layer’s slots are spread evenly over a million users', () => {
  const counts = new Int32Array(100);
  for (const id of ids) counts[Math.floor(layerSlot({ salt: 'search' }, id) / 10_000)]!++;
  const statistic = counts.reduce((sum, seen) => sum + (seen - 10_000) ** 2 / 10_000, 0);
  expect(statistic).toBeLessThan(148.2); // chi-squared, 99 degrees of freedom, p = 0.001
});
