import { describe, expect, test } from 'vitest';
import { ratioOf, targetsMarkdown, verdict } from '../../../bench/support/answer.ts';
import { Ledger } from '../../../bench/support/ledger.ts';

describe('a target', () => {
  test.each([
    [{ limit: 1.1, measured: 1.1 }, 'met'],
    [{ limit: 1.1, measured: 1.11 }, 'missed'],
    [{ limit: 2, isMinimum: true, measured: 2 }, 'met'],
    [{ limit: 2, isMinimum: true, measured: 1.99 }, 'missed'],
    [{ limit: 1.5, measured: 1.2, isUnresolved: true }, 'unresolved'],
    [{ limit: 1.5, measured: 9, isUnresolved: true }, 'unresolved'],
    [{ limit: 1.5, measured: null }, 'not measured'],
    [{ limit: 1.5, measured: Number.NaN }, 'not measured'],
  ])('%j is %s', (target, expected) => {
    expect(verdict({ text: 'x', ...target })).toBe(expected);
  });

  test('stands beside what was measured', () => {
    const text = targetsMarkdown([
      { text: 'CPU', limit: 1.1, measured: 1.2345 },
      { text: 'memory', limit: 4, unit: ' MB', measured: 3.21 },
    ]);
    expect(text).toContain('| CPU | <= 1.1x | 1.23x | **missed** |');
    expect(text).toContain('| memory | <= 4 MB | 3.2 MB | **met** |');
  });
});

describe('the ratio of a row', () => {
  const rows = (errorsOfBase: number, errors: number) => {
    const ledger = new Ledger([{ name: 'base' }, { name: 'ours' }]);
    ledger.add('base', 0, { values: { us: 20 }, errors: errorsOfBase });
    ledger.add('ours', 0, { values: { us: 22 }, errors });
    return ledger.rows();
  };

  test('is the median', () => {
    expect(ratioOf(rows(0, 0), 'ours', 'us')).toBeCloseTo(1.1);
  });

  test('is nothing when requests of either failed, or without the row', () => {
    expect(ratioOf(rows(0, 1), 'ours', 'us')).toBeNull();
    expect(ratioOf(rows(1, 0), 'ours', 'us')).toBeNull();
    expect(ratioOf(rows(0, 0), 'theirs', 'us')).toBeNull();
  });
});
