import { expect, test } from 'vitest';
import { giveBack, room } from '../../../src/proxy/slab.ts';

/** Where in memory it is. */
const place = (bytes: Buffer) => ({ memory: bytes.buffer, at: bytes.byteOffset });
const overlap = (a: Buffer, b: Buffer) =>
  a.buffer === b.buffer && a.byteOffset < b.byteOffset + b.length && b.byteOffset < a.byteOffset + a.length;

test('room that is given back is used for the next copy', () => {
  const first = room(16_384);
  giveBack(first);
  const second = room(30_000);
  expect(place(second)).toEqual(place(first));
  // The beginning of it will do: the rest was not needed.
  giveBack(second.subarray(0, 10));
  expect(place(room(1))).toEqual(place(first));
});

test('room that was not given back is never used again', () => {
  const kept = Array.from({ length: 40 }, () => room(60_000));
  for (const a of kept) for (const b of kept) if (a !== b) expect(overlap(a, b)).toBe(false);
});

test('only the last room can be given back', () => {
  const first = room(1000);
  const second = room(1000);
  giveBack(first);
  giveBack(Buffer.alloc(1000));
  const third = room(1000);
  expect([overlap(third, first), overlap(third, second)]).toEqual([false, false]);
});

test('what is larger than half a slab gets memory of its own', () => {
  const large = room(100_000);
  giveBack(large);
  expect(overlap(room(100_000), large)).toBe(false);
});
