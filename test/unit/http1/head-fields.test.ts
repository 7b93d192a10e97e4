import { describe, expect, it } from 'vitest';
import { Field } from '../../../src/http1/field.ts';
import { Head, parseRequestHead } from '../../../src/http1/head.ts';
import { LIMITS } from '../../support/http1.ts';

function parsed(lines: string): Head {
  const bytes = Buffer.from(`GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`, 'latin1');
  const head = new Head();
  if (parseRequestHead(head, bytes, 0, bytes.length, LIMITS) !== bytes.length)
    throw new Error(head.failureDetail);
  return head;
}

function options(lines: string): boolean[] {
  const head = parsed(lines);
  return [head.isClose, head.isKeepAlive, head.isUpgrade, head.hasOtherOptions];
}

/** Names of the fields that a Connection field takes away. */
function removed(lines: string, protectedNames?: readonly string[]): string[] {
  const head = parsed(lines);
  const names = [];
  for (let i = 0; i < head.count; i++) {
    if (head.isConnectionOption(i, protectedNames))
      names.push(head.text(head.nameStart[i]!, head.nameEnd[i]!));
  }
  return names;
}

describe('the fields of a head', () => {
  it('are found by name in any case and joined in order', () => {
    const head = parsed('X-A: 1\r\nx-b: 2\r\nx-a: 3\r\nX-a:\r\n');
    expect(head.header('x-a')).toBe('1, 3, ');
    expect(head.header('x-b')).toBe('2');
    expect(head.header('x-c')).toBeNull();
    expect(head.header('x-')).toBeNull();
    expect(head.isNamed(1, 'x-a')).toBe(true);
    expect(head.isNamed(2, 'x-a')).toBe(false);
  });

  it('are known by number, the first of several first', () => {
    const head = parsed('Cookie: a\r\ncookie: b\r\nVIA: c\r\n');
    expect([
      head.first(Field.host),
      head.first(Field.cookie),
      head.first(Field.via),
      head.first(Field.te),
    ]).toEqual([0, 1, 3, -1]);
    expect((head.repeated & (1 << Field.cookie)) !== 0).toBe(true);
    expect((head.repeated & (1 << Field.via)) !== 0).toBe(false);
  });

  it('have lines that follow one another without a gap', () => {
    const head = parsed('A:b\r\nC:  d  \r\n');
    expect(head.nameStart[0]).toBe(head.fieldsStart);
    expect(head.nameStart[1]).toBe(head.lineEnd[0]);
    expect(head.nameStart[2]).toBe(head.lineEnd[1]);
    expect(head.lineEnd[2]).toBe(head.end - 2);
  });
});

describe('Connection', () => {
  it('tells close, keep-alive, upgrade and other options, in any case, in lists and in several fields', () => {
    expect(options('')).toEqual([false, false, false, false]);
    expect(options('Connection: close\r\n')).toEqual([true, false, false, false]);
    expect(options('Connection: Keep-Alive\r\n')).toEqual([false, true, false, false]);
    expect(options('Connection: UPGRADE\r\n')).toEqual([false, false, true, false]);
    expect(options('Connection: X-A\r\n')).toEqual([false, false, false, true]);
    expect(options('Connection: keep-alive, Upgrade\r\n')).toEqual([false, true, true, false]);
    expect(options('Connection: ,, \t,close ,\r\n')).toEqual([true, false, false, false]);
    expect(options('Connection: close\r\nConnection: x-a\r\n')).toEqual([true, false, false, true]);
    expect(options('Connection: te\r\n')).toEqual([false, false, false, false]);
  });

  it('is passed over where it is not a list of tokens', () => {
    expect(options('Connection: "close", a b, closed, xclose, clos\r\n')).toEqual([
      false,
      false,
      false,
      true,
    ]);
    expect(options('Connection: close;q=1, k=v, ä\r\n')).toEqual([false, false, false, false]);
    expect(options('Connection:\r\n')).toEqual([false, false, false, false]);
  });

  it('takes away the fields it names, in any case', () => {
    expect(removed('Connection: X-a , x-B\r\nX-A: 1\r\nx-b: 2\r\nX-AB: 3\r\nX: 4\r\nx-a: 5\r\n')).toEqual([
      'X-A',
      'x-b',
      'x-a',
    ]);
    expect(removed('X-A: 1\r\nConnection: close\r\nConnection: x-a\r\n')).toEqual(['X-A']);
    expect(removed('X-A: 1\r\nConnection: x-a y\r\n')).toEqual([]);
  });

  it('cannot take away fields that are for every recipient, nor the protected ones', () => {
    const names = [
      'Host',
      'Content-Length',
      'Transfer-Encoding',
      'Authorization',
      'Cookie',
      'Set-Cookie',
      'Cache-Control',
      'Vary',
      'X-Forwarded-For',
      'X-Forwarded-Proto',
      'X-Forwarded-Host',
      'Via',
      'X-Request-Id',
      'traceparent',
      'tracestate',
      'baggage',
      'X-Fairlead-Variant',
      'Expect',
      'Forwarded',
      'X-Real-IP',
      'X-Forwarded-Port',
      'X-FORWARDED-CLIENT-CERT',
      'Content-Type',
      'content-encoding',
    ];
    const lines = names
      .slice(1)
      .map((name) => `${name}: 1\r\n`)
      .join('');
    expect(removed(`Connection: ${names.join(', ')}\r\n${lines}`)).toEqual([]);
    expect(removed('Connection: x-experiment\r\nX-Experiment: a=b\r\n')).toEqual(['X-Experiment']);
    expect(removed('Connection: x-experiment\r\nX-Experiment: a=b\r\n', ['x-experiment'])).toEqual([]);
    expect(
      removed(
        'Connection: content, forwarded-by, x-real-i\r\nContent: 1\r\nForwarded-By: 2\r\nX-Real-I: 3\r\n',
      ),
    ).toEqual(['Content', 'Forwarded-By', 'X-Real-I']);
  });
});
