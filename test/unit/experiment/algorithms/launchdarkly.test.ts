import { expect, test } from 'vitest';
import {
  type LaunchdarklyBucket,
  launchdarkly,
  launchdarklyHash,
} from '../../../../src/experiment/algorithms/launchdarkly.ts';
import { vectors } from './vectors.ts';

interface Weighted {
  readonly variation: string;
  readonly weight: number;
  readonly untracked?: boolean;
}

const file = vectors<{
  readonly values: readonly {
    readonly key: string;
    readonly salt: string;
    readonly seed: number | null;
    readonly unit: string;
    readonly value: number;
  }[];
  readonly harness: readonly {
    readonly name: string;
    readonly keys: readonly string[];
    readonly unit: string;
    readonly buckets: readonly Weighted[];
    readonly variation: string;
    readonly inExperiment: boolean;
  }[];
  readonly sdk: readonly {
    readonly key: string;
    readonly salt: string;
    readonly seed: number | null;
    readonly unit: string;
    readonly buckets: readonly Weighted[];
    readonly variation: string;
    readonly inExperiment: boolean;
  }[];
}>('launchdarkly');

const NAMES = ['a', 'b', 'c'];

function bucketsOf(buckets: readonly Weighted[]): LaunchdarklyBucket[] {
  return buckets.map(({ variation, weight, untracked = false }) => ({
    variant: NAMES.indexOf(variation),
    share: weight / 100_000,
    isUntracked: untracked,
  }));
}

const prefixOf = (key: string, salt: string, seed: number | null) =>
  seed === null ? `${key}.${salt}` : String(seed);

test('the values of LaunchDarkly are run', () => {
  expect(file.values.length).toBe(8);
  expect(file.harness.flatMap(({ keys }) => keys).length).toBe(8);
  expect(file.sdk.length).toBe(47);
});

test.each(file.values)(
  '$unit with salt $salt and seed $seed is at $value',
  ({ key, salt, seed, unit, value }) => {
    // The published values have single precision.
    expect(Math.fround(launchdarklyHash(prefixOf(key, salt, seed), unit))).toBe(Math.fround(value));
  },
);

test.each(file.harness)('$name', ({ keys, unit, buckets, variation, inExperiment }) => {
  for (const key of keys) {
    const place = launchdarkly({ prefix: `${key}.`, buckets: bucketsOf(buckets), isExact: true }).place(unit);
    expect(place?.variant ?? null).toBe(inExperiment ? NAMES.indexOf(variation) : null);
  }
});

test('the variations are those of the SDK for Node', () => {
  for (const { key, salt, seed, unit, buckets, variation, inExperiment } of file.sdk) {
    const prefix = prefixOf(key, salt, seed);
    const place = launchdarkly({ prefix, buckets: bucketsOf(buckets), isExact: true }).place(unit);
    expect({ unit, variant: place?.variant ?? null }).toEqual({
      unit,
      variant: inExperiment ? NAMES.indexOf(variation) : null,
    });
  }
});

test('whoever is past the end of the weights gets the last bucket', () => {
  const bucketing = launchdarkly({
    prefix: 'k.s',
    buckets: bucketsOf([
      { variation: 'a', weight: 0 },
      { variation: 'b', weight: 0 },
    ]),
    isExact: true,
  });
  for (let i = 0; i < 1000; i++) expect(bucketing.place(`user-${i}`)?.variant).toBe(1);
});

test('units are spread evenly', () => {
  const counts = new Array<number>(50).fill(0);
  for (let i = 0; i < 50_000; i++) counts[Math.floor(launchdarklyHash('flag.salt', `user-${i}`) * 50)]!++;
  const statistic = counts.reduce((sum, seen) => sum + (seen - 1000) ** 2 / 1000, 0);
  expect(statistic).toBeLessThan(85.4); // chi-squared, 49 degrees of freedom, p = 0.001
});

test('the sentence of explain says the value and the bucket', () => {
  const trace: string[] = [];
  launchdarkly({
    prefix: 'hashKey.saltyA',
    buckets: bucketsOf([
      { variation: 'a', weight: 40_000 },
      { variation: 'b', weight: 60_000, untracked: true },
    ]),
    isExact: true,
  }).place('userKeyA', trace);
  expect(trace).toEqual([
    'launchdarkly: the hash with prefix hashKey.saltyA is 0.42157587, in bucket 2 of 2, which is untracked',
  ]);
});
