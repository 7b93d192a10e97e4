/** Durations, sizes, percentages and addresses as people write them: `src/config/units.ts`, `address.ts`. */
import { describe, expect, test } from 'vitest';
import { formatAddress, parseAddress } from '../../../src/config/address.ts';
import {
  formatDuration,
  formatPercent,
  parseDuration,
  parsePercent,
  parseSize,
} from '../../../src/config/units.ts';

describe('durations', () => {
  test.each([
    ['0', 0],
    ['250ms', 250],
    ['10s', 10_000],
    ['1.5s', 1500],
    ['0.1s', 100],
    ['1m30s', 90_000],
    ['1h', 3_600_000],
    ['24d', 2_073_600_000],
  ])('%s is %i ms', (text, ms) => {
    expect(parseDuration(text)).toEqual({ ok: true, value: ms });
  });

  test.each([
    ['10', '"10" has no unit; write 10s or 10ms'],
    ['10x', 'unknown unit "x"; use ms, s, m, h or d'],
    ['10 s', 'is not a duration'],
    ['-1s', 'is not a duration'],
    ['', 'is not a duration'],
    ['s', 'is not a duration'],
    ['1.5ms', 'not a whole number of milliseconds'],
    ['25d', 'longer than 24 days'],
    ['1constructor', 'unknown unit "constructor"'],
  ])('%s is refused', (text, problem) => {
    const result = parseDuration(text);
    expect(result.ok ? '' : result.problem).toContain(problem);
  });

  test('are written with the largest unit that divides them', () => {
    expect([0, 1, 1500, 60_000, 90_000, 86_400_000].map(formatDuration)).toEqual([
      '0s',
      '1ms',
      '1500ms',
      '1m',
      '90s',
      '1d',
    ]);
  });
});

describe('sizes', () => {
  test.each([
    ['0', 0],
    ['512B', 512],
    ['64KiB', 65_536],
    ['1.5MiB', 1_572_864],
    ['10MB', 10_000_000],
    ['1TiB', 1_099_511_627_776],
  ])('%s is %i bytes', (text, bytes) => {
    expect(parseSize(text)).toEqual({ ok: true, value: bytes });
  });

  test.each([
    ['64', '"64" has no unit; write 64B or 64KiB'],
    ['64Ki', 'unknown unit "Ki"'],
    ['-1B', 'is not a size'],
    ['1.3B', 'not a whole number of bytes'],
    ['99999999TiB', 'not a whole number of bytes'],
  ])('%s is refused', (text, problem) => {
    const result = parseSize(text);
    expect(result.ok ? '' : result.problem).toContain(problem);
  });
});

describe('percentages', () => {
  test.each([
    ['0%', 0],
    ['5%', 50_000],
    ['0.0001%', 1],
    ['33.3333%', 333_333],
    ['100%', 1_000_000],
  ])('%s is %i ppm', (text, ppm) => {
    expect(parsePercent(text)).toEqual({ ok: true, value: ppm });
    expect(formatPercent(ppm)).toBe(text);
  });

  test.each([
    ['5', '"5" has no %; write 5%'],
    ['101%', 'more than 100%'],
    ['100.0001%', 'more than 100%'],
    ['0.00001%', 'more than four decimals'],
    ['-5%', 'is not a percentage'],
    ['%', 'is not a percentage'],
  ])('%s is refused', (text, problem) => {
    const result = parsePercent(text);
    expect(result.ok ? '' : result.problem).toContain(problem);
  });
});

describe('addresses', () => {
  test.each([
    ['127.0.0.1:9001', { kind: 'tcp', host: '127.0.0.1', port: 9001 }],
    ['my-app.svc.cluster.local:80', { kind: 'tcp', host: 'my-app.svc.cluster.local', port: 80 }],
    ['my_app:80', { kind: 'tcp', host: 'my_app', port: 80 }],
    ['[::1]:9001', { kind: 'tcp', host: '::1', port: 9001 }],
    ['unix:/run/app.sock', { kind: 'unix', path: '/run/app.sock' }],
  ] as const)('%s is read and written back', (text, address) => {
    expect(parseAddress(text, 'connect')).toEqual({ ok: true, value: address });
    expect(formatAddress(address)).toBe(text);
  });

  test.each([
    ['127.0.0.1', 'is not host:port'],
    ['9001', 'is a port alone; write 127.0.0.1:9001'],
    [':9001', 'has no host; write 0.0.0.0:9001'],
    ['a:', 'has no port'],
    ['a:0', 'has no port from 1 to 65535'],
    ['a:65536', 'has no port from 1 to 65535'],
    ['a:http', 'has no port'],
    ['http://a:80', 'is a URL; write host:port'],
    ['::1', 'is an IPv6 address; write [::1]:port'],
    ['::1:80', 'is an IPv6 address'],
    ['[a]:80', 'no IPv6 address in [ ]'],
    ['999.1.1.1:80', 'no valid host name or address'],
    ['a b:80', 'no valid host name'],
    ['/run/app.sock', 'is a path; write unix:/run/app.sock'],
    ['unix:run/app.sock', 'absolute path'],
    [`unix:/${'x'.repeat(107)}`, 'longer than the 107 bytes'],
  ])('%s is refused', (text, problem) => {
    const result = parseAddress(text, 'connect');
    expect(result.ok ? '' : result.problem).toContain(problem);
  });

  test('only a listener may ask for port 0', () => {
    expect(parseAddress('127.0.0.1:0', 'listen').ok).toBe(true);
    expect(parseAddress('127.0.0.1:0', 'connect').ok).toBe(false);
  });
});
