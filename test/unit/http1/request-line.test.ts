import { describe, expect, it } from 'vitest';
import { LIMITS, type Outcome, type ParsedHead, request } from '../../support/http1.ts';

function accepted(text: string): ParsedHead {
  const outcome = request(text);
  if (outcome.kind !== 'head') throw new Error(`expected a head, got ${JSON.stringify(outcome)}`);
  return outcome;
}

function code(text: string): string {
  const outcome: Outcome = request(text);
  return outcome.kind === 'refused' ? outcome.code : outcome.kind;
}

function withTarget(target: string, method = 'GET'): string {
  return `${method} ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
}

const byte = (value: number): string => String.fromCharCode(value);

describe('the method', () => {
  it('is any token but CONNECT', () => {
    for (const method of [
      'GET',
      'HEAD',
      'POST',
      'PUT',
      'DELETE',
      'PATCH',
      'OPTIONS',
      'TRACE',
      'get',
      'PURGE',
      'M-SEARCH',
      'X',
      "!#$%&'*+-.^_`|~",
    ]) {
      expect(accepted(withTarget('/', method)).method).toBe(method);
    }
    expect(code(withTarget('/', 'CONNECT'))).toBe('method_unsupported');
    expect(code(withTarget('a:443', 'CONNECT'))).toBe('method_unsupported');
  });

  it('is compared byte for byte: any byte of any known method changed makes another method or a refusal', () => {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'CONNECT']) {
      for (let at = 0; at < method.length; at++) {
        for (let value = 0; value < 256; value++) {
          const other = method.slice(0, at) + byte(value) + method.slice(at + 1);
          if (other === 'CONNECT') continue;
          const outcome = request(withTarget('/', other));
          const isToken = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(other);
          const got =
            outcome.kind === 'head' ? outcome.method : outcome.kind === 'refused' ? outcome.code : '';
          if (got !== (isToken ? other : 'request_malformed'))
            expect.fail(`${JSON.stringify(other)}: ${got}`);
        }
      }
    }
  });

  it('is at most 32 bytes', () => {
    expect(accepted(withTarget('/', 'M'.repeat(32))).method).toHaveLength(32);
    expect(code(withTarget('/', 'M'.repeat(33)))).toBe('method_unsupported');
    expect(code('M'.repeat(33))).toBe('method_unsupported');
  });

  it('is followed by exactly one space', () => {
    expect(code('GET  / HTTP/1.1\r\nHost: a\r\n\r\n')).toBe('request_malformed');
    expect(code('GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n')).toBe('request_malformed');
    expect(code(' GET / HTTP/1.1\r\nHost: a\r\n\r\n')).toBe('request_malformed');
    expect(code('GET\r\nHost: a\r\n\r\n')).toBe('request_malformed');
  });
});

describe('the target', () => {
  it('takes every byte from 0x21 to 0x7e but the fragment sign, and no other', () => {
    for (let value = 0; value < 256; value++) {
      const isTaken = value >= 0x21 && value <= 0x7e && byte(value) !== '#';
      expect([value, code(withTarget(`/a${byte(value)}b`))]).toEqual([
        value,
        isTaken ? 'head' : 'request_malformed',
      ]);
    }
  });

  it('is passed as it came: dots, slashes, percent signs and unsafe characters are not touched', () => {
    for (const target of [
      '/',
      '//',
      '//evil.example/x',
      '/a/../b',
      '/%2e%2e/%00',
      '/%zz',
      '/a%',
      '/{a}|b\\c^d"e<f>',
      '/a;b=c',
      '/a?b?c/d',
      '/?',
    ]) {
      expect(accepted(withTarget(target)).target).toBe(target);
    }
  });

  it('splits at the first question mark', () => {
    expect(accepted(withTarget('/a?b?c'))).toMatchObject({ path: '/a', query: 'b?c' });
    expect(accepted(withTarget('/?'))).toMatchObject({ path: '/', query: '' });
    expect(accepted(withTarget('/a'))).toMatchObject({ path: '/a', query: null });
  });

  it('may be an absolute http or https URI, whose scheme has no case', () => {
    expect(accepted(withTarget('http://b.example:8080/p?q'))).toMatchObject({
      targetForm: 'absolute',
      authority: 'b.example:8080',
      path: '/p',
      query: 'q',
    });
    expect(accepted(withTarget('HTTPS://[::1]'))).toMatchObject({
      targetForm: 'absolute',
      authority: '[::1]',
      path: '',
      query: null,
    });
    expect(accepted(withTarget('http://b?q'))).toMatchObject({ authority: 'b', path: '', query: 'q' });
  });

  it.each([
    'http:///p',
    'http://',
    'http://user@b/',
    'http://user:pw@b/',
    'http://b:99999/',
    'http://b,c/',
    'http:/b',
    'http:b',
    'ftp://b/',
    'ws://b/',
    'httpx://b/',
    'https//b/',
    'b',
    'b:80',
    'a/b',
    '?q',
    '.',
    '**',
    '*a',
    'http://b\\@c/',
  ])('%s has no form and is refused', (target) => {
    expect(code(withTarget(target))).toBe('request_malformed');
  });

  it('may be an asterisk for OPTIONS only', () => {
    expect(accepted(withTarget('*', 'OPTIONS'))).toMatchObject({
      targetForm: 'asterisk',
      path: '*',
      query: null,
    });
    expect(code(withTarget('*'))).toBe('request_malformed');
    expect(code(withTarget('*?a', 'OPTIONS'))).toBe('request_malformed');
  });

  it('is at most targetMaxBytes, and one byte more is known to be too long at once', () => {
    const limits = { ...LIMITS, targetMaxBytes: 10 };
    expect(request('GET /123456789 HTTP/1.1\r\nHost: a\r\n\r\n', limits).kind).toBe('head');
    expect(request('GET /1234567890 HTTP/1.1\r\nHost: a\r\n\r\n', limits)).toMatchObject({
      code: 'target_too_long',
    });
    expect(request('GET /1234567890', limits)).toMatchObject({ code: 'target_too_long' });
    expect(request('GET /123456789', limits)).toEqual({ kind: 'incomplete' });
  });

  it('must not be empty', () => {
    expect(code('GET  HTTP/1.1\r\nHost: a\r\n\r\n')).toBe('request_malformed');
  });
});

describe('the version', () => {
  const withVersion = (version: string): string => code(`GET / ${version}\r\nHost: a\r\n\r\n`);

  it('is HTTP/1.0 or HTTP/1.1; any other digits are not supported', () => {
    for (let major = 0; major <= 9; major++) {
      for (let minor = 0; minor <= 9; minor++) {
        const isKnown = major === 1 && minor <= 1;
        expect(withVersion(`HTTP/${major}.${minor}`)).toBe(isKnown ? 'head' : 'version_unsupported');
      }
    }
  });

  it('is refused when any one of its bytes is another one', () => {
    const version = 'HTTP/1.1';
    for (let at = 0; at < version.length; at++) {
      for (let value = 0; value < 256; value++) {
        if (byte(value) === version[at]) continue;
        const isDigit = (at === 5 || at === 7) && value >= 0x30 && value <= 0x39;
        const other = version.slice(0, at) + byte(value) + version.slice(at + 1);
        const expected =
          other === 'HTTP/1.0' ? 'head' : isDigit ? 'version_unsupported' : 'request_malformed';
        expect([other, withVersion(other)]).toEqual([other, expected]);
      }
    }
  });

  it.each([
    'http/1.1',
    'HTTP/1',
    'HTTP/1.',
    'HTTP/11',
    'HTTP/1.10',
    'HTTP/01.1',
    'HTTP/1.1 ',
    ' HTTP/1.1',
    'HTTP/1.1\t',
    'HTTP /1.1',
    'HTTP/1.1 HTTP/1.1',
    '',
  ])('%j is malformed', (version) => {
    expect(withVersion(version)).toBe('request_malformed');
  });

  it('cannot be left out, as HTTP/0.9 did', () => {
    expect(code('GET /\r\n')).toBe('request_malformed');
    expect(code('GET /\n')).toBe('request_malformed');
  });

  it('is not supported in the preface of HTTP/2', () => {
    expect(code('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')).toBe('version_unsupported');
  });

  it('is followed by CRLF and nothing else', () => {
    for (let value = 0; value < 256; value++) {
      if (value !== 13)
        expect(code(`GET / HTTP/1.1${byte(value)}\nHost: a\r\n\r\n`)).toBe('request_malformed');
      if (value !== 10)
        expect(code(`GET / HTTP/1.1\r${byte(value)}Host: a\r\n\r\n`)).toBe('request_malformed');
    }
  });
});
