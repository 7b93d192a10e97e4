/** Which route wins: `src/routing/match.ts`. */
import { describe, expect, test } from 'vitest';
import {
  formatPathMatch,
  hostName,
  parsePathMatch,
  type RouteMatch,
  RouteTable,
} from '../../../src/routing/match.ts';

interface Spec {
  hosts?: string[];
  path?: string;
  methods?: string[];
}

function table(routes: Record<string, Spec>): RouteTable<string> {
  return new RouteTable(
    Object.entries(routes).map(([value, { hosts = [], path = '/*', methods = [] }]) => {
      const match: RouteMatch = { hosts, path: parsePathMatch(path), methods };
      return { match, value };
    }),
  );
}

describe('paths', () => {
  test('an exact path matches itself and nothing below or beside it', () => {
    const routes = table({ health: { path: '/health' } });
    expect(routes.match('', '/health', 'GET')).toBe('health');
    for (const path of ['/', '/healthy', '/health/', '/health/x', '/Health', '/x/health']) {
      expect(routes.match('', path, 'GET'), path).toBeNull();
    }
  });

  test('a prefix matches itself and whole segments below it', () => {
    const routes = table({ api: { path: '/api/*' } });
    for (const path of ['/api', '/api/', '/api/x', '/api/x/y', '/api//']) {
      expect(routes.match('', path, 'GET'), path).toBe('api');
    }
    for (const path of ['/', '/apis', '/ap', '/x/api'])
      expect(routes.match('', path, 'GET'), path).toBeNull();
  });

  test('the longest prefix wins, whatever the order of declaration', () => {
    const routes = table({ all: { path: '/*' }, deep: { path: '/a/b/*' }, shallow: { path: '/a/*' } });
    expect(routes.match('', '/a/b/c', 'GET')).toBe('deep');
    expect(routes.match('', '/a/c', 'GET')).toBe('shallow');
    expect(routes.match('', '/b', 'GET')).toBe('all');
  });

  test('an exact path beats the prefix that also matches it', () => {
    const routes = table({ prefix: { path: '/a/*' }, exact: { path: '/a' } });
    expect(routes.match('', '/a', 'GET')).toBe('exact');
    expect(routes.match('', '/a/', 'GET')).toBe('prefix');
  });

  test('a parameter takes one segment that is not empty', () => {
    const routes = table({ user: { path: '/users/{id}' } });
    expect(routes.match('', '/users/7', 'GET')).toBe('user');
    for (const path of ['/users', '/users/', '/users/7/', '/users/7/x']) {
      expect(routes.match('', path, 'GET'), path).toBeNull();
    }
  });

  test('a literal segment beats a parameter, which beats the star', () => {
    const routes = table({
      star: { path: '/u/*' },
      id: { path: '/u/{id}/posts' },
      me: { path: '/u/me/posts' },
    });
    expect(routes.match('', '/u/me/posts', 'GET')).toBe('me');
    expect(routes.match('', '/u/7/posts', 'GET')).toBe('id');
    expect(routes.match('', '/u/7/likes', 'GET')).toBe('star');
  });

  test('segments that nothing branches off are matched whole', () => {
    const routes = table({ one: { path: '/a/b/c/*' }, two: { path: '/a/bb/c' }, empty: { path: '/e//f' } });
    for (const path of ['/a/b/c', '/a/b/c/', '/a/b/c/d'])
      expect(routes.match('', path, 'GET'), path).toBe('one');
    expect(routes.match('', '/a/bb/c', 'GET')).toBe('two');
    expect(routes.match('', '/e//f', 'GET')).toBe('empty');
    for (const path of [
      '/a',
      '/a/',
      '/a/b',
      '/a/b/',
      '/a/b/cc',
      '/a/b/d',
      '/a/bb/c/',
      '/a/b%2fc',
      '/e/f',
      '/e//',
    ])
      expect(routes.match('', path, 'GET'), path).toBeNull();
  });

  test('ten thousand routes are told apart', () => {
    const routes = new RouteTable(
      Array.from({ length: 10_000 }, (_, index) => ({
        match: { hosts: [], path: parsePathMatch(`/service-${index}/items/*`), methods: [] },
        value: index,
      })),
    );
    for (let index = 0; index < 10_000; index++)
      expect(routes.match('', `/service-${index}/items/7`, 'GET')).toBe(index);
    for (const path of [
      '/service-10000/items/7',
      '/service-/items',
      '/service-1',
      '/service-1/item',
      '/items/1',
    ])
      expect(routes.match('', path, 'GET'), path).toBeNull();
  });

  test('a literal that leads nowhere does not hide a parameter that leads somewhere', () => {
    const routes = table({ me: { path: '/u/me/posts' }, likes: { path: '/u/{id}/likes' } });
    expect(routes.match('', '/u/me/likes', 'GET')).toBe('likes');
  });

  test('a parameter may be followed by a star', () => {
    const routes = table({ files: { path: '/u/{id}/*' } });
    expect(routes.match('', '/u/7', 'GET')).toBe('files');
    expect(routes.match('', '/u/7/a/b', 'GET')).toBe('files');
    expect(routes.match('', '/u', 'GET')).toBeNull();
  });

  test('nothing is decoded or normalised before it is compared', () => {
    const routes = table({ api: { path: '/api/*' }, rest: {} });
    for (const path of ['/%61pi/x', '//api/x', '/./api/x', '/x/../api']) {
      expect(routes.match('', path, 'GET'), path).toBe('rest');
    }
  });

  test('an empty path is the root, and the asterisk of OPTIONS takes the catch-all only', () => {
    const routes = table({ root: { path: '/' }, rest: {} });
    expect(routes.match('', '', 'GET')).toBe('root');
    expect(routes.match('', '/', 'GET')).toBe('root');
    expect(routes.match('', '*', 'OPTIONS')).toBe('rest');
    expect(table({ root: { path: '/' } }).match('', '*', 'OPTIONS')).toBeNull();
  });
});

describe('hosts', () => {
  const routes = table({
    any: {},
    wide: { hosts: ['*.example.com'] },
    narrow: { hosts: ['*.eu.example.com'] },
    exact: { hosts: ['api.eu.example.com'] },
  });

  test('an exact host beats the longest suffix, which beats any host', () => {
    expect(routes.match('api.eu.example.com', '/', 'GET')).toBe('exact');
    expect(routes.match('x.eu.example.com', '/', 'GET')).toBe('narrow');
    expect(routes.match('a.b.example.com', '/', 'GET')).toBe('wide');
    expect(routes.match('example.org', '/', 'GET')).toBe('any');
  });

  test('a suffix does not match its own domain or another that ends the same', () => {
    expect(routes.match('example.com', '/', 'GET')).toBe('any');
    expect(routes.match('badexample.com', '/', 'GET')).toBe('any');
  });

  test('the port, the case and the dot of a full name do not matter', () => {
    for (const host of ['API.EU.example.com:8080', 'api.eu.example.com.', 'api.eu.example.com.:80']) {
      expect(routes.match(host, '/', 'GET'), host).toBe('exact');
    }
  });

  test('a host that has no route for the path falls back to routes for any host', () => {
    const mixed = table({ api: { hosts: ['a.test'], path: '/api/*' }, rest: {} });
    expect(mixed.match('a.test', '/api/x', 'GET')).toBe('api');
    expect(mixed.match('a.test', '/x', 'GET')).toBe('rest');
  });

  test('the host counts before the path', () => {
    const mixed = table({ host: { hosts: ['a.test'] }, path: { path: '/a/b/c' } });
    expect(mixed.match('a.test', '/a/b/c', 'GET')).toBe('host');
  });

  test('an IPv6 authority keeps its brackets and loses its port', () => {
    expect(hostName('[2001:DB8::1]:8080')).toBe('[2001:db8::1]');
    expect(hostName('[::1]')).toBe('[::1]');
    expect(hostName('a:1')).toBe('a');
  });
});

describe('methods', () => {
  test('a route that names the method beats one that takes any, on the same path', () => {
    const routes = table({ any: { path: '/a' }, write: { path: '/a', methods: ['POST', 'PUT'] } });
    expect(routes.match('', '/a', 'GET')).toBe('any');
    expect(routes.match('', '/a', 'PUT')).toBe('write');
  });

  test('a path whose method does not fit falls through to a less specific path', () => {
    const routes = table({ read: { path: '/a', methods: ['GET'] }, rest: {} });
    expect(routes.match('', '/a', 'POST')).toBe('rest');
    expect(table({ read: { path: '/a', methods: ['GET'] } }).match('', '/a', 'POST')).toBeNull();
  });

  test('the path counts before the method', () => {
    const routes = table({ method: { path: '/*', methods: ['GET'] }, path: { path: '/a' } });
    expect(routes.match('', '/a', 'GET')).toBe('path');
  });
});

describe('the table', () => {
  test('of two equal routes the first declared wins', () => {
    expect(table({ one: { path: '/a/{x}' }, two: { path: '/a/{y}' } }).match('', '/a/1', 'GET')).toBe('one');
  });

  test('keeps every value in the order of declaration and cannot be changed', () => {
    const routes = table({ b: {}, a: { path: '/a' } });
    expect(routes.all).toEqual(['b', 'a']);
    expect(() => (routes.all as string[]).push('c')).toThrow(TypeError);
  });

  test('an empty table matches nothing', () => {
    expect(table({}).match('a', '/', 'GET')).toBeNull();
  });
});

describe('reading a path', () => {
  test.each([
    ['/', { kind: 'exact', value: '/' }],
    ['/a/b', { kind: 'exact', value: '/a/b' }],
    ['/*', { kind: 'prefix', value: '/' }],
    ['/a/*', { kind: 'prefix', value: '/a/' }],
  ])('reads %s', (text, match) => {
    expect(parsePathMatch(text)).toEqual(match);
    expect(formatPathMatch(parsePathMatch(text))).toBe(text);
  });

  test.each(['/a/{id}', '/a/{id}/b', '/{a}/{b}/*', '/a/{id}/'])('writes %s as it was read', (text) => {
    expect(formatPathMatch(parsePathMatch(text))).toBe(text);
  });

  test.each([
    ['a', 'does not begin with /'],
    ['', 'does not begin with /'],
    ['/a*', 'not a last segment'],
    ['/*/a', 'not a last segment'],
    ['/a?b=1', 'holds a query'],
    ['/a#b', 'holds a fragment'],
    ['/a b', 'percent-encode'],
    ['/ü', 'percent-encode'],
    ['/a/x{id}', 'whole segment'],
    ['/a/{}', 'whole segment'],
    ['/a/{id', 'whole segment'],
    ['/{id}/{id}', 'used twice'],
  ])('refuses %s', (text, message) => {
    expect(() => parsePathMatch(text)).toThrow(RangeError);
    expect(() => parsePathMatch(text)).toThrow(message);
  });
});
