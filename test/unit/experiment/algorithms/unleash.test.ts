import fc from 'fast-check';
import murmur from 'murmurhash3js-revisited';
import { expect, test } from 'vitest';
import { murmur32 } from '../../../../src/experiment/algorithms/murmur.ts';
import { unleash, unleashRollout } from '../../../../src/experiment/algorithms/unleash.ts';
import { vectors } from './vectors.ts';

interface UnleashContext {
  readonly userId?: string;
  readonly sessionId?: string;
  readonly properties?: Readonly<Record<string, string>>;
}

interface UnleashVariant {
  readonly name: string;
  readonly weight: number;
  readonly stickiness?: string;
  readonly overrides?: readonly unknown[];
}

interface UnleashStrategy {
  readonly name: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly constraints?: readonly unknown[];
  readonly variants?: readonly UnleashVariant[];
}

interface UnleashFeature {
  readonly name: string;
  readonly enabled: boolean;
  readonly strategies: readonly UnleashStrategy[];
  readonly variants?: readonly UnleashVariant[];
}

interface UnleashCase<T> {
  readonly description: string;
  readonly context: UnleashContext;
  readonly toggleName: string;
  readonly expectedResult: T;
}

interface Specification {
  readonly state: { readonly features: readonly UnleashFeature[] };
  readonly tests?: readonly UnleashCase<boolean>[];
  readonly variantTests?: readonly UnleashCase<{ readonly name: string }>[];
}

interface ClientCase {
  readonly groupId: string;
  readonly unit: string;
  readonly rolloutValue: number;
  readonly weights: readonly number[];
  readonly variantValue: number;
  readonly variant: number;
}

const file = vectors<{
  readonly specifications: Readonly<Record<string, Specification>>;
  readonly client: readonly ClientCase[];
}>('unleash');

/** What an experiment of ours would have as its unit: the stickiness of Unleash. */
function unitOf(context: UnleashContext, stickiness: string): string | null {
  if (stickiness === 'default') return context.userId || context.sessionId || null;
  const { userId, sessionId, properties } = context;
  return { userId, sessionId, ...properties }[stickiness] || null;
}

/** The one strategy of a flag as a rollout of ours; null for what is not a rollout, or has targeting as well. */
function rolloutOf({ enabled, strategies, name }: UnleashFeature) {
  const [strategy, ...more] = strategies;
  if (!enabled || strategy === undefined || more.length > 0 || (strategy.constraints ?? []).length > 0)
    return null;
  const { groupId = name, rollout, percentage, stickiness = 'default' } = strategy.parameters ?? {};
  switch (strategy.name) {
    case 'flexibleRollout':
      return { groupId, stickiness, rolloutPercent: Number(rollout) };
    case 'gradualRolloutUserId':
      return { groupId, stickiness: 'userId', rolloutPercent: Number(percentage) };
    case 'gradualRolloutSessionId':
      return { groupId, stickiness: 'sessionId', rolloutPercent: Number(percentage) };
    default:
      return null;
  }
}

const specifications = Object.entries(file.specifications);

const rollouts = specifications.flatMap(([specification, { state, tests = [] }]) =>
  tests.flatMap((one) => {
    const feature = state.features.find(({ name }) => name === one.toggleName);
    const rollout = feature === undefined ? null : rolloutOf(feature);
    // A unit that is drawn anew for every request is not the algorithm's business.
    const unit = rollout === null ? null : unitOf(one.context, rollout.stickiness);
    if (rollout === null || (unit === null && rollout.stickiness === 'default')) return [];
    return [{ name: `${specification}: ${one.description}`, rollout, unit, isOn: one.expectedResult }];
  }),
);

const splits = specifications.flatMap(([specification, { state, variantTests = [] }]) =>
  variantTests.flatMap((one) => {
    const feature = state.features.find(({ name }) => name === one.toggleName);
    if (feature?.enabled !== true || feature.strategies.length > 1) return [];
    const [strategy] = feature.strategies;
    const isStrategys = (strategy?.variants ?? []).length > 0;
    const variants = (isStrategys ? strategy?.variants : feature.variants) ?? [];
    const isTargeted = variants.some(({ overrides }) => overrides !== undefined);
    const constrained = (strategy?.constraints ?? []).length > 0;
    const rollout = rolloutOf(feature);
    const stickiness = (isStrategys ? rollout?.stickiness : variants[0]?.stickiness) ?? 'default';
    const unit = unitOf(one.context, stickiness) ?? (variants.length === 1 ? 'anyone' : null);
    if (variants.length === 0 || unit === null || isTargeted || constrained) return [];
    const settings = {
      groupId: rollout?.groupId ?? feature.name,
      variantGroupId: isStrategys ? (rollout?.groupId ?? feature.name) : feature.name,
      rolloutPercent: rollout?.rolloutPercent ?? 100,
      weights: variants.map(({ weight }) => weight),
      isExact: true,
    };
    const expected = variants.findIndex(({ name }) => name === one.expectedResult.name);
    return [{ name: `${specification}: ${one.description}`, settings, unit, expected }];
  }),
);

test('the client specification is run where it is about rollouts and variants', () => {
  expect({ rollouts: rollouts.length, splits: splits.length }).toEqual({ rollouts: 24, splits: 22 });
  expect(file.client.length).toBe(40);
});

test.each(rollouts)('$name', ({ rollout, unit, isOn }) => {
  if (unit === null) {
    // Nobody to ask about: the experiment would say no-unit and serve the fallback.
    expect(isOn).toBe(false);
    return;
  }
  expect(unleashRollout({ ...rollout, on: 1, off: 0 }).place(unit)?.variant === 1).toBe(isOn);
});

test.each(splits)('$name', ({ settings, unit, expected }) => {
  expect(unleash(settings).place(unit)?.variant ?? -1).toBe(expected);
});

test('rollouts and variants are those of the client for Node', () => {
  for (const { groupId, unit, rolloutValue, weights, variantValue, variant } of file.client) {
    const at = (rolloutPercent: number) =>
      unleash({ groupId, variantGroupId: groupId, rolloutPercent, weights, isExact: true }).place(unit);
    expect(at(rolloutValue)?.variant).toBe(variant);
    expect(at(rolloutValue - 1)).toBeNull();
    const trace: string[] = [];
    unleash({ groupId, variantGroupId: groupId, rolloutPercent: 100, weights, isExact: true }).place(
      unit,
      trace,
    );
    expect(trace).toEqual([
      `unleash: the variants' hash of group ${groupId} is ${variantValue} of ${weights.reduce((a, b) => a + b)}`,
    ]);
  }
});

test('texts are hashed as UTF-8, whatever their length and alphabet', () => {
  const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.string({ maxLength: 300 }));
  fc.assert(
    fc.property(text, fc.constantFrom(0, 86_028_157), (id, seed) => {
      expect(murmur32(id, seed)).toBe(murmur.x86.hash32(new TextEncoder().encode(id), seed));
    }),
  );
  expect(murmur32('\ud800', 0)).toBe(murmur32('\ufffd', 0));
});

test('a larger rollout only adds units, and each keeps its variant', () => {
  const group = { groupId: 'g', variantGroupId: 'g', weights: [500, 500], isExact: false };
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.nat(100), fc.nat(100), (unit, one, other) => {
      const [less, more] = [Math.min(one, other), Math.max(one, other)];
      const before = unleash({ ...group, rolloutPercent: less }).place(unit);
      const after = unleash({ ...group, rolloutPercent: more }).place(unit);
      return before === null || after?.variant === before.variant;
    }),
  );
});

test('a variant without weight gets nobody, and no weights at all nobody in', () => {
  const of = (weights: number[]) =>
    unleash({ groupId: 'g', variantGroupId: 'g', rolloutPercent: 100, weights, isExact: true });
  for (let i = 0; i < 2000; i++) expect(of([0, 1, 0]).place(`u${i}`)?.variant).toBe(1);
  expect(of([0, 0]).place('u')).toBeNull();
});

test('a rollout of 30 percent takes 30 percent, and half of those either variant', () => {
  const bucketing = unleash({
    groupId: 'checkout',
    variantGroupId: 'checkout',
    rolloutPercent: 30,
    weights: [500, 500],
    isExact: false,
  });
  const counts = [0, 0];
  for (let i = 0; i < 100_000; i++) {
    const place = bucketing.place(`user-${i}`);
    if (place !== null) counts[place.variant]!++;
  }
  // Five standard deviations of 15,000 in 100,000 are 565.
  for (const count of counts) expect(Math.abs(count - 15_000)).toBeLessThan(565);
});
