import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  readSticky,
  STICKY_MAX_CHARS,
  type StickyMacKey,
  type StickyTextEntry,
  writeSticky,
} from '../../../src/propagation/sticky.ts';

const keyOf = (id: string, text: string): StickyMacKey => ({ id, key: createSecretKey(Buffer.from(text)) });
const KEY = keyOf('k1', 'a secret of thirty-two characters');
const OTHER = keyOf('k2', 'another one of thirty-two characters');
const ENTRY: StickyTextEntry = {
  experiment: 'ranking',
  variant: 'candidate',
  bucketVersion: 1,
  issuedS: 1_800_000_000,
  enrolSlot: 0,
};
const OUT: StickyTextEntry = { ...ENTRY, experiment: 'search', variant: null, enrolSlot: 250_000 };

const name = (first: string) =>
  fc.stringMatching(new RegExp(`^[${first}][A-Za-z0-9_.-]{0,62}$`)).map((text) => text.toLowerCase());
const entries = fc.uniqueArray(
  fc
    .record({
      experiment: name('a-z'),
      variant: fc.option(name('a-zA-Z')),
      bucketVersion: fc.integer({ min: 1, max: 999_999_999 }),
      issuedS: fc.integer({ min: 0, max: 4_000_000_000 }),
      slot: fc.integer({ min: 0, max: 1_000_000 }),
    })
    .map(({ slot, ...entry }) => ({ ...entry, enrolSlot: entry.variant === null ? slot : 0 })),
  { minLength: 1, maxLength: 10, selector: (entry) => entry.experiment },
);

describe('sticky assignments as text', () => {
  test('can be read again, whatever they are, and need no encoding in a cookie', () => {
    fc.assert(
      fc.property(entries, (given) => {
        const text = writeSticky(given, 'fairlead_sticky', KEY, STICKY_MAX_CHARS)!;
        expect(text).toMatch(/^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+$/);
        const read = readSticky(text, 'fairlead_sticky', [OTHER, KEY]);
        const byAge = [...given].sort((one, other) => other.issuedS - one.issuedS);
        expect(read).toEqual({ entries: byAge, keyIndex: 1 });
      }),
    );
  });

  test('no changed, cut or longer text counts', () => {
    const text = writeSticky([ENTRY, OUT], 'n', KEY, STICKY_MAX_CHARS)!;
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.integer({ min: 0x20, max: 0x7e }), (at, code) => {
        const changed = text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
        fc.pre(changed !== text);
        expect(typeof readSticky(changed, 'n', [KEY])).toBe('string');
      }),
      { numRuns: 1000 },
    );
    for (let end = 0; end < text.length; end++)
      expect(typeof readSticky(text.slice(0, end), 'n', [KEY])).toBe('string');
    expect(typeof readSticky(`${text}~`, 'n', [KEY])).toBe('string');
  });

  test('whatever the text, there is an answer', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ size: 'large' }), fc.stringMatching(/^1:k1:[\w-]{43}:.*$/)),
        (text) => {
          expect(typeof readSticky(text, 'n', [KEY])).toBe('string');
        },
      ),
    );
  });

  test('are bound to their name and to their key, whatever its id', () => {
    const text = writeSticky([ENTRY], 'n', KEY, STICKY_MAX_CHARS)!;
    expect(readSticky(text, 'm', [KEY])).toBe('forged');
    expect(readSticky(text, 'n', [keyOf('k1', 'another one of thirty-two characters')])).toBe('forged');
    expect(readSticky(text, 'n', [OTHER])).toBe('unknown-key');
    expect(readSticky(text, 'n', [])).toBe('unknown-key');
  });

  test('that are signed and make no sense are malformed', () => {
    for (const bad of [
      { ...ENTRY, experiment: 'Ranking' },
      { ...ENTRY, variant: '1st' },
      { ...ENTRY, bucketVersion: 0 },
      { ...ENTRY, issuedS: 36 ** 8 },
    ])
      expect(readSticky(writeSticky([bad], 'n', KEY, STICKY_MAX_CHARS)!, 'n', [KEY])).toBe('malformed');
  });

  test('that do not fit leave out the oldest', () => {
    const many = Array.from({ length: 200 }, (_, index) => ({
      ...ENTRY,
      experiment: `experiment-${index}`,
      issuedS: 1_800_000_000 + index,
    }));
    const text = writeSticky(many, 'n', KEY, 1000)!;
    expect(text.length).toBeLessThanOrEqual(1000);
    const read = readSticky(text, 'n', [KEY]);
    expect(typeof read === 'string' ? [] : read.entries.map(({ experiment }) => experiment)).toEqual(
      many
        .map(({ experiment }) => experiment)
        .reverse()
        .slice(0, typeof read === 'string' ? 0 : read.entries.length),
    );
    expect(writeSticky([ENTRY], 'n', KEY, 60)).toBeNull();
    expect(writeSticky([], 'n', KEY, 1000)).toBeNull();
  });

  test('are one entry behind the other, with short times', () => {
    const text = writeSticky([ENTRY, OUT], 'n', KEY, STICKY_MAX_CHARS)!;
    expect(text).toMatch(/^1:k1:[\w-]{43}:ranking:candidate:1:tro8w0~search::1:tro8w0:5cwg$/);
  });
});
