/** Where two JSON values differ, also those that are made to be hard to compare. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diffJson, VALUES_MAX } from '../../../../src/analysis/diff/diff-json.ts';

const found = (before: unknown, after: unknown) =>
  diffJson(before, after).map(({ steps, before: was, after: is }) => [steps.join('/'), was, is]);

describe('two JSON values', () => {
  it('differ at each place of its own', () => {
    expect(found({ a: 1, b: [1, { c: 2 }], d: 'x' }, { a: 1, b: [2, { c: '2' }], e: null })).toEqual([
      ['b/0', 1, 2],
      ['b/1/c', 2, '2'],
      ['d', 'x', undefined],
      ['e', undefined, null],
    ]);
  });

  it('have lists that are compared place by place', () => {
    expect(found([1, 2, 3], [2, 3])).toEqual([
      ['0', 1, 2],
      ['1', 2, 3],
      ['2', 3, undefined],
    ]);
    expect(found([], [{ a: [1] }])).toEqual([['0', undefined, { a: [1] }]]);
  });

  it('are not the same when one is a list and the other an object', () => {
    expect(found({ a: [] }, { a: {} })).toEqual([['a', [], {}]]);
    expect(found([1], { 0: 1 })).toEqual([['', [], {}]]);
  });

  it('may have members that are called like those of every JavaScript object', () => {
    expect(found({ toString: 1, constructor: 2 }, { valueOf: 3 })).toEqual([
      ['toString', 1, undefined],
      ['constructor', 2, undefined],
      ['valueOf', undefined, 3],
    ]);
    expect(found(JSON.parse('{"__proto__":1,"_t":"a"}'), JSON.parse('{"__proto__":2,"_t":"b"}'))).toEqual([
      ['__proto__', 1, 2],
      ['_t', 'a', 'b'],
    ]);
  });

  it('are refused when there are too many values or they are nested too deeply', () => {
    const many = Array.from({ length: VALUES_MAX }, (_, index) => index);
    expect(() => diffJson(many, [])).toThrow(RangeError);
    const deep = JSON.parse('['.repeat(9_000) + ']'.repeat(9_000));
    expect(() => diffJson(deep, [])).toThrow(RangeError);
  });

  it('have no difference exactly when they are the same JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        const [a, b] = [JSON.parse(JSON.stringify(one)), JSON.parse(JSON.stringify(other))];
        expect(diffJson(a, structuredClone(a))).toEqual([]);
        expect(diffJson(a, b).length === 0).toBe(isSame(a, b));
      }),
    );
  });
});

function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const [keys, others] = [Object.keys(a), Object.keys(b)];
  return (
    Array.isArray(a) === Array.isArray(b) &&
    keys.length === others.length &&
    keys.every(
      (key) =>
        Object.hasOwn(b, key) &&
        isSame((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
    )
  );
}
