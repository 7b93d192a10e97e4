/** Rules made of rules: the laws of logic hold for them, and `explain` shows each with its answer. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Segments } from '../../../src/experiment/segment.ts';
import { compileTargeting } from '../../../src/experiment/targeting.ts';
import { TargetingError } from '../../../src/experiment/targeting-error.ts';
import type { TargetingRule } from '../../../src/experiment/targeting-rule.ts';
import { traceClause } from '../../../src/experiment/targeting-trace.ts';
import { type RequestParts, requestOf } from '../../support/experiment.ts';

const A: TargetingRule = { header: 'a', equals: '1' };
const B: TargetingRule = { header: 'b', equals: '1' };
const EVERYONE: TargetingRule = { path: true, exists: true };

const SEGMENTS: Segments = new Map([
  ['beta', { kind: 'ids', name: 'beta', has: (id: string) => id === 'u-1' || id === 'u-2' }],
  [
    'either',
    {
      kind: 'rules',
      name: 'either',
      clauses: [compileTargeting({ any: [A, B] }), compileTargeting(EVERYONE)],
    },
  ],
]);

function matches(rule: TargetingRule, parts: RequestParts = {}): boolean {
  return compileTargeting(rule, SEGMENTS).matches(requestOf(parts));
}

const both = { headers: { a: '1', b: '1' } };
const one = { headers: { b: '1' } };

describe('groups', () => {
  test('all, any and not do what they say', () => {
    expect([both, one, {}].map((parts) => matches({ all: [A, B] }, parts))).toEqual([true, false, false]);
    expect([both, one, {}].map((parts) => matches({ any: [A, B] }, parts))).toEqual([true, true, false]);
    expect([both, one, {}].map((parts) => matches({ not: A }, parts))).toEqual([false, true, true]);
    expect(matches({ all: [{ any: [A, EVERYONE] }, { not: { all: [A, B] } }] }, one)).toBe(true);
  });

  test('stop at the first rule that decides', () => {
    const asked: string[] = [];
    const spy = {
      ...requestOf(),
      header: (name: string) => {
        asked.push(name);
        return name === 'b' ? '1' : null;
      },
    };
    expect(compileTargeting({ all: [A, B] }).matches(spy)).toBe(false);
    expect(compileTargeting({ any: [B, A] }).matches(spy)).toBe(true);
    expect(asked).toEqual(['a', 'b']);
  });

  test('a segment of ids looks at the subject, one of rules stands alone', () => {
    const user = (id: string) => ({ headers: { 'x-user-id': id } });
    expect(matches({ header: 'x-user-id', segment: 'beta' }, user('u-2'))).toBe(true);
    expect(matches({ header: 'x-user-id', segment: 'beta' }, user('u-22'))).toBe(false);
    expect(matches({ header: 'x-user-id', segment: 'beta' })).toBe(false);
    expect(matches({ header: 'x-user-id', segment: 'beta', not: true })).toBe(true);
    expect([both, one, {}].map((parts) => matches({ segment: 'either' }, parts))).toEqual([
      true,
      true,
      false,
    ]);
    expect(matches({ segment: 'either', not: true })).toBe(true);
  });
});

describe('what cannot be compiled', () => {
  test.each<[string, TargetingRule, (string | number)[], RegExp]>([
    ['nothing', {}, [], /found none; a rule looks at exactly one of header, /],
    [
      'a group beside a test',
      { all: [A], header: 'x', equals: '1' },
      [],
      /found all and header and equals in one/,
    ],
    ['two groups', { all: [A], any: [B] }, [], /found all and any in one rule/],
    ['a subject alone', { header: 'x' }, [], /found no test/],
    ['a test alone', { equals: 'x' }, [], /found none; a rule looks at/],
    ['two tests', { header: 'x', gt: 1, lt: 2 }, [], /found gt and lt; a rule has exactly one of/],
    ['a number without case', { header: 'x', gt: 1, ignoreCase: true }, [], /ignoreCase is for equals, /],
    ['a verified header', { header: 'x', equals: '1', verified: true }, [], /verified is for claims/],
    ['an unknown segment', { header: 'x', segment: 'gamma' }, ['segment'], /there is no segment "gamma"/],
    ['ids of nobody', { segment: 'beta' }, ['segment'], /"beta" is a list of ids; say where the id is/],
    [
      'rules with a subject',
      { query: 'q', segment: 'either' },
      ['segment'],
      /made of rules.*leave out query/,
    ],
    [
      'a pattern, deep down',
      { all: [A, { not: { any: [{ path: true, matches: '(' }] } }] },
      ['all', 1, 'not', 'any', 0, 'matches'],
      /pattern is not RE2/,
    ],
  ])('%s', (_name, rule, path, message) => {
    expect(() => compileTargeting(rule, SEGMENTS)).toThrow(
      expect.objectContaining({ name: 'TargetingError', path, message: expect.stringMatching(message) }),
    );
  });

  test('whatever the rule, it compiles or is a TargetingError', () => {
    const text = fc.oneof(
      fc.string(),
      fc.constantFrom('(', '[', '>=1', '1.2.3', '2026-01-01', '10.0.0.0/8', 'beta'),
    );
    const subject = fc.oneof(
      fc.record({ header: text }),
      fc.record({ claim: text }),
      fc.constant({ clientAddress: true as const }),
      fc.constant({}),
    );
    const asked = fc.oneof(
      fc.record({ matches: text }),
      fc.record({ semver: text }),
      fc.record({ before: text }),
      fc.record({ cidr: fc.array(text) }),
      fc.record({ between: fc.array(fc.double()) }),
      fc.record({ segment: text }),
      fc.record({ exists: fc.boolean(), gt: fc.double() }, { requiredKeys: [] }),
    );
    const more = fc.record(
      { not: fc.boolean(), ignoreCase: fc.boolean(), verified: fc.boolean() },
      { requiredKeys: [] },
    );
    const keys = fc
      .tuple(subject, asked, fc.oneof(fc.constant({}), more))
      .map((parts): TargetingRule => Object.assign({}, ...parts));
    let compiled = 0;
    fc.assert(
      fc.property(keys, text, (rule, value) => {
        try {
          const clause = compileTargeting(rule, SEGMENTS);
          compiled++;
          expect(typeof clause.matches(requestOf({ headers: { [rule.header ?? '']: value } }))).toBe(
            'boolean',
          );
        } catch (error) {
          expect(error).toBeInstanceOf(TargetingError);
        }
      }),
      { numRuns: 2000 },
    );
    expect(compiled).toBeGreaterThan(100);
  });
});

/** Any rule about the headers a, b and c, and any request that has some of them. */
const leaf: fc.Arbitrary<TargetingRule> = fc.record({
  header: fc.constantFrom('a', 'b', 'c'),
  equals: fc.constantFrom('0', '1'),
  not: fc.constantFrom(undefined, true, false),
});
const { rule: anyRule } = fc.letrec<{ rule: TargetingRule }>((tie) => ({
  rule: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.record({
      all: fc.array(tie('rule'), { minLength: 1, maxLength: 3 }),
      not: fc.constantFrom(undefined, true),
    }),
    fc.record({
      any: fc.array(tie('rule'), { minLength: 1, maxLength: 3 }),
      not: fc.constantFrom(undefined, true),
    }),
    fc.record({ not: tie('rule') }),
  ),
}));
const someRequest = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('0', '1'));
/** `not: true` and another group cannot stand in one rule. */
const only = (rule: TargetingRule): TargetingRule => ({ all: [rule] });

describe('the laws of logic', () => {
  /** Both rules answer the same, whatever is asked. */
  function same(make: (p: TargetingRule, q: TargetingRule) => readonly [TargetingRule, TargetingRule]): void {
    fc.assert(
      fc.property(anyRule, anyRule, someRequest, (p, q, headers) => {
        const [left, right] = make(p, q);
        expect(matches(left, { headers })).toBe(matches(right, { headers }));
      }),
      { numRuns: 500 },
    );
  }

  test('not not p is p', () => same((p) => [{ not: { not: p } }, p]));
  test('not: true is not', () => same((p) => [{ ...only(p), not: true }, { not: p }]));
  test('De Morgan, of all', () =>
    same((p, q) => [{ not: { all: [p, q] } }, { any: [{ not: p }, { not: q }] }]));
  test('De Morgan, of any', () =>
    same((p, q) => [{ not: { any: [p, q] } }, { all: [{ not: p }, { not: q }] }]));
  test('the order does not matter', () => same((p, q) => [{ any: [p, q] }, { any: [q, p] }]));
  test('p or not p', () => same((p) => [{ any: [p, { not: p }] }, EVERYONE]));
  test('all distributes over any', () =>
    same((p, q) => [{ all: [A, { any: [p, q] }] }, { any: [{ all: [A, p] }, { all: [A, q] }] }]));
});

describe('explain', () => {
  const trace = (rule: TargetingRule, parts: RequestParts) => {
    const lines: string[] = [];
    traceClause(lines, compileTargeting(rule, SEGMENTS), requestOf(parts), 'control');
    return lines;
  };

  test('a rule on its own is one line', () => {
    expect(trace(A, both)).toEqual(['targeting: header a equals 1: yes']);
    expect(trace(A, {})).toEqual(['targeting: header a equals 1: no, so it gets control']);
  });

  test('a group has its rules below it, also those that decide nothing', () => {
    const rule = { any: [{ all: [A, B] }, { not: { segment: 'either' } }, { ...B, not: true }] };
    expect(trace(rule, one)).toEqual([
      'targeting: any of: no, so it gets control',
      'targeting:   all of: no',
      'targeting:     header a equals 1: no',
      'targeting:     header b equals 1: yes',
      'targeting:   not: no',
      'targeting:     segment either: yes',
      'targeting:       any of: yes',
      'targeting:         header a equals 1: no',
      'targeting:         header b equals 1: yes',
      'targeting:       path present: yes',
      'targeting:   header b not equals 1: no',
    ]);
  });

  test('a group reads as one sentence elsewhere', () => {
    const { text } = compileTargeting({ any: [A, { not: B }, { segment: 'either', not: true }] }, SEGMENTS);
    expect(text).toBe('any of (header a equals 1; not (header b equals 1); not segment either)');
    expect(compileTargeting({ header: 'id', segment: 'beta' }, SEGMENTS).text).toBe(
      'header id in segment beta',
    );
  });
});
