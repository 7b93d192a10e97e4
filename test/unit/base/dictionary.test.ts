import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isDictionaryKey, parseDictionary, serialiseMember } from '../../../src/base/dictionary.ts';

interface Vector {
  readonly name: string;
  readonly text: string;
  readonly members: readonly [key: string, value: string | null, raw: string][] | null;
}

const golden: { vectors: Vector[] } = JSON.parse(
  readFileSync(new URL('../../vectors/rfc9651-dictionary.json', import.meta.url), 'utf8'),
);

test('the vectors for RFC 9651 dictionaries hold', () => {
  expect(golden.vectors.length).toBeGreaterThan(60);
  for (const { name, text, members } of golden.vectors) {
    const seen = parseDictionary(text);
    expect({ name, members: seen?.map(({ key, value, raw }) => [key, value, raw]) ?? null }).toEqual({
      name,
      members,
    });
  }
});

const key = fc.stringMatching(/^[a-z*][a-z0-9_.*-]{0,8}$/);
const bareItem = fc.oneof(
  fc.stringMatching(/^[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]{0,8}$/),
  fc.stringMatching(/^"([ !#-[\]-~]|\\["\\]){0,8}"$/),
  fc.stringMatching(/^-?[0-9]{1,15}$/),
  fc.stringMatching(/^-?[0-9]{1,12}\.[0-9]{1,3}$/),
  fc.stringMatching(/^:([A-Za-z0-9+/]{4}){0,3}:$/),
  fc.stringMatching(/^@-?[0-9]{1,12}$/),
  fc.constantFrom('?0', '?1', '%"f%c3%bc"'),
);
const parameters = fc
  .array(fc.tuple(fc.constantFrom('', ' '), key, fc.option(bareItem)), { maxLength: 2 })
  .map((all) =>
    all.map(([space, name, value]) => `;${space}${name}${value === null ? '' : `=${value}`}`).join(''),
  );
const item = fc.tuple(bareItem, parameters).map((parts) => parts.join(''));
const innerList = fc.array(item, { maxLength: 3 }).map((items) => `( ${items.join(' ')} )`);
const memberText = fc
  .tuple(key, fc.oneof(fc.constant(''), bareItem, innerList), parameters)
  .map(([name, value, rest]) => `${name}${value === '' ? '' : `=${value}`}${rest}`);
const comma = fc.constantFrom(',', ', ', ' ,', '\t,  ');

test('whatever the grammar allows is parsed, and each member keeps its text', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(memberText, { minLength: 1, maxLength: 6, selector: keyOf }),
      comma,
      (texts, separator) => {
        const members = parseDictionary(texts.join(separator));
        expect(members?.map((member) => member.raw)).toEqual(texts);
        expect(members?.map((member) => member.key)).toEqual(texts.map(keyOf));
      },
    ),
    { numRuns: 1000 },
  );
});

function keyOf(member: string): string {
  return /^[a-z*][a-z0-9_.*-]*/.exec(member)![0];
}

test('a parsed dictionary written from its raw members parses to the same', () => {
  const text = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.string({ maxLength: 40, unit: fc.constantFrom(...'ab1=,;()"\\ ?:@%-.*\t') }),
    fc.array(memberText, { maxLength: 4 }).map((members) => members.join(', ')),
  );
  fc.assert(
    fc.property(text, (input) => {
      const members = parseDictionary(input);
      if (members === null) return;
      expect(parseDictionary(members.map((member) => member.raw).join(', '))).toEqual(members);
    }),
    { numRuns: 5000 },
  );
});

test('cutting a dictionary anywhere gives a dictionary or null, never a throw', () => {
  const text = 'a=(1 "x\\"y";p);q=?0, b="c\\\\", c=:aGk=:, d=@1, e=%"%c3%bc", f=1.5;g';
  for (let end = 0; end <= text.length; end++) {
    const members = parseDictionary(text.slice(0, end));
    expect(members === null || members.length > 0 || end === 0).toBe(true);
  }
});

test('a value is written as a token where it can be and else as a string', () => {
  expect(serialiseMember('checkout', 'candidate')).toBe('checkout=candidate');
  expect(serialiseMember('checkout', '2nd')).toBe('checkout="2nd"');
  expect(serialiseMember('checkout', 'a b')).toBe('checkout="a b"');
  expect(serialiseMember('checkout', 'a"b\\')).toBe('checkout="a\\"b\\\\"');
  expect(serialiseMember('checkout', '')).toBe('checkout=""');
});

test('a key or a value that a dictionary cannot hold is not written', () => {
  expect(serialiseMember('Checkout', 'x')).toBe(null);
  expect(serialiseMember('', 'x')).toBe(null);
  expect(serialiseMember('a b', 'x')).toBe(null);
  expect(serialiseMember('checkout', 'é')).toBe(null);
  expect(serialiseMember('checkout', 'a\r\nx-evil: 1')).toBe(null);
});

test('what is written is read back', () => {
  fc.assert(
    fc.property(key, fc.string({ maxLength: 20 }), (name, value) => {
      const text = serialiseMember(name, value);
      if (text === null) return;
      expect(parseDictionary(text)).toEqual([{ key: name, value, raw: text }]);
    }),
  );
});

test('keys begin with a lower-case letter or a star', () => {
  for (const good of ['a', '*', 'checkout-2', 'a.b_c*']) expect(isDictionaryKey(good)).toBe(true);
  for (const bad of ['', 'A', '1a', '-a', 'a b', 'a=b', 'ä']) expect(isDictionaryKey(bad)).toBe(false);
});
