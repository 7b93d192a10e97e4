import { expect, test } from 'vitest';
import { compileTargeting } from '../../../src/experiment/targeting.ts';
import { TargetingError } from '../../../src/experiment/targeting-error.ts';
import type { TargetingRule } from '../../../src/experiment/targeting-rule.ts';
import { PATTERN_MAX, VALUE_MAX } from '../../../src/experiment/targeting-test.ts';
import { type RequestParts, requestOf } from '../../support/experiment.ts';

function matches(rule: TargetingRule, parts: RequestParts): boolean {
  return compileTargeting(rule).matches(requestOf(parts));
}

test('in, equals, prefix and matches compare exactly', () => {
  const country = (value: string) => ({ headers: { 'x-country': value } });
  expect(matches({ header: 'x-country', in: ['DE', 'FR'] }, country('FR'))).toBe(true);
  expect(matches({ header: 'x-country', in: ['DE', 'FR'] }, country('fr'))).toBe(false);
  expect(matches({ header: 'x-country', in: [] }, country('FR'))).toBe(false);
  expect(matches({ header: 'x-country', equals: 'DE' }, country('DE'))).toBe(true);
  expect(matches({ header: 'x-country', equals: 'DE' }, country('DE '))).toBe(false);
  expect(matches({ header: 'x-country', prefix: 'D' }, country('DE'))).toBe(true);
  expect(matches({ header: 'x-country', prefix: 'E' }, country('DE'))).toBe(false);
  expect(matches({ header: 'x-country', matches: '[A-Z]{2}' }, country('DE'))).toBe(true);
});

test('each part of the request can be looked at', () => {
  const request = {
    method: 'POST',
    path: '/api/orders',
    headers: { 'x-a': '1' },
    cookies: { sid: '2' },
    query: { q: '3' },
    clientIdentity: 'spiffe://shop/ns/prod/sa/web',
  };
  expect(matches({ header: 'X-A', equals: '1' }, request)).toBe(true);
  expect(matches({ cookie: 'sid', equals: '2' }, request)).toBe(true);
  expect(matches({ query: 'q', equals: '3' }, request)).toBe(true);
  expect(matches({ method: true, in: ['POST', 'PUT'] }, request)).toBe(true);
  expect(matches({ path: true, prefix: '/api/' }, request)).toBe(true);
  expect(matches({ path: true, equals: '/api' }, request)).toBe(false);
  expect(matches({ clientIdentity: true, prefix: 'spiffe://shop/ns/prod/' }, request)).toBe(true);
  expect(matches({ clientIdentity: true, equals: 'spiffe://shop/ns/prod' }, request)).toBe(false);
  expect(matches({ clientIdentity: true, prefix: '' }, {})).toBe(false);
});

test('cookie and query names keep their case', () => {
  expect(matches({ cookie: 'SID', equals: '2' }, { cookies: { sid: '2' } })).toBe(false);
  expect(matches({ query: 'Q', equals: '3' }, { query: { q: '3' } })).toBe(false);
});

test('what is absent satisfies no test, and not turns that round', () => {
  const rules: TargetingRule[] = [
    { header: 'x-beta', in: ['1'] },
    { header: 'x-beta', equals: '' },
    { header: 'x-beta', prefix: '' },
    { header: 'x-beta', matches: '.*' },
  ];
  for (const rule of rules) {
    expect(matches(rule, {})).toBe(false);
    expect(matches({ ...rule, not: true }, {})).toBe(true);
    expect(matches({ ...rule, not: false }, {})).toBe(false);
  }
  expect(matches({ header: 'x-beta', in: ['1'], not: true }, { headers: { 'x-beta': '1' } })).toBe(false);
  expect(matches({ header: 'x-beta', in: ['1'], not: true }, { headers: { 'x-beta': '2' } })).toBe(true);
});

test('a pattern has to match the whole value', () => {
  expect(matches({ path: true, matches: '/api/v[12]' }, { path: '/api/v1' })).toBe(true);
  expect(matches({ path: true, matches: '/api/v[12]' }, { path: '/api/v1/orders' })).toBe(false);
  expect(matches({ path: true, matches: '/api/v[12].*' }, { path: '/api/v1/orders' })).toBe(true);
  expect(matches({ path: true, matches: 'v1|v2' }, { path: 'v2x' })).toBe(false);
});

test('a pattern that RE2 cannot do is refused with the reason', () => {
  expect(() => compileTargeting({ path: true, matches: '(?=a)b' })).toThrow(/pattern is not RE2: .*\(\?=/);
  expect(() => compileTargeting({ path: true, matches: '(a)\\1' })).toThrow(TargetingError);
  expect(() => compileTargeting({ path: true, matches: '(' })).toThrow(TargetingError);
  expect(() => compileTargeting({ path: true, matches: 'a'.repeat(PATTERN_MAX + 1) })).toThrow(
    'limit is 1024',
  );
});

test('a pattern that runs away elsewhere takes linear time, and too long a value does not match', () => {
  const clause = compileTargeting({ header: 'x', matches: '(a+)+b|a*' });
  expect(clause.matches(requestOf({ headers: { x: `${'a'.repeat(VALUE_MAX - 1)}c` } }))).toBe(false);
  expect(clause.matches(requestOf({ headers: { x: 'a'.repeat(VALUE_MAX) } }))).toBe(true);
  expect(clause.matches(requestOf({ headers: { x: 'a'.repeat(VALUE_MAX + 1) } }))).toBe(false);
});

test('every clause can be read as a sentence', () => {
  const text = (rule: TargetingRule) => compileTargeting(rule).text;
  expect(text({ header: 'X-Country', in: ['DE', 'FR'] })).toBe('header x-country in [DE, FR]');
  expect(text({ cookie: 'tier', equals: 'gold', not: true })).toBe('cookie tier not equals gold');
  expect(text({ method: true, prefix: 'P' })).toBe('method prefix P');
  expect(text({ path: true, matches: '/a.*' })).toBe('path matches /a.*');
  expect(text({ query: 'q', equals: '1' })).toBe('query q equals 1');
});
