import { expect, test } from 'vitest';
import { type EppoRange, eppo, eppoShard } from '../../../../src/experiment/algorithms/eppo.ts';
import { vectors } from './vectors.ts';

interface Split {
  readonly variant: string;
  readonly shards: readonly { readonly salt: string; readonly ranges: readonly EppoRange[] }[];
}

const file = vectors<{
  readonly flags: Readonly<
    Record<
      string,
      {
        readonly totalShards: number;
        readonly splits: readonly Split[];
        readonly subjects: Readonly<Record<string, string | null>>;
      }
    >
  >;
  readonly sdk: readonly {
    readonly totalShards: number;
    readonly splits: readonly Split[];
    readonly unit: string;
    readonly shard: number;
    readonly variant: string | null;
  }[];
}>('eppo');

function variantOf(totalShards: number, splits: readonly Split[], unit: string): string | null {
  const place = eppo({
    totalShards,
    splits: splits.map(({ shards }, variant) => ({ variant, shards })),
  }).place(unit);
  return place === null ? null : splits[place.variant]!.variant;
}

const subjects = Object.entries(file.flags).flatMap(([name, { totalShards, splits, subjects }]) =>
  Object.entries(subjects).map(([unit, expected]) => ({ name, totalShards, splits, unit, expected })),
);

test('the subjects of Eppo are run', () => {
  expect(subjects.length).toBe(60);
  expect(file.sdk.length).toBe(47);
});

test.each(subjects)('$name: $unit gets $expected', ({ totalShards, splits, unit, expected }) => {
  expect(variantOf(totalShards, splits, unit)).toBe(expected);
});

test('shards and variations are those of the SDK', () => {
  for (const { totalShards, splits, unit, shard, variant } of file.sdk) {
    expect(eppoShard(splits[0]!.shards[0]!.salt, unit, totalShards)).toBe(shard);
    expect({ unit, variant: variantOf(totalShards, splits, unit) }).toEqual({ unit, variant });
  }
});

test('the first split that fits wins, and one without shards fits everyone', () => {
  const everyone = { salt: 's', ranges: [{ start: 0, end: 10 }] };
  const of = (splits: Parameters<typeof eppo>[0]['splits']) => eppo({ totalShards: 10, splits }).place('u');
  expect(
    of([
      { variant: 1, shards: [everyone] },
      { variant: 0, shards: [] },
    ])?.variant,
  ).toBe(1);
  expect(of([{ variant: 0, shards: [] }])).toEqual({ variant: 0, slot: 0 });
  expect(of([{ variant: 0, shards: [everyone, { salt: 's', ranges: [] }] }])).toBeNull();
});

test('an allocation of 60 percent takes 60 percent', () => {
  const bucketing = eppo({
    totalShards: 10_000,
    splits: [{ variant: 0, shards: [{ salt: 'traffic', ranges: [{ start: 0, end: 6000 }] }] }],
  });
  let taken = 0;
  for (let i = 0; i < 50_000; i++) if (bucketing.place(`user-${i}`) !== null) taken++;
  // Five standard deviations of 30,000 in 50,000 are 548.
  expect(Math.abs(taken - 30_000)).toBeLessThan(548);
});
