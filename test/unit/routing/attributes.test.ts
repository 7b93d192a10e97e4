import { describe, expect, it } from 'vitest';
import { Head, parseRequestHead } from '../../../src/http1/head.ts';
import { HeadAttributes, pathOf } from '../../../src/routing/attributes.ts';
import { parsePathMatch } from '../../../src/routing/match.ts';
import { pathParameters } from '../../../src/routing/path-parameters.ts';

const LIMITS = { headMaxBytes: 65_536, targetMaxBytes: 8192, fieldsMax: 100 };

function attributes(text: string): { attributes: HeadAttributes; head: Head } {
  const head = new Head();
  const bytes = Buffer.from(text, 'utf8');
  expect(parseRequestHead(head, bytes, 0, bytes.length, LIMITS)).toBe(bytes.length);
  return { attributes: new HeadAttributes(head, { identity: null, address: null }), head };
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
    read.reset(null, null);
    expect([read.cookie('a'), read.query('q')]).toEqual(['1', '1']);
  });

  it('gives the path without the query, and "/" to an absolute-form target without one', () => {
    expect(pathOf(attributes('GET /a/b?c HTTP/1.1\r\nHost: a\r\n\r\n').head)).toBe('/a/b');
    expect(pathOf(attributes('GET http://a HTTP/1.1\r\nHost: a\r\n\r\n').head)).toBe('/');
  });

  it('reads what stands in the place of a path parameter, decoded, whatever the end of the path is', () => {
    const at = (target: string, pattern: string) => {
      const { attributes: read } = attributes(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
      read.reset(pathParameters(parsePathMatch(pattern)), null);
      return read;
    };
    expect(at('/users/42/cart?x=/9', '/users/{id}/*').pathParameter('id')).toBe('42');
    expect(at('/users/42', '/users/{id}').pathParameter('id')).toBe('42');
    expect(at('/users/J%C3%BCrgen', '/users/{id}').pathParameter('id')).toBe('Jürgen');
    expect(at('/users/100%25', '/users/{id}').pathParameter('id')).toBe('100%');
    expect(at('/users/%ff', '/users/{id}').pathParameter('id')).toBe('%ff');
    expect(at('/a/b/c', '/{x}/b/{y}').pathParameter('y')).toBe('c');
    expect(at('/a/b/c', '/{x}/b/{y}').pathParameter('z')).toBeNull();
    expect(at('/a/b/c', '/*').pathParameter('x')).toBeNull();
  });

  it('reads the token of a request once, and not before somebody asks', () => {
    const { attributes: read } = attributes('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    let reads = 0;
    const source = {
      read() {
        reads++;
        return { claim: (pointer: string) => ({ value: pointer, isVerified: true }) };
      },
    };
    read.reset(null, source);
    expect(reads).toBe(0);
    expect(read.claim('/sub')).toEqual({ value: '/sub', isVerified: true });
    read.claim('/org');
    expect(reads).toBe(1);
    read.reset(null, null);
    expect(read.claim('/sub')).toBeNull();
  });
});
