import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Bucketing } from '../../../../src/experiment/algorithms/bucketing.ts';
import {
  chooseVariation,
  type GrowthbookFilter,
  type GrowthbookRange,
  growthbook,
  growthbookHash,
  growthbookRanges,
  growthbookRollout,
  type HashVersion,
  namespaceFilter,
} from '../../../../src/experiment/algorithms/growthbook.ts';
import { vectors } from './vectors.ts';

interface Filter {
  readonly seed: string;
  readonly attribute?: string;
  readonly hashVersion?: number;
  readonly ranges: readonly GrowthbookRange[];
}

interface Rule {
  readonly key?: string;
  readonly seed?: string;
  readonly variations?: readonly unknown[];
  readonly force?: unknown;
  readonly hashVersion?: number;
  readonly hashAttribute?: string;
  readonly coverage?: number;
  readonly weights?: readonly number[];
  readonly range?: GrowthbookRange;
  readonly ranges?: readonly GrowthbookRange[];
  readonly namespace?: readonly [string, number, number];
  readonly filters?: readonly Filter[];
  readonly [other: string]: unknown;
}

interface Setting {
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly features?: Readonly<
    Record<string, { readonly defaultValue?: unknown; readonly rules?: readonly Rule[] }>
  >;
  readonly [other: string]: unknown;
}

const file = vectors<{
  readonly hash: readonly (readonly [string, string, number, number | null])[];
  readonly getBucketRange: readonly (readonly [
    string,
    readonly [number, number, readonly number[] | null],
    readonly GrowthbookRange[],
  ])[];
  readonly chooseVariation: readonly (readonly [string, number, readonly GrowthbookRange[], number])[];
  readonly inNamespace: readonly (readonly [string, string, readonly [string, number, number], boolean])[];
  readonly run: readonly (readonly [string, Setting, Rule, unknown, boolean, boolean])[];
  readonly feature: readonly (readonly [string, Setting, string, { readonly value: unknown }])[];
}>('growthbook');

/** What decides in GrowthBook before the hash is asked; targeting, overrides and prerequisites of ours. */
const OTHER = [
  'condition',
  'parentConditions',
  'force',
  'active',
  'url',
  'fallbackAttribute',
  'contextualVariations',
  'minBucketVersion',
];
const OTHER_SETTINGS = [
  'enabled',
  'qaMode',
  'forcedVariations',
  'url',
  'savedGroups',
  'stickyBucketAssignmentDocs',
];

/** The id as our unit would be: text that is not empty, or nothing. */
function unitOf({ attributes = {} }: Setting, rule: Rule): string | null {
  const value = attributes[rule.hashAttribute ?? 'id'];
  if (typeof value !== 'string' && typeof value !== 'number') return null;
  return value === 0 || value === '' ? null : String(value);
}

/** Null when a filter looks at something other than the unit: an experiment of ours has one unit. */
function filtersOf({ filters, namespace, hashAttribute = 'id' }: Rule): GrowthbookFilter[] | null {
  if (filters === undefined) {
    if (namespace === undefined) return [];
    return [namespaceFilter(namespace[0], [namespace[1], namespace[2]])];
  }
  if (filters.some(({ attribute = 'id' }) => attribute !== hashAttribute)) return null;
  return filters.map(({ seed, hashVersion = 2, ranges }) => ({
    seed,
    version: hashVersion as HashVersion,
    ranges,
  }));
}

/** An experiment, or a rule with `variations`, as a bucketing of ours; null when it is more than that. */
function experimentOf(rule: Rule, key: string): Bucketing | null {
  const { variations = [], hashVersion = 1, seed = rule.key ?? key, coverage = 1, weights, ranges } = rule;
  const filters = filtersOf(rule);
  if (variations.length < 2 || filters === null || OTHER.some((other) => rule[other] !== undefined))
    return null;
  return growthbook({
    version: hashVersion as HashVersion,
    seed,
    filters,
    ranges: ranges ?? growthbookRanges(variations.length, coverage, weights ?? null),
    isExact: true,
  });
}

/** A rule with `force` as a rollout of ours: variant 1 is on. */
function rolloutOf(rule: Rule, key: string): Bucketing | null {
  const { hashVersion = 1, seed = key, coverage, range } = rule;
  const filters = filtersOf(rule);
  if (filters === null || rule.condition !== undefined || hashVersion > 2) return null;
  const common = { version: hashVersion as HashVersion, seed, filters };
  if (range !== undefined) return growthbook({ ...common, ranges: [[0, 0], range], isExact: true });
  return growthbookRollout({ ...common, coverage: coverage ?? 1, on: 1, off: 0 });
}

const runs = file.run.flatMap(([name, setting, rule, value, isIn, isHashed]) => {
  const bucketing = OTHER_SETTINGS.some((other) => setting[other] !== undefined)
    ? null
    : experimentOf(rule, rule.key ?? '');
  return bucketing === null
    ? []
    : [{ name, bucketing, unit: unitOf(setting, rule), rule, value, isIn, isHashed }];
});

const experimentRules = file.feature.flatMap(([name, setting, key, { value }]) => {
  const [rule, ...more] = setting.features?.[key]?.rules ?? [];
  if (rule?.variations === undefined || OTHER_SETTINGS.some((other) => setting[other] !== undefined))
    return [];
  // Behind an experiment that leaves the unit out there may be a rule that forces one value.
  const otherwise = more.length === 0 ? setting.features?.[key]?.defaultValue : more[0]?.force;
  const bucketing =
    more.length > 1 || (more.length === 1 && otherwise === undefined) ? null : experimentOf(rule, key);
  return bucketing === null ? [] : [{ name, bucketing, unit: unitOf(setting, rule), rule, otherwise, value }];
});

const forceRules = file.feature.flatMap(([name, setting, key, { value }]) => {
  const { rules = [], defaultValue } = setting.features?.[key] ?? {};
  const [rule, ...more] = rules;
  if (rule?.force === undefined || rule.variations !== undefined || more.length > 0) return [];
  const bucketing = rolloutOf(rule, key);
  return bucketing === null
    ? []
    : [{ name, bucketing, unit: unitOf(setting, rule), rule, defaultValue, value }];
});

test('the cases of GrowthBook are run where they are about buckets', () => {
  expect(file.hash.length).toBe(27);
  expect(file.getBucketRange.length).toBe(13);
  expect(file.chooseVariation.length).toBe(13);
  expect(file.inNamespace.length).toBe(16);
  expect({
    runs: runs.length,
    experimentRules: experimentRules.length,
    forceRules: forceRules.length,
  }).toEqual({ runs: 68, experimentRules: 10, forceRules: 14 });
});

test.each(file.hash)(
  'the hash of seed %s and value %s in version %i is %s',
  (seed, value, version, expected) => {
    // There is no such version here: the configuration cannot ask for it.
    if (expected === null) expect([1, 2]).not.toContain(version);
    else expect(growthbookHash(seed, value, version as HashVersion)).toBe(expected);
  },
);

test.each(file.getBucketRange)('bucket ranges: %s', (_, [variations, coverage, weights], expected) => {
  const ranges = growthbookRanges(variations, coverage, weights);
  expect(ranges).toHaveLength(expected.length);
  for (const [index, [from, to]] of ranges.entries()) {
    expect(from).toBeCloseTo(expected[index]![0], 12);
    expect(to).toBeCloseTo(expected[index]![1], 12);
  }
});

test.each(file.chooseVariation)('choose a variation: %s', (_, hash, ranges, expected) => {
  expect(chooseVariation(hash, ranges)).toBe(expected);
});

test.each(file.inNamespace)('namespace: %s', (_, unit, [id, from, to], expected) => {
  const bucketing = growthbook({
    version: 2,
    seed: 's',
    filters: [namespaceFilter(id, [from, to])],
    ranges: [[0, 1]],
    isExact: false,
  });
  expect(bucketing.place(unit) !== null).toBe(expected);
});

test.each(runs)('experiment: $name', ({ bucketing, unit, rule, value, isIn, isHashed }) => {
  const place = unit === null ? null : bucketing.place(unit);
  expect(place !== null).toBe(isIn && isHashed);
  expect(rule.variations?.[place?.variant ?? 0]).toEqual(value);
});

test.each(experimentRules)('rule: $name', ({ bucketing, unit, rule, otherwise, value }) => {
  const place = unit === null ? null : bucketing.place(unit);
  expect(place === null ? otherwise : rule.variations?.[place.variant]).toEqual(value);
});

test.each(forceRules)('rollout: $name', ({ bucketing, unit, rule, defaultValue, value }) => {
  const isOn = unit !== null && bucketing.place(unit)?.variant === 1;
  expect(isOn ? rule.force : defaultValue).toEqual(value);
});

const settings = fc.record({
  version: fc.constantFrom<HashVersion>(1, 2),
  seed: fc.string({ maxLength: 20 }),
  weights: fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 2, maxLength: 5 }),
});

test('raising the coverage only adds units, and nobody changes the variation', () => {
  const coverage = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(settings, fc.string({ minLength: 1 }), coverage, coverage, (given, unit, one, other) => {
      const total = given.weights.reduce((sum, weight) => sum + weight, 0);
      const weights = given.weights.map((weight) => weight / total);
      const at = (covered: number) =>
        growthbook({
          version: given.version,
          seed: given.seed,
          filters: [],
          ranges: growthbookRanges(weights.length, covered, weights),
          isExact: false,
        }).place(unit);
      const before = at(Math.min(one, other));
      const after = at(Math.max(one, other));
      return before === null || before.variant === after?.variant;
    }),
    { numRuns: 2000 },
  );
});

test('a hash is a multiple of a thousandth or of a ten-thousandth below 1', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), (seed, value) => {
      const first = growthbookHash(seed, value, 1) * 1000;
      const second = growthbookHash(seed, value, 2) * 10_000;
      expect(Math.abs(first - Math.round(first))).toBeLessThan(1e-9);
      expect(Math.abs(second - Math.round(second))).toBeLessThan(1e-9);
      expect(Math.max(first / 1000, second / 10_000)).toBeLessThan(1);
    }),
  );
});

test('version 2 spreads units evenly over the buckets', () => {
  const counts = new Array<number>(100).fill(0);
  for (let i = 0; i < 200_000; i++) counts[Math.floor(growthbookHash('even', `user-${i}`, 2) * 100)]!++;
  const statistic = counts.reduce((sum, seen) => sum + (seen - 2000) ** 2 / 2000, 0);
  expect(statistic).toBeLessThan(148.2); // chi-squared, 99 degrees of freedom, p = 0.001
});

test('the sentences of explain name the seeds and the hashes', () => {
  const trace: string[] = [];
  growthbook({
    version: 2,
    seed: 'feature',
    filters: [namespaceFilter('checkout', [0, 1])],
    ranges: [[0, 1]],
    isExact: false,
  }).place('123', trace);
  expect(trace).toEqual([
    `growthbook2: the filter's hash with seed __checkout is ${growthbookHash('__checkout', '123', 1)}, inside`,
    'growthbook2: the hash with seed feature is 0.5231',
  ]);
});
