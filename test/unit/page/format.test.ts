import { expect, test } from 'vitest';
import {
  ago,
  count,
  millis,
  percent,
  rate,
  sentence,
  share,
  shareOf,
  short,
  time,
  words,
} from '../../../page/format.ts';

test('numbers have three digits that count, and their unit', () => {
  expect([rate(0), rate(0.5), rate(12.34), rate(678.9), rate(12_345)]).toEqual([
    '0/s',
    '0.50/s',
    '12.3/s',
    '679/s',
    '12.3k/s',
  ]);
  expect([share(0), share(0.00004), share(0.0052), share(0.311), share(1)]).toEqual([
    '0%',
    '0.0040%',
    '0.52%',
    '31.1%',
    '100%',
  ]);
  expect([millis(4.1), millis(184.4), millis(1250)]).toEqual(['4.10 ms', '184 ms', '1.25 s']);
  expect([count(1234567), short(3_400_000), percent(0.62), percent(1 / 3)]).toEqual([
    '1,234,567',
    '3.40M',
    '62%',
    '33.3%',
  ]);
});

test('what is not known is a dash', () => {
  expect([rate(null), share(undefined), millis(null), count(null), percent(null)]).toEqual([
    '–',
    '–',
    '–',
    '–',
    '–',
  ]);
});

test('a weight as it is shown is a share again', () => {
  expect([shareOf('90%'), shareOf('0.5%'), shareOf('')]).toEqual([0.9, 0.005, 0]);
});

test('times are said by how long ago they are', () => {
  const now = new Date('2026-11-21T12:00:00Z');
  expect([
    ago('2026-11-21T11:59:57Z', now),
    ago('2026-11-21T11:55:00Z', now),
    ago('2026-11-21T03:00:00Z', now),
    ago('2026-11-19T12:00:00Z', now),
    ago('2026-11-21T12:00:09Z', now),
    ago('never', now),
  ]).toEqual(['3 s ago', '5 min ago', '9 h ago', '2 d ago', '0 s ago', '–']);
  expect(time('never', now)).toBe('–');
});

test('a reason is a sentence', () => {
  expect(sentence('10% -> 25%: it holds')).toBe('10% → 25%: it holds');
  expect(sentence('')).toBe('');
});

test('names of states are words', () => {
  expect([words('noDifference'), words('rolling-back')]).toEqual(['no difference', 'rolling back']);
});
