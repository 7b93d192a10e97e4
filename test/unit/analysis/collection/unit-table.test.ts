/** Units in bounded memory: all of them, or a fair sample. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UNIT_HASH_MAX, unitHash } from '../../../../src/analysis/collection/unit-hash.ts';
import { UnitTable } from '../../../../src/analysis/collection/unit-table.ts';

const SHAPE = { sums: 2, marks: 1 };
const hashOf = (unit: number) => unitHash(`user-${unit}`, [7, 8]);

/** Each unit's number is its sum, and 1 more at each visit. */
function visit(table: UnitTable, unit: number): void {
  const row = table.add(hashOf(unit));
  if (row < 0) return;
  table.sums[row * SHAPE.sums] = unit;
  table.sums[row * SHAPE.sums + 1]!++;
  table.marks[row] = unit % 200;
}

describe('a table of units', () => {
  it('follows every unit while there is room', () => {
    const table = new UnitTable(SHAPE, 10_000);
    for (let i = 0; i < 20_000; i++) visit(table, i % 10_000);
    expect([table.size, table.followedShare]).toEqual([10_000, 1]);
    for (let unit = 0; unit < 10_000; unit++) {
      const row = table.find(hashOf(unit));
      expect([table.sums[row * 2], table.sums[row * 2 + 1], table.marks[row]]).toEqual([unit, 2, unit % 200]);
    }
    expect(table.find(hashOf(10_001))).toBe(-1);
  });

  it('then follows a half, a quarter, an eighth of them, and never more than its limit', () => {
    const table = new UnitTable(SHAPE, 1000);
    for (let unit = 0; unit < 7000; unit++) {
      visit(table, unit);
      expect(table.size).toBeLessThanOrEqual(1000);
    }
    expect(table.followedShare).toBe(1 / 8);
    expect(Math.abs(table.size - 7000 / 8)).toBeLessThan(150);
  });

  it('has a fair sample: who is in it does not depend on when it came, nor on what it did', () => {
    const forwards = new UnitTable(SHAPE, 500);
    const backwards = new UnitTable(SHAPE, 500);
    for (let unit = 0; unit < 5000; unit++) visit(forwards, unit);
    for (let unit = 4999; unit >= 0; unit--) visit(backwards, unit);
    const unitsOf = (table: UnitTable) =>
      Array.from({ length: table.size }, (_, row) => table.sums[row * 2]!).sort((a, b) => a - b);
    expect(unitsOf(forwards)).toEqual(unitsOf(backwards));
    const early = unitsOf(forwards).filter((unit) => unit < 2500).length;
    expect(Math.abs(early / forwards.size - 0.5)).toBeLessThan(0.12);
  });

  it('follows fewer from now on when there is less room', () => {
    const table = new UnitTable(SHAPE, 4000);
    for (let unit = 0; unit < 4000; unit++) visit(table, unit);
    table.limitTo(1000);
    expect(table.size).toBeLessThanOrEqual(1000);
    for (let row = 0; row < table.size; row++) expect(table.find(hashOf(table.sums[row * 2]!))).toBe(row);
  });

  it('comes back from its form as it was, and refuses another', () => {
    const table = new UnitTable(SHAPE, 300);
    for (let unit = 0; unit < 1000; unit++) visit(table, unit);
    const form = JSON.parse(JSON.stringify(table));
    const restored = UnitTable.fromJSON(form, 300);
    expect(JSON.parse(JSON.stringify(restored))).toEqual(form);
    visit(table, 5000);
    visit(restored, 5000);
    expect(restored.size).toBe(table.size);
    for (const wrong of [
      null,
      {},
      { ...form, version: 2 },
      { ...form, size: form.size + 1 },
      { ...form, hashes: 'AAAA' },
      { ...form, highest: 5 },
      { ...form, rows: form.rows.slice(8) },
    ])
      expect(() => UnitTable.fromJSON(wrong, 300)).toThrow(RangeError);
  });

  it('is what a map would be, whatever the hashes are', () => {
    const hashes = fc.integer({ min: 1, max: 40 }).map((low) => low * 2 ** 40 + (low % 3));
    fc.assert(
      fc.property(fc.array(fc.oneof(hashes, fc.maxSafeInteger().map(Math.abs))), (all) => {
        const table = new UnitTable(SHAPE, 1000);
        const counts = new Map<number, number>();
        for (const one of all.filter((hash) => hash > 0 && hash <= UNIT_HASH_MAX)) {
          table.sums[table.add(one) * 2]!++;
          counts.set(one, (counts.get(one) ?? 0) + 1);
        }
        expect(table.size).toBe(counts.size);
        for (const [hash, count] of counts) expect(table.sums[table.find(hash) * 2]).toBe(count);
      }),
    );
  });
});
