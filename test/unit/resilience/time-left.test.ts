import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  readGrpcTimeout,
  readTimeout,
  writeGrpcTimeout,
  writeTimeout,
} from '../../../src/resilience/time-left.ts';

describe('grpc-timeout', () => {
  test.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3000],
    ['99999999m', 99_999_999],
    ['1500u', 1.5],
    ['2000000n', 2],
    ['0S', 0],
    ['00000100m', 100],
  ])('%s is read', (text, ms) => {
    expect(readGrpcTimeout(text)).toBe(ms);
  });

  test.each(['', 'S', '1', '1s', '-1S', '1.5S', '123456789m', '1S ', ' 1S', '1S, 2S', '1µ'])(
    '%j is none',
    (text) => {
      expect(readGrpcTimeout(text)).toBeNull();
    },
  );

  test('is written in the finest unit that has room, and never for longer', () => {
    expect(writeGrpcTimeout(1.5)).toBe('1500u');
    expect(writeGrpcTimeout(30_000)).toBe('30000000u');
    expect(writeGrpcTimeout(200_000)).toBe('200000m');
    expect(writeGrpcTimeout(100_000_000.9)).toBe('100000S');
    expect(writeGrpcTimeout(0)).toBe('0u');
    fc.assert(
      fc.property(fc.double({ min: 0, max: 3_600_000 * 99_999_999, noNaN: true }), (ms) => {
        const again = readGrpcTimeout(writeGrpcTimeout(ms))!;
        expect(again).toBeLessThanOrEqual(ms + 1e-6 * ms);
        expect(again).toBeGreaterThanOrEqual(ms * (1 - 1e-2) - 0.001);
      }),
    );
  });
});

describe('a timeout of one’s own', () => {
  test.each([
    ['1500', 1500],
    ['1500ms', 1500],
    ['1.5s', 1500],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['0', 0],
  ])('%s is read', (text, ms) => {
    expect(readTimeout(text)).toBe(ms);
  });

  test.each(['', 'ms', '-1', '1d', '1e3', '1,5s', '1500, 1500', '1234567890', '0x10', ' 5'])(
    '%j is none',
    (text) => {
      expect(readTimeout(text)).toBeNull();
    },
  );

  test('is written in the form that it came in, in whole milliseconds, and is never none', () => {
    expect(writeTimeout(99.9, '250')).toBe('99');
    expect(writeTimeout(99.9, '2s')).toBe('99ms');
    expect(writeTimeout(0.2, '2s')).toBe('1ms');
    expect(writeTimeout(5, '')).toBe('5');
  });
});
