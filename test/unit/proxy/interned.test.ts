/** What is the same is one object: `src/proxy/interned.ts`. */
import { describe, expect, test } from 'vitest';
import { Interned } from '../../../src/proxy/interned.ts';

describe('what is interned', () => {
  const group = {};

  test('is the object from before that holds the very same', () => {
    const interned = new Interned<{ group: object; ms: number }>();
    const first = interned.of({ group, ms: 5 });
    expect(interned.of({ group, ms: 5 })).toBe(first);
  });

  test('is itself when it holds something else, even if that looks the same', () => {
    const interned = new Interned<{ group: object; ms: number }>();
    const first = interned.of({ group, ms: 5 });
    expect(interned.of({ group, ms: 6 })).not.toBe(first);
    expect(interned.of({ group: {}, ms: 5 })).not.toBe(first);
    expect(interned.of({ group, ms: 5 })).toBe(first);
  });

  test('is compared with a few only, so that a thousand differences cost no more than a hundred', () => {
    const interned = new Interned<{ ms: number }>();
    const first = interned.of({ ms: 0 });
    for (let ms = 1; ms <= 32; ms++) interned.of({ ms });
    expect(interned.of({ ms: 0 })).not.toBe(first);
  });
});
