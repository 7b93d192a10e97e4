/** What can be merged: the same in any order, right beside a plain computation, and refused when damaged. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Distinct, EXACT_MAX } from '../../../src/analysis/distinct.ts';
import {
  BUCKETS,
  Distribution,
  lowerEnd,
  RELATIVE_ERROR,
  upperEnd,
} from '../../../src/analysis/distribution.ts';
import { Moments } from '../../../src/analysis/moments.ts';
import { UnitSums } from '../../../src/analysis/unit-sums.ts';

function momentsOf(values: readonly number[]): Moments {
  const moments = new Moments();
  for (const value of values) moments.add(value);
  return moments;
}

function distributionOf(values: readonly number[]): Distribution {
  const distribution = new Distribution();
  for (const value of values) distribution.add(value);
  return distribution;
}

function distinctOf(units: readonly number[]): Distinct {
  const distinct = new Distinct();
  for (const unit of units) distinct.add(`user-${unit}`);
  return distinct;
}

function unitSumsOf(units: readonly (readonly [number, number])[]): UnitSums {
  const sums = new UnitSums();
  for (const [numerator, denominator] of units) sums.add(numerator, denominator);
  return sums;
}

function merged<T extends { merge(other: T): void }>(into: T, ...others: T[]): T {
  for (const other of others) into.merge(other);
  return into;
}

const number = fc.double({ min: -1e6, max: 1e6, noNaN: true });
const numbers = fc.array(number, { maxLength: 30 });

/** Equal but for rounding, beside the size of the numbers that went in. */
function expectNear(left: Moments, right: Moments, scale: number): void {
  expect(left.count).toBe(right.count);
  for (const [a, b, power] of [
    [left.mean, right.mean, 1],
    [left.variance, right.variance, 2],
    [left.thirdMoment, right.thirdMoment, 3],
  ] as const)
    expect(Math.abs(a - b)).toBeLessThanOrEqual(1e-10 * scale ** power);
}

describe('moments', () => {
  test('are those of the textbook', () => {
    // NIST/SEMATECH StRD, NumAcc4: 1001 values around 10,000,000.2, standard deviation exactly 0.1.
    const values = [10_000_000.2];
    for (let i = 0; i < 500; i++) values.push(10_000_000.1, 10_000_000.3);
    const moments = momentsOf(values);
    expect(moments.mean).toBeCloseTo(10_000_000.2, 8);
    expect(Math.sqrt(moments.variance)).toBeCloseTo(0.1, 7);
    expect(momentsOf([1, 2, 3, 4, 10])).toMatchObject({ count: 5, mean: 4, variance: 12.5 });
    // (-27 - 8 - 1 + 0 + 216) / 5
    expect(momentsOf([1, 2, 3, 4, 10]).thirdMoment).toBeCloseTo(36, 10);
    expect(momentsOf([7]).variance).toBe(0);
    expect(new Moments()).toMatchObject({ count: 0, mean: 0, variance: 0, thirdMoment: 0 });
  });

  test('of parts that are merged, in any order, are those of the whole', () => {
    fc.assert(
      fc.property(numbers, numbers, numbers, (a, b, c) => {
        const whole = momentsOf([...a, ...b, ...c]);
        const scale = Math.max(1, ...[...a, ...b, ...c].map((value) => Math.abs(value)));
        expectNear(merged(momentsOf(a), momentsOf(b), momentsOf(c)), whole, scale);
        expectNear(merged(momentsOf(c), merged(momentsOf(b), momentsOf(a))), whole, scale);
      }),
    );
  });
});

describe('sums over units', () => {
  const unit = fc.tuple(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 50 }));

  test('are the same, to the last digit, merged in any order', () => {
    fc.assert(
      fc.property(fc.array(unit), fc.array(unit), fc.array(unit), (a, b, c) => {
        const whole = unitSumsOf([...a, ...b, ...c]).toJSON();
        expect(merged(unitSumsOf(a), unitSumsOf(b), unitSumsOf(c)).toJSON()).toEqual(whole);
        expect(merged(unitSumsOf(c), merged(unitSumsOf(b), unitSumsOf(a))).toJSON()).toEqual(whole);
      }),
    );
  });

  test('a unit that comes back is moved, as if it had been counted once', () => {
    fc.assert(
      fc.property(fc.array(unit), unit, unit, (others, before, after) => {
        const sums = unitSumsOf([...others, before]);
        sums.move(...before, ...after);
        expect(sums.toJSON()).toEqual(unitSumsOf([...others, after]).toJSON());
      }),
    );
  });

  test('give the residuals of a ratio', () => {
    const sums = unitSumsOf([
      [1, 4],
      [3, 4],
      [0, 2],
    ]);
    expect(sums.residual(0.5, 2)).toBeCloseTo(1 + 1 + 1, 12);
    expect(sums.residual(0.5, 3)).toBeCloseTo(-1 + 1 - 1, 12);
  });
});

describe('a distribution', () => {
  const value = fc.double({ min: 0.0011, max: 1e11, noNaN: true });

  test('knows every quantile within 0.5 %', () => {
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, q) => {
          const sorted = [...values].sort((a, b) => a - b);
          const exact = sorted[Math.max(1, Math.ceil(q * values.length)) - 1]!;
          const found = distributionOf(values).quantile(q)!;
          expect(Math.abs(found / exact - 1)).toBeLessThanOrEqual(RELATIVE_ERROR + 1e-9);
        },
      ),
    );
  });

  test('of parts that are merged, in any order, is that of the whole', () => {
    const values = fc.array(value, { maxLength: 40 });
    fc.assert(
      fc.property(values, values, values, (a, b, c) => {
        const whole = distributionOf([...a, ...b, ...c]).toJSON();
        expect(merged(distributionOf(a), distributionOf(b), distributionOf(c)).toJSON()).toEqual(whole);
        expect(merged(distributionOf(c), merged(distributionOf(b), distributionOf(a))).toJSON()).toEqual(
          whole,
        );
      }),
    );
  });

  test('has a place for whatever comes, and buckets without gaps', () => {
    const distribution = distributionOf([0, -3, Number.NaN, 1e300, Number.POSITIVE_INFINITY]);
    expect(distribution.count).toBe(5);
    expect(distribution.quantile(0.6)).toBe(0);
    expect(distribution.quantile(1)! / 1e12).toBeGreaterThan(0.98);
    expect(new Distribution().quantile(0.5)).toBeNull();
    for (const bucket of [1, 2, 700, BUCKETS - 1])
      expect(lowerEnd(bucket)).toBeCloseTo(upperEnd(bucket - 1), 12);
    expect(upperEnd(BUCKETS - 1)).toBeGreaterThanOrEqual(1e12);
  });
});

describe('a count of different units', () => {
  test('is exact up to 512, and near after that', () => {
    expect(distinctOf([1, 2, 2, 1]).count).toBe(2);
    const units = Array.from({ length: EXACT_MAX }, (_, unit) => unit);
    const distinct = distinctOf([...units, ...units]);
    expect(distinct).toMatchObject({ count: EXACT_MAX, isExact: true });
    for (const limit of [600, 3_000, 20_000, 200_000]) {
      const many = new Distinct();
      for (let unit = 0; unit < limit; unit++) many.add(`user-${unit}`);
      expect(many.isExact).toBe(false);
      // Three standard errors.
      expect(Math.abs(many.count / limit - 1)).toBeLessThan(0.048);
    }
  });

  test('of parts that are merged, in any order, is that of the union, to the last register', () => {
    const units = fc.array(fc.integer({ min: 0, max: 900 }), { maxLength: 700 });
    fc.assert(
      fc.property(units, units, units, (a, b, c) => {
        const whole = distinctOf([...a, ...b, ...c]).toJSON();
        expect(merged(distinctOf(a), distinctOf(b), distinctOf(c)).toJSON()).toEqual(whole);
        expect(merged(distinctOf(c), merged(distinctOf(b), distinctOf(a))).toJSON()).toEqual(whole);
      }),
      { numRuns: 40 },
    );
  });
});

describe('the plain form', () => {
  const many = Array.from({ length: 700 }, (_, unit) => unit);

  test.each([
    ['moments', momentsOf([1, 5, 9]), Moments.fromJSON],
    ['unit-sums', unitSumsOf([[1, 4]]), UnitSums.fromJSON],
    ['distribution', distributionOf([3, 5, 400]), Distribution.fromJSON],
    ['distribution', new Distribution(), Distribution.fromJSON],
    ['distinct', distinctOf([1, 2]), Distinct.fromJSON],
    ['distinct', distinctOf(many), Distinct.fromJSON],
  ] as const)('of %s comes back as it was, and no other version or kind does', (kind, one, read) => {
    const form = JSON.parse(JSON.stringify(one));
    expect(form).toMatchObject({ kind, version: 1 });
    expect(JSON.parse(JSON.stringify(read(form)))).toEqual(form);
    for (const damaged of [null, 7, {}, { ...form, version: 2 }, { ...form, kind: 'other' }])
      expect(() => read(damaged)).toThrow(RangeError);
  });

  test.each([
    ['a count below 0', () => Moments.fromJSON({ ...momentsOf([1, 2]).toJSON(), count: -1 })],
    ['a sum that is none', () => UnitSums.fromJSON({ ...unitSumsOf([]).toJSON(), xy: Number.NaN })],
    ['another error', () => Distribution.fromJSON({ ...distributionOf([1]).toJSON(), relativeError: 0.01 })],
    ['a bucket too many', () => Distribution.fromJSON({ ...distributionOf([1]).toJSON(), from: BUCKETS })],
    ['half a call', () => Distribution.fromJSON({ ...distributionOf([1]).toJSON(), counts: [0.5] })],
    ['registers cut short', () => Distinct.fromJSON({ kind: 'distinct', version: 1, registers: 'AAAA' })],
    ['too many hashes', () => Distinct.fromJSON({ kind: 'distinct', version: 1, hashes: many })],
  ])('with %s is refused', (_, read) => {
    expect(read).toThrow(RangeError);
  });
});
