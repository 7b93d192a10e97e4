import { expect, test } from 'vitest';
import { atPointer, parsePointer } from '../../../src/base/json-pointer.ts';

/** The document of RFC 6901 section 5. */
const RFC = {
  foo: ['bar', 'baz'],
  '': 0,
  'a/b': 1,
  'c%d': 2,
  'e^f': 3,
  'g|h': 4,
  'i\\j': 5,
  'k"l': 6,
  ' ': 7,
  'm~n': 8,
};

function at(tree: unknown, pointer: string): unknown {
  return atPointer(tree, parsePointer(pointer)!);
}

test.each([
  ['/foo', ['bar', 'baz']],
  ['/foo/0', 'bar'],
  ['/', 0],
  ['/a~1b', 1],
  ['/c%d', 2],
  ['/e^f', 3],
  ['/g|h', 4],
  ['/i\\j', 5],
  ['/k"l', 6],
  ['/ ', 7],
  ['/m~0n', 8],
])('RFC 6901: %s', (pointer, value) => {
  expect(at(RFC, pointer)).toEqual(value);
});

test('~01 is ~1 and no slash', () => {
  expect(at({ '~1': 'yes', '/': 'no' }, '/~01')).toBe('yes');
});

test.each(['sub', '', '/a~', '/a~2', `/${'a/'.repeat(40)}`, `/${'a'.repeat(1024)}`])(
  'is no pointer: %s',
  (text) => {
    expect(parsePointer(text)).toBeNull();
  },
);

test.each([
  '/foo/00',
  '/foo/-',
  '/foo/2',
  '/foo/length',
  '/foo/0/0',
  '/constructor',
  '/__proto__',
  '/foo/+1',
])('nothing is at %s', (pointer) => {
  expect(at(RFC, pointer)).toBeUndefined();
});
