import { describe, expect, it } from 'vitest';
import { Head, parseRequestHead } from '../../../src/http1/head.ts';
import { HeadAttributes, pathOf } from '../../../src/routing/attributes.ts';

const LIMITS = { headMaxBytes: 65_536, targetMaxBytes: 8192, fieldsMax: 100 };

function attributes(text: string): { attributes: HeadAttributes; head: Head } {
  const head = new Head();
  const bytes = Buffer.from(text, 'utf8');
  expect(parseRequestHead(head, bytes, 0, bytes.length, LIMITS)).toBe(bytes.length);
  return { attributes: new HeadAttributes(head, null), head };
}

describe('request attributes', () => {
  it('reads the same unit id from a header as UTF-8 and from the query percent-encoded', () => {
    const { attributes: read } = attributes(
      'GET /a?user=J%C3%BCrgen HTTP/1.1\r\nHost: a\r\nx-user: Jürgen\r\n\r\n',
    );
    expect(read.header('x-user')).toBe('Jürgen');
    expect(read.query('user')).toBe('Jürgen');
  });

  it('reads cookies over several Cookie fields', () => {
    const { attributes: read } = attributes(
      'GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1; b=2\r\nCookie: c=3\r\n\r\n',
    );
    expect([read.cookie('a'), read.cookie('b'), read.cookie('c'), read.cookie('d')]).toEqual([
      '1',
      '2',
      '3',
      null,
    ]);
  });

  it('forgets the cookies of the request before', () => {
    const { attributes: read } = attributes('GET /?q=1 HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\n\r\n');
    expect([read.cookie('a'), read.query('q')]).toEqual(['1', '1']);
    read.reset();
    expect([read.cookie('a'), read.query('q')]).toEqual(['1', '1']);
  });

  it('gives the path without the query, and "/" to an absolute-form target without one', () => {
    expect(pathOf(attributes('GET /a/b?c HTTP/1.1\r\nHost: a\r\n\r\n').head)).toBe('/a/b');
    expect(pathOf(attributes('GET http://a HTTP/1.1\r\nHost: a\r\n\r\n').head)).toBe('/');
  });
});
