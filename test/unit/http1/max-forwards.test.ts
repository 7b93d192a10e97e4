import { describe, expect, it } from 'vitest';
import { Head, parseRequestHead } from '../../../src/http1/head.ts';
import { LIMITS } from '../../support/http1.ts';

/** The number that a head leaves behind, or the code that it is refused with. */
function outcome(method: string, lines: string): number | string {
  const bytes = Buffer.from(`${method} / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`, 'latin1');
  const head = new Head();
  return parseRequestHead(head, bytes, 0, bytes.length, LIMITS) < 0 ? head.failure : head.maxForwards;
}

describe('Max-Forwards', () => {
  it.each(['TRACE', 'OPTIONS'])('counts the proxies that a %s may still pass', (method) => {
    expect(outcome(method, '')).toBe(-1);
    expect(outcome(method, 'Max-Forwards: 1\r\n')).toBe(1);
    expect(outcome(method, 'max-forwards:\t0010 \r\n')).toBe(10);
    expect(outcome(method, 'Max-Forwards: 999999\r\n')).toBe(999_999);
  });

  it('above 999999 is taken for that, however long it is', () => {
    expect(outcome('TRACE', 'Max-Forwards: 1000000\r\n')).toBe(999_999);
    expect(outcome('TRACE', `Max-Forwards: ${'9'.repeat(400)}\r\n`)).toBe(999_999);
  });

  it('of 0 ends here', () => {
    expect(outcome('TRACE', 'Max-Forwards: 0\r\n')).toBe('method_unsupported');
    expect(outcome('OPTIONS', 'Max-Forwards: 000\r\n')).toBe('method_unsupported');
  });

  it.each(['', '-1', '+1', '1.0', '1 1', '1, 1', '0x1', '1e1', 'one', '\xb2'])(
    'of "%s" is refused',
    (value) => {
      expect(outcome('TRACE', `Max-Forwards: ${value}\r\n`)).toBe('request_malformed');
    },
  );

  it('twice is refused, also with equal values', () => {
    expect(outcome('OPTIONS', 'Max-Forwards: 1\r\nMax-Forwards: 1\r\n')).toBe('request_malformed');
  });

  it.each(['GET', 'POST', 'options', 'TRACES'])('means nothing with %s', (method) => {
    expect(outcome(method, 'Max-Forwards: 0\r\nMax-Forwards: no\r\n')).toBe(-1);
  });

  it('of one request is forgotten with the next', () => {
    const head = new Head();
    for (const [lines, expected] of [
      ['Max-Forwards: 5\r\n', 5],
      ['', -1],
    ] as const) {
      const bytes = Buffer.from(`TRACE / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`);
      parseRequestHead(head, bytes, 0, bytes.length, LIMITS);
      expect(head.maxForwards).toBe(expected);
    }
  });
});
