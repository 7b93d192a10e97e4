/** Where two answers differ, and how that is called. */
import { describe, expect, it } from 'vitest';
import { compareAnswers } from '../../../../src/analysis/diff/diff-answers.ts';
import { answerOf, NO_ANSWER, PLAIN_RULES } from '../../../support/diffs.ts';

type Parts = Parameters<typeof answerOf>[1];

const paths = (one: [unknown, Parts?], other: [unknown, Parts?], rules = {}) =>
  compareAnswers(answerOf(...one), answerOf(...other), { ...PLAIN_RULES, ...rules }).map(({ path }) => path);
const withHeaders = (headers: Record<string, string>): [unknown, Parts] => [
  {},
  { headers: new Map(Object.entries(headers)) },
];

describe('two answers', () => {
  it('differ in their status, and in the places of their JSON, each once however long a list is', () => {
    const items = (price: number) => Array.from({ length: 300 }, (_, id) => ({ id, price }));
    expect(
      paths([{ items: items(1), z: 1 }, { status: 200 }], [{ items: items(2), z: 2 }, { status: 201 }]),
    ).toEqual(['status', 'body /items/*/price', 'body /z']);
  });

  it('are called by names of members only where these look like names', () => {
    const ids = [
      'u-12345',
      '550e8400-e29b-41d4-a716-446655440000',
      'anna@example.org',
      '7',
      `n${'o'.repeat(60)}`,
    ];
    for (const id of ids) expect(paths([{ users: { [id]: 1 } }], [{ users: {} }])).toEqual(['body /users/*']);
    expect(paths([{ first_name: 1, $ref: 1, 'a.b': 1 }], [{}])).toEqual([
      'body /first_name',
      'body /$ref',
      'body /a.b',
    ]);
  });

  it('differ as a whole when one is no JSON', () => {
    expect(paths(['<p>a</p>'], ['<p>b</p>'])).toEqual(['body']);
    expect(paths([{ a: 1 }], ['<p>b</p>'])).toEqual(['body']);
    expect(paths([1], [2])).toEqual(['body']);
    expect(paths(['<p>a</p>'], ['<p>a</p>'])).toEqual([]);
  });

  it('differ in fields, but for those that say when and by whom, and in the names of cookies', () => {
    const one = { date: 'Mon', 'x-kind': 'a', 'set-cookie': 'sid=1; Path=/\ntheme=dark' };
    const other = { date: 'Tue', 'x-kind': 'b', 'set-cookie': 'sid=2; Path=/\ntheme=light', vary: 'accept' };
    expect(paths(withHeaders(one), withHeaders(other))).toEqual(['header x-kind', 'header vary']);
    expect(paths(withHeaders(one), withHeaders(other), { ignoreHeaders: ['vary'] })).toEqual([
      'header x-kind',
    ]);
    expect(paths(withHeaders(one), withHeaders(other), { headers: ['date'] })).toEqual(['header date']);
    expect(paths(withHeaders({ 'set-cookie': 'sid=1' }), withHeaders({ 'set-cookie': 'other=1' }))).toEqual([
      'header set-cookie',
    ]);
  });

  it('leave out what is declared, with all below it, and any place of a list by *', () => {
    const rules = { ignorePaths: [['meta'], ['items', '*', 'id']] };
    const body = (n: number) => ({ meta: { took: { ms: n } }, items: [{ id: n, price: 1 }] });
    expect(paths([body(1)], [body(2)], rules)).toEqual([]);
    expect(paths([{ items: [{ price: 1 }] }], [{ items: [{ price: 2 }] }], rules)).toEqual([
      'body /items/*/price',
    ]);
  });

  it('differ in one place when only one of them came', () => {
    const rules = PLAIN_RULES;
    expect(compareAnswers(answerOf({}), NO_ANSWER, rules)).toEqual([
      { path: 'answer', control: 'answered', other: 'upstream_reset' },
    ]);
    expect(compareAnswers(NO_ANSWER, NO_ANSWER, rules)).toEqual([]);
  });
});
