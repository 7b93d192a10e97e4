/** Whatever a file holds, it is answered with a config or with mistakes that have a place; nothing is thrown. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { compile } from '../../../src/config/compile.ts';
import { parseConfig } from '../../../src/config/parse.ts';
import { EMPTY_RUNTIME } from '../../../src/config/runtime.ts';

const quickstart = readFileSync('config/quickstart.yaml', 'utf8');

/** Valid and compiled, or at least one error, each inside the file. */
function judge(text: string): void {
  const { config, issues } = parseConfig(text, 'f', {});
  const errors = issues.filter((issue) => issue.severity === 'error');
  expect(config === null).toBe(errors.length > 0);
  const lines = text.split('\n').length;
  for (const issue of issues) {
    expect(issue.line).toBeGreaterThanOrEqual(1);
    expect(issue.line).toBeLessThanOrEqual(lines + 1);
    expect(issue.column).toBeGreaterThanOrEqual(1);
    expect(issue.message).not.toMatch(/undefined|\[object|Invalid input|NaN/);
  }
  if (config !== null) compile(config, EMPTY_RUNTIME, 1);
}

const keys = [
  'version',
  'upstreams',
  'routes',
  'experiments',
  'name',
  'match',
  'path',
  'host',
  'variants',
  'control',
  'weight',
  'breaker',
  'slow',
  'unit',
  'targeting',
  'admin',
  'token',
  'constructor',
  'toString',
  'x-y',
];
const scalars = [
  1,
  0,
  -1,
  1.5,
  true,
  false,
  null,
  '',
  '5%',
  '10s',
  '/a/*',
  '*.b',
  '127.0.0.1:80',
  'off',
  'x',
  'ü',
];
const tree = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 6, depthSize: 'medium' },
    fc.constantFrom(...scalars),
    fc.array(tie('node'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...keys), tie('node'), { maxKeys: 6 }),
  ),
})).node;

describe('parsing', () => {
  test('answers any text', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 200, unit: fc.constantFrom(...'{}[]:,-&*!|>\'"#%@` \n\tab1<') }),
        judge,
      ),
      { numRuns: 500 },
    );
  });

  test('answers any tree of plausible keys and values', () => {
    const file = fc.record({
      version: fc.constant(1),
      upstreams: fc.oneof(tree, fc.constant({ a: 'b:1' })),
      rest: fc.dictionary(fc.constantFrom(...keys), tree),
    });
    fc.assert(
      fc.property(file, ({ version, upstreams, rest }) => judge(stringify({ version, upstreams, ...rest }))),
      { numRuns: 500 },
    );
  });

  test('answers any targeting and any segments', () => {
    // Mostly right, so that what is wrong stands among what is not.
    const subject = fc.constantFrom(
      { header: 'x' },
      { claim: '/sub' },
      { path: true },
      { clientAddress: true },
    );
    const asked = fc.constantFrom<object[]>(
      { equals: 'a' },
      { matches: '.*' },
      { gt: 1 },
      { semver: '>=1' },
      { before: '2026-01-01' },
      { cidr: ['::/0'] },
      { segment: 'u' },
    );
    const wrong = fc.oneof(
      fc.constantFrom<object[]>(
        { matches: '(' },
        { semver: '>' },
        { cidr: ['x'] },
        { segment: 's' },
        { ignoreCase: true },
      ),
      fc.dictionary(
        fc.constantFrom('equals', 'gt', 'in', 'not', 'all', 'verified'),
        fc.constantFrom(...scalars),
      ),
    );
    const slip = fc.oneof({ weight: 12, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: wrong });
    const rulesOf = (...segments: string[]) => {
      const { rule } = fc.letrec((tie) => {
        const rules = fc.array(tie('rule'), { minLength: 1, maxLength: 2 });
        const leaf = fc.tuple(subject, asked, slip);
        return {
          rule: fc.oneof(
            { maxDepth: 3 },
            leaf.map((parts): object => Object.assign({}, ...parts)),
            fc.constantFrom({ header: 'x', segment: 'u' }, ...segments.map((segment) => ({ segment }))),
            fc.record({ all: rules }),
            fc.record({ any: rules }),
            fc.record({ not: tie('rule') }),
          ),
        };
      });
      return fc.array(rule, { minLength: 1, maxLength: 2 });
    };
    let [valid, invalid] = [0, 0];
    fc.assert(
      fc.property(rulesOf('s', 't'), rulesOf('t'), rulesOf(), (targeting, s, t) => {
        const segments = { s: { rules: s }, t: { rules: t }, u: { values: ['a'] } };
        const experiments = { e: { targeting, variants: { control: {}, b: { weight: '1%' } } } };
        const text = stringify({ version: 1, upstreams: { a: 'b:1' }, segments, experiments });
        judge(text);
        if (parseConfig(text, 'f').config === null) invalid++;
        else valid++;
      }),
      { numRuns: 150 },
    );
    expect([valid, invalid].toSorted((a, b) => a - b)[0]).toBeGreaterThan(10);
  });

  test('answers the quickstart with any one line removed or any one character changed', () => {
    const lines = quickstart.split('\n');
    for (const index of lines.keys()) judge(lines.toSpliced(index, 1).join('\n'));
    const change = fc.tuple(fc.nat(quickstart.length - 1), fc.constantFrom(...'{}[]:,-&*!|>\'"#% \nz0'));
    fc.assert(
      fc.property(change, ([at, character]) =>
        judge(quickstart.slice(0, at) + character + quickstart.slice(at + 1)),
      ),
      { numRuns: 200 },
    );
  });

  test('every cut of the quickstart is answered', () => {
    for (let length = 0; length < quickstart.length; length += 7) judge(quickstart.slice(0, length));
  });
});
