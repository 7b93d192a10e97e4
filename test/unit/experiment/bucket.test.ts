import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import murmur from 'murmurhash3js-revisited';
import { expect, test } from 'vitest';
import { type Purpose, SLOTS, slotOf } from '../../../src/experiment/bucket.ts';

interface Vector {
  readonly salt: string;
  readonly purpose: Purpose;
  readonly unit: string;
  readonly hash: number;
  readonly slot: number;
}

const golden: { vectors: Vector[] } = JSON.parse(
  readFileSync(new URL('../../vectors/fairlead1.json', import.meta.url), 'utf8'),
);

/** MurmurHash3 x86 32, seed 0, from its definition: what the library is compared with. */
function reference(bytes: Uint8Array): number {
  const rotate = (x: number, by: number) => (x << by) | (x >>> (32 - by));
  const mix = (k: number) => Math.imul(rotate(Math.imul(k, 0xcc9e2d51), 15), 0x1b873593);
  const whole = bytes.length - (bytes.length % 4);
  let h = 0;
  for (let i = 0; i < whole; i += 4) {
    const k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    h = (Math.imul(rotate(h ^ mix(k), 13), 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = bytes.length - 1; i >= whole; i--) tail = (tail << 8) | bytes[i]!;
  if (whole < bytes.length) h ^= mix(tail);
  h ^= bytes.length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Chi-squared statistic of a table of counts against independence of rows and columns. */
function chiSquared(counts: readonly (readonly number[])[]): number {
  const rows = counts.map((row) => row.reduce((a, b) => a + b, 0));
  const columns = counts[0]!.map((_, c) => counts.reduce((sum, row) => sum + row[c]!, 0));
  const total = rows.reduce((a, b) => a + b, 0);
  let sum = 0;
  for (const [r, row] of counts.entries()) {
    for (const [c, seen] of row.entries()) {
      const expected = (rows[r]! * columns[c]!) / total;
      sum += (seen - expected) ** 2 / expected;
    }
  }
  return sum;
}

test('the golden vectors of fairlead1 hold', () => {
  expect(golden.vectors.length).toBe(127);
  for (const { salt, purpose, unit, slot } of golden.vectors) {
    expect({ salt, purpose, unit, slot: slotOf(salt, purpose, unit) }).toEqual({ salt, purpose, unit, slot });
  }
});

test('the library gives the published hashes at the edges of 32 bits', () => {
  const hash = (text: string) => murmur.x86.hash32(new TextEncoder().encode(text), 0);
  expect(hash('ejOoVL')).toBe(0);
  expect(hash('bY9fO-')).toBe(1);
  expect(hash('SI7p-')).toBe(0x7fffffff);
  expect(hash('6LvT0')).toBe(0x80000000);
  expect(hash('ceQdGm')).toBe(0xffffffff);
});

test('every salt, purpose and unit is hashed as UTF-8 with NULs between, whatever its length and alphabet', () => {
  const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.string({ maxLength: 300 }));
  fc.assert(
    fc.property(text, fc.constantFrom<Purpose>('enrol', 'variant'), text, (salt, purpose, unit) => {
      const hash = reference(new TextEncoder().encode(`${salt}\0${purpose}\0${unit}`));
      return slotOf(salt, purpose, unit) === Number((BigInt(hash) * 1_000_000n) >> 32n);
    }),
    { numRuns: 2000 },
  );
});

test('a long key leaves nothing behind for the short one after it', () => {
  const before = slotOf('s', 'variant', 'u');
  slotOf('a-long-salt-that-fills-the-scratch', 'variant', 'x'.repeat(200));
  slotOf('s', 'variant', 'é'.repeat(500));
  expect(slotOf('s', 'variant', 'u')).toBe(before);
});

test('a lone surrogate counts as the replacement character, as in every UTF-8 encoder', () => {
  expect(slotOf('s', 'variant', '\ud800')).toBe(slotOf('s', 'variant', '\ufffd'));
});

test('slots are spread evenly over 200,000 units', () => {
  const counts = new Array<number>(100).fill(0);
  for (let i = 0; i < 200_000; i++) counts[Math.floor(slotOf('even', 'variant', `user-${i}`) / 10_000)]!++;
  const statistic = counts.reduce((sum, seen) => sum + (seen - 2000) ** 2 / 2000, 0);
  expect(statistic).toBeLessThan(148.2); // chi-squared, 99 degrees of freedom, p = 0.001
});

test('the slots of the two purposes are independent of each other', () => {
  const counts = Array.from({ length: 10 }, () => new Array<number>(10).fill(0));
  for (let i = 0; i < 200_000; i++) {
    const enrol = Math.floor((slotOf('salt', 'enrol', `user-${i}`) * 10) / SLOTS);
    const variant = Math.floor((slotOf('salt', 'variant', `user-${i}`) * 10) / SLOTS);
    counts[enrol]![variant]!++;
  }
  expect(chiSquared(counts)).toBeLessThan(126.1); // 81 degrees of freedom, p = 0.001
});

test('the slots of two salts are independent of each other', () => {
  const counts = Array.from({ length: 10 }, () => new Array<number>(10).fill(0));
  for (let i = 0; i < 200_000; i++) {
    const one = Math.floor((slotOf('ranking-1', 'variant', `user-${i}`) * 10) / SLOTS);
    const other = Math.floor((slotOf('ranking-2', 'variant', `user-${i}`) * 10) / SLOTS);
    counts[one]![other]!++;
  }
  expect(chiSquared(counts)).toBeLessThan(126.1); // 81 degrees of freedom, p = 0.001
});
