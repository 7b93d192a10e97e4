/** The hash that units are followed by. */
import { describe, expect, it } from 'vitest';
import { UNIT_HASH_MAX, unitHash } from '../../../../src/analysis/collection/unit-hash.ts';

const KEY = [0x03020100, 0x07060504] as const;
const UNITS = Array.from({ length: 40_000 }, (_, index) => `user-${index}`);

describe('the hash of a unit', () => {
  it('is a whole number from 1 that fits into a double, the same each time', () => {
    for (const unit of ['', 'a', 'user-1', 'ü'.repeat(300)]) {
      const hash = unitHash(unit, KEY);
      expect(Number.isSafeInteger(hash) && hash >= 1 && hash <= UNIT_HASH_MAX).toBe(true);
      expect(unitHash(unit, KEY)).toBe(hash);
    }
  });

  it('differs for units that look alike, and under another key', () => {
    const hashes = new Set(UNITS.flatMap((unit) => [unitHash(unit, KEY), unitHash(unit, [1, 2])]));
    expect(hashes.size).toBe(2 * UNITS.length);
    expect(unitHash('ab', KEY)).not.toBe(unitHash('ab\0', KEY));
    expect(unitHash('\0', KEY)).not.toBe(unitHash('', KEY));
  });

  it('is spread evenly, by its upper bits and by its lower ones', () => {
    const upper = new Array<number>(64).fill(0);
    const lower = new Array<number>(64).fill(0);
    for (const unit of UNITS) {
      const hash = unitHash(unit, KEY);
      upper[Math.floor((hash / (UNIT_HASH_MAX + 1)) * 64)]!++;
      lower[hash & 63]!++;
    }
    // 625 in each, and a standard deviation of 25: five of them are one in a million.
    for (const count of [...upper, ...lower]) expect(Math.abs(count - UNITS.length / 64)).toBeLessThan(125);
  });
});
