import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  BAGGAGE_BYTES_MAX,
  isBaggage,
  readBaggage,
  withoutMalformed,
  writeBaggage,
} from '../../../src/propagation/baggage.ts';

const ours = (name: string, variant: string) => ({ name, variant });

test('only our members are read, with white space, properties and percent-encoding as W3C has them', () => {
  const text =
    'userId=alice, fairlead.a=x ,\tfairlead.b = y ; ttl=1 ;p,fairlead.c=caf%C3%A9,serverNode=DF%2028,fairlead.d=1=2';
  expect(readBaggage(text)).toEqual([ours('a', 'x'), ours('b', 'y'), ours('c', 'café'), ours('d', '1=2')]);
});

test('a member of ours that makes no sense is left out', () => {
  expect(
    readBaggage('fairlead.a=%zz,fairlead.b,fairlead.=x,fairlead.c=,fairlead.d;x=y,fairlead.e=%C3'),
  ).toEqual([]);
  expect(readBaggage('xfairlead.a=x,FAIRLEAD.b=y')).toEqual([]);
});

test('ours are added behind what is there, which stays byte for byte', () => {
  const others = 'key1=value1;property1;property2, key2 = value2,\tkey3=value3; propertyKey=propertyValue';
  expect(writeBaggage(others, [ours('checkout', 'candidate')])).toBe(`${others},fairlead.checkout=candidate`);
});

test('a member of the same experiment is replaced where it stands, other experiments’ stay', () => {
  expect(
    writeBaggage('a=1, fairlead.checkout=control;p=1 ,fairlead.x=y, b=2', [ours('checkout', 'candidate')]),
  ).toBe('a=1,fairlead.checkout=candidate;p=1,fairlead.x=y, b=2');
});

test('what is replaced keeps its properties, and ours that make no sense go while others’ stay', () => {
  const text = 'x y,fairlead.a = 1 ; ttl=3 ;p , fairlead.b=%zz,fairlead.c,=,fairlead.d=a b,k=%zz';
  expect(writeBaggage(text, [ours('a', 'x')])).toBe('x y,fairlead.a=x; ttl=3 ;p,=,k=%zz');
  const malformed: string[] = [];
  expect(readBaggage(text, malformed)).toEqual([ours('a', '1')]);
  expect(malformed).toEqual([' fairlead.b=%zz', 'fairlead.c', 'fairlead.d=a b']);
});

test('repetitions of ours are removed', () => {
  expect(writeBaggage('fairlead.a=1,b=2,fairlead.a=3', [ours('a', 'x')])).toBe('fairlead.a=x,b=2');
});

test('without baggage it is ours alone, and without ours it is what it was', () => {
  expect(writeBaggage(null, [ours('a', 'x'), ours('b', 'y')])).toBe('fairlead.a=x,fairlead.b=y');
  expect(writeBaggage('  ', [ours('a', 'x')])).toBe('fairlead.a=x');
  expect(writeBaggage(' k = v ,, w', [])).toBe(' k = v ,, w');
  expect(writeBaggage(null, [])).toBe('');
  expect(writeBaggage('', [])).toBe('');
});

test('a variant is percent-encoded and read back', () => {
  const text = writeBaggage(null, [ours('a', 'né w,;="\\')]);
  expect(text).toMatch(/^fairlead\.a=[!-~]+$/);
  expect(text).not.toMatch(/[,;"\\ ]/);
  expect(readBaggage(text)).toEqual([ours('a', 'né w,;="\\')]);
});

test('a name that cannot be a key is left out', () => {
  expect(writeBaggage('k=v', [ours('a b', 'x'), ours('c', 'y')])).toBe('k=v,fairlead.c=y');
});

test('others are never dropped for ours: with 64 members there is no room, but one of ours is still replaced', () => {
  const full = Array.from({ length: 63 }, (_, i) => `k${i}=v`).join(',');
  expect(writeBaggage(full, [ours('a', 'x'), ours('b', 'y')])).toBe(`${full},fairlead.a=x`);
  expect(writeBaggage(`${full},fairlead.b=old`, [ours('a', 'x'), ours('b', 'y')])).toBe(
    `${full},fairlead.b=y`,
  );
  const over = Array.from({ length: 100 }, (_, i) => `k${i}=v`).join(',');
  expect(writeBaggage(over, [ours('a', 'x')])).toBe(over);
});

test('ours are added up to 8192 bytes and not beyond', () => {
  const added = ',fairlead.a=x';
  const fits = `k=${'v'.repeat(BAGGAGE_BYTES_MAX - 2 - added.length)}`;
  expect(writeBaggage(fits, [ours('a', 'x')])).toBe(fits + added);
  expect(writeBaggage(`${fits}v`, [ours('a', 'x')])).toBe(`${fits}v`);
});

test('others’ members survive in order whatever they look like', () => {
  const other = fc
    .string({ maxLength: 20, unit: fc.constantFrom(...'ab.=;% \t-é"') })
    .filter((text) => text.trim() !== '');
  const names = fc.uniqueArray(fc.constantFrom('one', 'two', 'three'), { maxLength: 3 });
  fc.assert(
    fc.property(fc.array(other, { minLength: 1, maxLength: 10 }), names, names, (others, before, now) => {
      const parts = [...others];
      for (const [i, name] of before.entries()) parts.splice(i * 2, 0, ` fairlead.${name}=old;p`);
      const text = writeBaggage(
        parts.join(','),
        now.map((name) => ours(name, 'new')),
      );
      const isOurs = (part: string) => now.some((name) => part.trim().startsWith(`fairlead.${name}=`));
      expect(text.split(',').filter((part) => !isOurs(part))).toEqual(parts.filter((part) => !isOurs(part)));
      expect(readBaggage(text).filter(({ name }) => now.includes(name as 'one')).length).toBe(now.length);
    }),
    { numRuns: 1000 },
  );
});

test('the examples of the W3C specification and of its test suite are read', () => {
  const golden: { members: { name: string; lines: string[]; members: [string, string][] }[] } = JSON.parse(
    readFileSync(new URL('../../vectors/w3c-baggage.json', import.meta.url), 'utf8'),
  );
  expect(golden.members.length).toBe(15);
  for (const { name, lines, members } of golden.members) {
    const read = readBaggage(lines.join(', ')).map((member) => [member.name, member.variant]);
    expect({ name, read }).toEqual({ name, read: members });
  }
});

test.each([
  'a=1',
  'a=',
  ' a\t= 1 ;p; q = ; r=%zz , b=c=d ,, \t,',
  "!#$%&'*+-.^_`|~aZ0=!#$%&'()*+-./:<=>?@[]^_`{|}~",
  '',
])('%j is baggage, and stays as it is', (text) => {
  expect([isBaggage(text), withoutMalformed(text)]).toEqual([true, text]);
});

test.each([
  ['bad', ''],
  ['x=1,,bad bad', 'x=1'],
  ['=, a=1 ,b=2;', 'a=1'],
  ['a="1", b=2 ', 'b=2'],
  ['a=1 2,b=\\,c(=d,e=é,f=g;=h,i=j;k l,m=n', 'm=n'],
  ['a=1,\x00,b=2', 'a=1,b=2'],
])('%j is not, and without what is malformed it is %j', (text, expected) => {
  expect([isBaggage(text), withoutMalformed(text)]).toEqual([false, expected]);
});

test('a member of ours that makes no sense is malformed although its form is right', () => {
  const text = 'a=1,fairlead.a=%zz, fairlead.b=,fairlead.=c,fairlead.d=e;p';
  expect([isBaggage(text), withoutMalformed(text)]).toEqual([true, 'a=1,fairlead.d=e;p']);
});

test('what is left of a list is the members that are well-formed alone, in their order', () => {
  const part = fc.string({ maxLength: 12, unit: fc.constantFrom(...'ab.=;% \t-é"') });
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 8 }), (parts) => {
      const text = parts.join(',');
      const good = parts.filter((one) => isBaggage(one));
      expect(isBaggage(text)).toBe(good.length === parts.length);
      const rest = withoutMalformed(text);
      expect(isBaggage(rest)).toBe(true);
      const named = (list: readonly string[]) => list.map((one) => one.trim()).filter((one) => one !== '');
      expect(named(rest.split(','))).toEqual(named(good));
    }),
    { numRuns: 1000 },
  );
});

test('a megabyte of what is nearly baggage is refused in one pass', () => {
  for (const piece of ['a= ', 'a=1, ', ' ', 'a', 'a=b;p= ;', ','])
    expect(isBaggage(`${piece.repeat(1_048_576 / piece.length)}"`)).toBe(false);
});

test('64 members, and 8192 bytes, go through with one of ours among them', () => {
  const members = Array.from({ length: 63 }, (_, i) => `key${i}=value`).join(',');
  expect(writeBaggage(members, [ours('a', 'x')]).split(',')).toHaveLength(64);
  const long = `a=${'0123456789'.repeat(817)}`;
  const written = writeBaggage(long, [ours('abc', 'x')]);
  expect([written, written.length]).toEqual([`${long},fairlead.abc=x`, 8187]);
});
