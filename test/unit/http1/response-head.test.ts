import { describe, expect, it } from 'vitest';
import { LIMITS, type Outcome, response } from '../../support/http1.ts';

const byte = (value: number): string => String.fromCharCode(value);

function result(text: string, method = 'GET'): string {
  const outcome: Outcome = response(text, method);
  return outcome.kind === 'head'
    ? `${outcome.status} ${outcome.reason}`
    : outcome.kind === 'refused'
      ? outcome.code
      : outcome.kind;
}

describe('a response head', () => {
  it('is read into its parts', () => {
    expect(
      response('HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno'),
    ).toMatchObject({
      kind: 'head',
      status: 404,
      reason: 'Not Found',
      versionMinor: 1,
      options: ['close'],
      body: 'length 2',
      rest: 2,
      fields: [
        ['Content-Length', '2'],
        ['Connection', 'close'],
      ],
    });
  });

  it('may have no fields, no reason, and no space before a missing reason', () => {
    expect(result('HTTP/1.1 200 OK\r\n\r\n')).toBe('200 OK');
    expect(result('HTTP/1.0 200 \r\n\r\n')).toBe('200 ');
    expect(result('HTTP/1.1 200\r\n\r\n')).toBe('200 ');
  });

  it('may have any status from 100 to 999', () => {
    for (let status = 0; status <= 999; status++) {
      const digits = String(status).padStart(3, '0');
      expect(result(`HTTP/1.1 ${digits} x\r\n\r\n`)).toBe(
        status < 100 ? 'upstream_malformed' : `${status} x`,
      );
    }
  });

  it.each([
    'HTTP/1.2 200 OK',
    'HTTP/2.0 200 OK',
    'HTTP/0.9 200 OK',
    'http/1.1 200 OK',
    'ICY 200 OK',
    'HTTP/1.1  200 OK',
    'HTTP/1.1\t200 OK',
    'HTTP/1.1 20 OK',
    'HTTP/1.1 2000 OK',
    'HTTP/1.1 2OO OK',
    'HTTP/1.1 +20 OK',
    'HTTP/1.1 200OK',
    'HTTP/1.1',
    ' HTTP/1.1 200 OK',
    'HTTP/1.1 200 a\0b',
    'HTTP/1.1 200 a\rb',
    '',
    'HTTP/1.1 200\tOK',
  ])('%j is refused', (line) => {
    expect(result(`${line}\r\n\r\n`)).toBe('upstream_malformed');
  });

  it('has a reason of HTAB, SP, VCHAR and obs-text; any other byte refuses it', () => {
    for (let value = 0; value < 256; value++) {
      const isValue = value === 9 || (value >= 32 && value !== 127);
      expect([value, result(`HTTP/1.1 200 a${byte(value)}b\r\n\r\n`)]).toEqual([
        value,
        isValue ? `200 a${byte(value)}b` : 'upstream_malformed',
      ]);
    }
  });

  it('is not preceded by an empty line', () => {
    expect(result('\r\nHTTP/1.1 200 OK\r\n\r\n')).toBe('upstream_malformed');
  });

  it('is refused with one code whatever is wrong with it', () => {
    for (const line of [
      'X : y',
      ' X: y',
      'X: y\nZ: a',
      'X: \0',
      'Content-Length: x',
      'Transfer-Encoding: gzip',
    ]) {
      expect(result(`HTTP/1.1 200 OK\r\n${line}\r\n\r\n`)).toBe('upstream_malformed');
    }
    const text = 'HTTP/1.1 200 OK\r\nA: b\r\n\r\n';
    expect(response(text, 'GET', { ...LIMITS, headMaxBytes: text.length }).kind).toBe('head');
    expect(response(text, 'GET', { ...LIMITS, headMaxBytes: text.length - 1 })).toMatchObject({
      code: 'upstream_malformed',
    });
    expect(response(text, 'GET', { ...LIMITS, fieldsMax: 0 })).toMatchObject({ code: 'upstream_malformed' });
  });
});
