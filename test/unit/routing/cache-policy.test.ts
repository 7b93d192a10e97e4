import { expect, test } from 'vitest';
import { Head, parseResponseHead } from '../../../src/http1/head.ts';
import { type CachePolicy, cacheLines, isFromCache } from '../../../src/routing/cache-policy.ts';

const LIMITS = { headMaxBytes: 65_536, targetMaxBytes: 8192, fieldsMax: 100 };

function headOf(...fields: string[]): Head {
  const text = ['HTTP/1.1 200 OK', ...fields, '', ''].join('\r\n');
  const head = new Head();
  expect(parseResponseHead(head, Buffer.from(text), 0, text.length, LIMITS)).toBe(text.length);
  return head;
}

const VARY: CachePolicy = { vary: 'x-user-id', isPrivate: false, keyHint: null };
const PRIVATE: CachePolicy = { vary: null, isPrivate: true, keyHint: null };

test('only answers to GET and HEAD that may be stored are told about', () => {
  for (const method of ['GET', 'HEAD'])
    expect(cacheLines(VARY, method, headOf())).toBe('vary: x-user-id\r\n');
  for (const method of ['POST', 'PUT', 'get', 'OPTIONS']) expect(cacheLines(VARY, method, headOf())).toBe('');
  expect(cacheLines(VARY, 'GET', headOf('Cache-Control: No-Store'))).toBe('');
  expect(cacheLines(VARY, 'GET', headOf('Cache-Control: max-age=1', 'Cache-Control: no-store'))).toBe('');
});

test.each([
  ['', true],
  ['public', true],
  ['max-age=60', true],
  ['private="x-a"', true],
  ['x-private', true],
  ['private-ish', true],
  ['no-store', false],
  ['private', false],
  ['PRIVATE, max-age=1', false],
  ['max-age=1,private', false],
])('Cache-Control: %s gets private: %s', (control, isAdded) => {
  const head = control === '' ? headOf() : headOf(`Cache-Control: ${control}`);
  expect(cacheLines(PRIVATE, 'GET', head)).toBe(isAdded ? 'cache-control: private\r\n' : '');
});

test.each([
  ['Age: 1', true],
  ['Age: 0', false],
  ['Age: -1', false],
  ['Age: 1.5', false],
  ['Age: 007', true],
  ['Age: 99999999999', true],
  ['X-Cache: HIT', true],
  ['X-Cache: MISS, HIT', true],
  ['X-Cache: TCP_MEM_HIT', true],
  ['X-Cache: white', false],
  ['X-Cache: MISS', false],
  ['Cache-Status: a; fwd=uri-miss, b; hit', true],
  ['Cache-Status: a;hit;ttl=3', true],
  ['Cache-Status: hit; fwd=miss', false],
])('%s is from a cache: %s', (field, expected) => {
  expect(isFromCache(headOf(field))).toBe(expected);
});
