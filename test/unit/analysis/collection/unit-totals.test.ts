/** Sums over units that go along with each request are those that the units have. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { CollectedRow } from '../../../../src/analysis/collection/delta.ts';
import type { Measure } from '../../../../src/analysis/collection/measure.ts';
import { unitHash } from '../../../../src/analysis/collection/unit-hash.ts';
import { UnitTotals } from '../../../../src/analysis/collection/unit-totals.ts';

const measure = (name: string, per: Measure['per'], isOnce = false): Measure => ({
  ...{ name, source: 'header', field: name, per, isOnce },
});
const SHAPE = {
  measures: [measure('value', 'value'), measure('request', 'request'), measure('once', 'unit', true)],
  variants: 3,
};

const row = fc
  .record({
    unit: fc.integer({ min: 0, max: 120 }).map((unit) => unitHash(`user-${unit}`, [3, 4])),
    assigned: fc.integer({ min: 0, max: 2 }),
    outcome: fc.integer({ min: 0, max: 3 }),
    reason: fc.integer({ min: 0, max: 2 }),
    agent: fc.integer({ min: 0, max: 4 }),
    worker: fc.constantFrom('worker 1', 'worker 2'),
    latencyMs: fc.integer({ min: 0, max: 50 }),
    bytes: fc.integer({ min: 0, max: 50 }),
    values: fc
      .array(fc.option(fc.integer({ min: -5, max: 5 }), { nil: Number.NaN }), { minLength: 3, maxLength: 3 })
      .map((values) => Float64Array.from(values)),
  })
  .map((made): CollectedRow => {
    const { assigned, latencyMs } = made;
    return { ...made, served: assigned, servedMs: latencyMs, listener: 'inbound', route: 'api' };
  });

it('whatever came, and whoever was let go to make room', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 300 }), fc.integer({ min: 1, max: 60 }), (rows, limit) => {
      const totals = new UnitTotals(SHAPE, limit);
      for (const [index, one] of rows.entries()) {
        totals.add(one);
        if (index % 7 === 0 && totals.variantOf(one.unit) >= 0) totals.addEvent(one.unit, 2, 1);
      }
      // What comes back from a form is added up from the units.
      const counted = UnitTotals.fromJSON(JSON.parse(JSON.stringify(totals)), SHAPE, limit);
      expect(totals.size).toBeLessThanOrEqual(limit);
      expect(plain(totals)).toEqual(plain(counted));
    }),
  );
});

function plain(totals: UnitTotals): unknown {
  const { arms, ...rest } = totals.sum();
  return {
    ...rest,
    arms: arms.map(({ sums, ...counts }) => ({ ...counts, sums: JSON.parse(JSON.stringify([...sums])) })),
  };
}
