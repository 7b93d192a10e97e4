import fc from 'fast-check';
import { expect, test } from 'vitest';
import { flagd1, flagd2 } from '../../../../src/experiment/algorithms/flagd.ts';
import { murmur32 } from '../../../../src/experiment/algorithms/murmur.ts';
import { vectors } from './vectors.ts';

type Weights = readonly (readonly [variant: string, weight: number])[];

interface Table {
  readonly name: string;
  readonly prefix: string;
  readonly weights: Weights;
  readonly v1: Readonly<Record<string, string>>;
  readonly v2: Readonly<Record<string, string>>;
}

const file = vectors<{
  readonly testbed: readonly Table[];
  readonly unit: readonly Table[];
  readonly core: readonly {
    readonly prefix: string;
    readonly weights: Weights;
    readonly unit: string;
    readonly variant: string;
  }[];
}>('flagd');

function casesOf(version: 'v1' | 'v2') {
  return [...file.testbed, ...file.unit].flatMap(({ name, prefix, weights, [version]: cases }) =>
    Object.entries(cases).map(([unit, expected]) => ({ name, prefix, weights, unit, expected })),
  );
}

const numbers = (weights: Weights) => weights.map(([, weight]) => weight);

test('the tables of flagd are run', () => {
  expect(casesOf('v1').length).toBe(29);
  expect(casesOf('v2').length).toBe(32);
  expect(file.core.length).toBe(40);
});

test.each(casesOf('v1'))('flagd1, $name: $unit gets $expected', ({ prefix, weights, unit, expected }) => {
  const place = flagd1({ prefix, weights: numbers(weights), isExact: true }).place(unit);
  expect(weights[place?.variant ?? -1]?.[0]).toBe(expected);
});

test.each(casesOf('v2'))('flagd2, $name: $unit gets $expected', ({ prefix, weights, unit, expected }) => {
  const place = flagd2({ prefix, weights: numbers(weights), isExact: true }).place(unit);
  expect(weights[place?.variant ?? -1]?.[0]).toBe(expected);
});

test('flagd2 gives what the provider for JavaScript gives', () => {
  for (const { prefix, weights, unit, variant } of file.core) {
    const place = flagd2({ prefix, weights: numbers(weights), isExact: true }).place(unit);
    expect(weights[place?.variant ?? -1]?.[0]).toBe(variant);
  }
});

test('the hash has its edges where flagd has them', () => {
  expect(['ejOoVL', 'bY9fO-', 'SI7p-', '6LvT0', 'ceQdGm'].map((text) => murmur32(text, 0))).toEqual([
    0, 1, 0x7fffffff, 0x80000000, 0xffffffff,
  ]);
});

test('flagd1 leaves out the two hashes that reach 100 percent, flagd2 nobody', () => {
  const settings = { prefix: '', weights: [50, 50], isExact: true };
  // int32 of 0x7fffffff is the largest, of 0x80000000 beyond it when it loses its sign.
  expect(flagd1(settings).place('SI7p-')).toBeNull();
  expect(flagd1(settings).place('6LvT0')).toBeNull();
  expect(flagd2(settings).place('SI7p-')).toEqual({ variant: 0, slot: 499_999 });
  expect(flagd2(settings).place('6LvT0')).toEqual({ variant: 1, slot: 500_000 });
  expect(flagd2(settings).place('ceQdGm')).toEqual({ variant: 1, slot: 999_999 });
});

test('flagd2 buckets are exact for every hash and total', () => {
  const weight = fc.integer({ min: 0, max: 1_000_000_000 });
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.tuple(weight, weight), (unit, [a, b]) => {
      fc.pre(a + b > 0);
      const bucket = (BigInt(murmur32(unit, 0)) * BigInt(a + b)) >> 32n;
      const place = flagd2({ prefix: '', weights: [a, b], isExact: true }).place(unit);
      return place?.variant === (bucket < BigInt(a) ? 0 : 1);
    }),
    { numRuns: 3000 },
  );
});

test('weights mean the same whatever they add up to', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.integer({ min: 1, max: 2000 }), (unit, factor) => {
      const of = (weights: number[]) => flagd2({ prefix: 'f', weights, isExact: true }).place(unit);
      return of([5, 20, 75])?.variant === of([5 * factor, 20 * factor, 75 * factor])?.variant;
    }),
  );
});
