import { describe, expect, test } from 'vitest';
import { Ledger, orderOf } from '../../../bench/support/ledger.ts';

const shot = (us: number, more: { errors?: number; isDisturbed?: boolean } = {}) => ({
  values: { us },
  errors: 0,
  ...more,
});

describe('the order of a round', () => {
  const all = [{ name: 'a' }, { name: 'b' }, { name: 'slow', isSlow: true }];

  test('alternates', () => {
    expect(orderOf(all, 1).map(({ name }) => name)).toEqual(['b', 'a']);
    expect(orderOf(all, 2).map(({ name }) => name)).toEqual(['a', 'b']);
  });

  test('has the slow ones in every third round', () => {
    const rounds = [0, 1, 2, 3, 4, 5].filter((round) => orderOf(all, round).length === 3);
    expect(rounds).toEqual([0, 3]);
  });
});

describe('the ledger', () => {
  test('takes ratios within a round, so that a slow machine is nobody’s fault', () => {
    const ledger = new Ledger([{ name: 'base' }, { name: 'other' }]);
    for (const [round, pace] of [1, 10, 3].entries()) {
      ledger.add('base', round, shot(20 * pace));
      ledger.add('other', round, shot(30 * pace));
    }
    const [base, other] = ledger.rows();
    expect(base!.values.us!.ratio).toEqual({ median: 1, q1: 1, q3: 1 });
    expect(other!.values.us!.ratio).toEqual({ median: 1.5, q1: 1.5, q3: 1.5 });
    expect(other!.values.us!.value).toEqual({ median: 90, q1: 60, q3: 195 });
  });

  test('holds a candidate against the base that it names', () => {
    const ledger = new Ledger([{ name: 'first' }, { name: 'second' }, { name: 'third', base: 'second' }]);
    ledger.add('first', 0, shot(1));
    ledger.add('second', 0, shot(2));
    ledger.add('third', 0, shot(3));
    expect(ledger.rows()[2]!.values.us!.ratio.median).toBe(1.5);
  });

  test('leaves out the ratio of a round without the base', () => {
    const ledger = new Ledger([{ name: 'base' }, { name: 'other' }]);
    ledger.add('base', 0, shot(10));
    ledger.add('other', 0, shot(20));
    ledger.add('other', 1, shot(90));
    const { value, ratio } = ledger.rows()[1]!.values.us!;
    expect(ratio.median).toBe(2);
    expect(value.median).toBe(55);
  });

  test('adds up errors and disturbed shots', () => {
    const ledger = new Ledger([{ name: 'base' }]);
    ledger.add('base', 0, shot(1, { errors: 2 }));
    ledger.add('base', 1, shot(1, { errors: 3, isDisturbed: true }));
    expect(ledger.rows()[0]).toMatchObject({ shots: 2, errors: 5, disturbed: 1 });
  });

  test('has no row of who was never shot', () => {
    expect(new Ledger([{ name: 'base' }]).rows()).toEqual([]);
  });
});
