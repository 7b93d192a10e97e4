import { expect, test } from 'vitest';
import { bucketNumber } from '../../../src/experiment/bucket-number.ts';
import { isSlotTable, variantAt } from '../../../src/experiment/slots.ts';
import { experimentOf } from '../../support/experiment.ts';

/** Envoy's arithmetic: the value modulo the sum of the weights, then the first cumulative weight beyond it. */
function envoyPick(weights: readonly number[], value: bigint): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const selected = Number(value % BigInt(total));
  let end = 0;
  return weights.findIndex((weight) => {
    end += weight;
    return selected < end;
  });
}

/** As after ramps up and down: no variant's slots lie together, and the treatments do not come in their order. */
const WEIGHTS = [700_000, 200_000, 100_000] as const;
const ramped = [
  [0, 50_000, 2],
  [50_000, 300_000, 0],
  [300_000, 420_000, 1],
  [420_000, 470_000, 2],
  [470_000, 550_000, 1],
  [550_000, 1_000_000, 0],
].map(([start = 0, end = 0, variant = 0]) => ({ start, end, variant }));
const experiment = experimentOf(
  { control: WEIGHTS[0], left: WEIGHTS[1], right: WEIGHTS[2] },
  { slots: ramped },
);

test('Envoy picks the variant of every slot, and no two slots have one number', () => {
  const seen = new Uint8Array(1_000_000);
  let disagreements = 0;
  for (let slot = 0; slot < 1_000_000; slot++) {
    const variant = variantAt(ramped, slot);
    const value = bucketNumber(experiment, experiment.variants[variant]!, slot)!;
    seen[value]!++;
    const picked = value < WEIGHTS[0] ? 0 : value < WEIGHTS[0] + WEIGHTS[1] ? 1 : 2;
    if (picked !== variant || (slot % 997 === 0 && envoyPick(WEIGHTS, BigInt(value)) !== variant))
      disagreements++;
  }
  expect(disagreements).toBe(0);
  expect(seen.every((count) => count === 1)).toBe(true);
});

test('the slot itself would not do', () => {
  expect(isSlotTable(ramped)).toBe(true);
  const wrong = ramped.filter(({ start, variant }) => envoyPick(WEIGHTS, BigInt(start)) !== variant);
  expect(wrong).not.toEqual([]);
});

test('another variant than that of the slot, and one without a slot, are picked as well', () => {
  for (const variant of experiment.variants)
    for (const slot of [-1, 0, 1, 499_999, 999_999])
      expect(envoyPick(WEIGHTS, BigInt(bucketNumber(experiment, variant, slot)!))).toBe(variant.index);
});

test('a variant without weight has no number', () => {
  const all = experimentOf({ control: 0, candidate: 1_000_000 });
  expect(bucketNumber(all, all.variants[0]!, -1)).toBe(null);
  expect(bucketNumber(all, all.variants[1]!, 999_999)).toBe(999_999);
});
