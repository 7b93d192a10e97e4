/** The index of `src/routing/match.ts` against a linear scan that follows the rules to the letter, and its cost. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePathMatch, type RouteMatch, RouteTable } from '../../../src/routing/match.ts';

interface Declared {
  readonly hosts: readonly string[];
  readonly path: string;
  readonly methods: readonly string[];
}

/** How specific a segment is: a literal, a parameter, the end of a prefix. Smaller is more specific. */
const LITERAL = 0;
const PARAMETER = 1;
const STAR = 2;

/** The rank of each segment when the route matches the path, else null. */
function pathRank(pattern: string, path: string): number[] | null {
  const isPrefix = pattern.endsWith('/*');
  const wanted = (isPrefix ? pattern.slice(1, -2) : pattern.slice(1)).split('/');
  const given = path.slice(1).split('/');
  if (pattern === '/*') return [STAR];
  if (isPrefix ? given.length < wanted.length : given.length !== wanted.length) return null;
  const ranks: number[] = [];
  for (const [index, segment] of wanted.entries()) {
    if (segment.startsWith('{')) {
      if (given[index] === '') return null;
      ranks.push(PARAMETER);
    } else {
      if (given[index] !== segment) return null;
      ranks.push(LITERAL);
    }
  }
  return isPrefix ? [...ranks, STAR] : ranks;
}

function hostRank(hosts: readonly string[], host: string): number | null {
  const name = host.replace(/:[0-9]+$/, '').toLowerCase();
  if (hosts.length === 0) return 1000;
  const ranks = hosts.flatMap((pattern) => {
    if (pattern === name) return [0];
    return pattern.startsWith('*.') && name.endsWith(pattern.slice(1)) ? [500 - pattern.length] : [];
  });
  return ranks.length === 0 ? null : Math.min(...ranks);
}

function linearScan(routes: readonly Declared[], host: string, path: string, method: string): number | null {
  const ranked = routes.flatMap((route, index) => {
    const byHost = hostRank(route.hosts, host);
    const byPath = pathRank(route.path, path);
    const isMethod = route.methods.length === 0 || route.methods.includes(method);
    if (byHost === null || byPath === null || !isMethod) return [];
    return [{ index, rank: [byHost, ...byPath, -1, route.methods.length === 0 ? 1 : 0, index] }];
  });
  ranked.sort((left, right) => compare(left.rank, right.rank));
  return ranked[0]?.index ?? null;
}

function compare(left: readonly number[], right: readonly number[]): number {
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

const segment = fc.constantFrom('a', 'b', 'c', '', '{p}');
const path = fc
  .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([segments, isPrefix]) => {
    const named = segments.map((text, index) => (text === '{p}' ? `{p${index}}` : text));
    return `/${named.join('/')}${isPrefix ? '/*' : ''}`;
  });
const declared: fc.Arbitrary<Declared> = fc.record({
  hosts: fc.subarray(['x.test', 'y.x.test', '*.test', '*.x.test'], { maxLength: 2 }),
  path: fc.oneof(path, fc.constant('/*'), fc.constant('/')),
  methods: fc.subarray(['GET', 'POST', 'PUT'], { maxLength: 2 }),
});
const request = fc.record({
  host: fc.constantFrom('x.test', 'y.x.test', 'z.y.x.test', 'test', 'other', 'X.test:80', ''),
  path: fc
    .array(fc.constantFrom('a', 'b', 'c', 'd', ''), { minLength: 1, maxLength: 5 })
    .map((all) => `/${all.join('/')}`),
  method: fc.constantFrom('GET', 'POST', 'DELETE'),
});

function tableOf(routes: readonly Declared[]): RouteTable<number> {
  return new RouteTable(
    routes.map((route, value) => {
      const match: RouteMatch = {
        hosts: route.hosts,
        path: parsePathMatch(route.path),
        methods: route.methods,
      };
      return { match, value };
    }),
  );
}

describe('the route index', () => {
  test('answers as a linear scan by the written rules does', () => {
    fc.assert(
      fc.property(
        fc.array(declared, { maxLength: 30 }),
        fc.array(request, { minLength: 1, maxLength: 20 }),
        (routes, requests) => {
          const table = tableOf(routes);
          for (const { host, path: asked, method } of requests) {
            expect(table.match(host, asked, method), `${method} ${host} ${asked}`).toBe(
              linearScan(routes, host, asked, method),
            );
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
