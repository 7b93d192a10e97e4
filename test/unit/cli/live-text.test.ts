import { describe, expect, test } from 'vitest';
import { piece, renderLine, wrap } from '../../../src/cli/live-line.ts';
import { countText, msText, printable, shareText, timeText, wholeText } from '../../../src/cli/live-text.ts';

describe('figures', () => {
  test('are short, and a dash when there is none', () => {
    expect([0, 4.96, 99.94, 1203.4, null, undefined, Number.NaN].map(countText)).toEqual([
      '0',
      '5.0',
      '99.9',
      '1,203',
      '-',
      '-',
      '-',
    ]);
    expect([0, 1_234_567, null].map(wholeText)).toEqual(['0', '1,234,567', '-']);
    expect([0, 0.0042, 1, null].map(shareText)).toEqual(['0.0%', '0.4%', '100.0%', '-']);
    expect([0.42, 9.94, 45.4, 999, 1240, null].map(msText)).toEqual([
      '0.4ms',
      '9.9ms',
      '45ms',
      '999ms',
      '1.2s',
      '-',
    ]);
    expect(['2026-11-21T20:15:03.120Z', 'yesterday', null].map(timeText)).toEqual(['20:15:03', '-', '-']);
  });
});

describe('text of somebody else', () => {
  test('cannot move the cursor, break the line or turn its direction', () => {
    expect(printable('a\u001b[2Jb\nc\u009bd\u202ee\u2028f é')).toBe('a?[2Jb?c?d?e?f é');
  });
});

describe('a line', () => {
  test('is cut to the width, whatever pieces it has', () => {
    const line = [piece('ranking', 'title'), piece(' runs')];
    expect(renderLine(line, 80, false)).toBe('ranking runs');
    expect(renderLine(line, 12, false)).toBe('ranking runs');
    expect(renderLine(line, 11, false)).toBe('ranking ru…');
    expect(renderLine(line, 4, false)).toBe('ran…');
    expect(renderLine(line, 0, false)).toBe('');
  });

  test('has colours only when they are wanted, and they count for nothing', () => {
    const line = [piece('open', 'bad'), piece(' x')];
    expect(renderLine(line, 6, true)).toMatch(/^\u001b\[[0-9;]+m.*open.*\u001b\[[0-9;]+m x$/);
    expect(renderLine(line, 6, false)).toBe('open x');
  });

  test('of a long sentence is several', () => {
    expect(wrap('the breaker is open: error rate 30% is above the limit', 30, '  ')).toEqual([
      '  the breaker is open: error',
      '  rate 30% is above the limit',
    ]);
  });
});
