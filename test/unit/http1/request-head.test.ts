import { describe, expect, it } from 'vitest';
import { Field } from '../../../src/http1/field.ts';
import { Head, parseRequestHead } from '../../../src/http1/head.ts';
import {
  everyCut,
  LIMITS,
  type Outcome,
  type ParsedHead,
  request,
  requestInPieces,
} from '../../support/http1.ts';

function accepted(text: string): ParsedHead {
  const outcome = request(text);
  if (outcome.kind !== 'head') throw new Error(`expected a head, got ${JSON.stringify(outcome)}`);
  return outcome;
}

function code(text: string): string {
  const outcome: Outcome = request(text);
  return outcome.kind === 'refused' ? outcome.code : outcome.kind;
}

/** A GET with one field line beside Host. */
function withField(line: string): string {
  return `GET / HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`;
}

const byte = (value: number): string => String.fromCharCode(value);

describe('a request head', () => {
  it('is read into its parts', () => {
    expect(
      accepted(
        'POST /a/b?c=d&e HTTP/1.1\r\nHost: Example.com:80\r\nX-One:  two words\t\r\nContent-Length: 5\r\n\r\nhello',
      ),
    ).toEqual({
      kind: 'head',
      method: 'POST',
      target: '/a/b?c=d&e',
      targetForm: 'origin',
      path: '/a/b',
      query: 'c=d&e',
      authority: null,
      versionMinor: 1,
      status: 0,
      reason: '',
      fields: [
        ['Host', 'Example.com:80'],
        ['X-One', 'two words'],
        ['Content-Length', '5'],
      ],
      options: [],
      body: 'length 5',
      rest: 5,
    });
  });

  it('may have an empty value and a value of spaces only', () => {
    expect(accepted('GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB:  \t \r\n\r\n').fields.slice(1)).toEqual([
      ['A', ''],
      ['B', ''],
    ]);
  });

  it('keeps bytes above 0x7f in values as they are', () => {
    expect(accepted(withField('A: \x80\xff')).fields[1]).toEqual(['A', '\x80\xff']);
  });

  it('may be preceded by one empty line and no more', () => {
    expect(accepted('\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n').method).toBe('GET');
    expect(code('\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n')).toBe('request_malformed');
    expect(code('\nGET / HTTP/1.1\r\nHost: a\r\n\r\n')).toBe('request_malformed');
    expect(code('\rGET / HTTP/1.1\r\nHost: a\r\n\r\n')).toBe('request_malformed');
    expect(request('\r')).toEqual({ kind: 'incomplete' });
    expect(request('\r\n')).toEqual({ kind: 'incomplete' });
    expect(request('')).toEqual({ kind: 'incomplete' });
  });

  it('is incomplete at every cut before its last byte, and then complete', () => {
    const text = Buffer.from('\r\nPUT /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    const head = new Head();
    for (let end = 0; end < text.length; end++) expect(parseRequestHead(head, text, 0, end, LIMITS)).toBe(0);
    expect(parseRequestHead(head, text, 0, text.length, LIMITS)).toBe(text.length);
    expect(head.start).toBe(2);
    expect(head.end).toBe(text.length);
  });

  it('can have more fields than a Head has room for at first, all of them right', () => {
    const lines = Array.from({ length: 99 }, (_, i) => `X-${i}: v${i}\r\n`).join('');
    const head = accepted(`GET / HTTP/1.1\r\n${lines}Host: a\r\n\r\n`);
    expect(head.fields).toHaveLength(100);
    expect(head.fields[0]).toEqual(['X-0', 'v0']);
    expect(head.fields[98]).toEqual(['X-98', 'v98']);
  });

  it('leaves nothing behind for the next head in the same Head', () => {
    const head = new Head();
    const first = Buffer.from(
      'GET http://b/?q HTTP/1.0\r\nHost: a\r\nConnection: close, keep-alive, upgrade, x\r\nCookie: a\r\n\r\n',
    );
    expect(parseRequestHead(head, first, 0, first.length, LIMITS)).toBe(first.length);
    expect([head.isClose, head.isKeepAlive, head.isUpgrade, head.hasOtherOptions]).toEqual([
      true,
      true,
      true,
      true,
    ]);
    const second = Buffer.from('OPTIONS * HTTP/1.1\r\nHost: c\r\n\r\n');
    expect(parseRequestHead(head, second, 0, second.length, LIMITS)).toBe(second.length);
    expect([head.isClose, head.isKeepAlive, head.isUpgrade, head.hasOtherOptions]).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect([
      head.first(Field.cookie),
      head.first(Field.connection),
      head.first(Field.host),
      head.count,
      head.queryStart,
    ]).toEqual([-1, -1, 0, 1, -1]);
    expect([head.host(), head.header('cookie'), head.targetForm, head.versionMinor]).toEqual([
      'c',
      null,
      'asterisk',
      1,
    ]);
  });
});

describe('a field line', () => {
  it('has a name of token bytes; any other byte refuses the head', () => {
    for (let value = 0; value < 256; value++) {
      const isToken = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(byte(value));
      expect([value, code(withField(`a${byte(value)}b: c`))]).toEqual([
        value,
        isToken || byte(value) === ':' ? 'head' : 'request_malformed',
      ]);
      expect([value, code(withField(`${byte(value)}: c`))]).toEqual([
        value,
        isToken ? 'head' : 'request_malformed',
      ]);
    }
  });

  it('has a value of HTAB, SP, VCHAR and obs-text; any other byte refuses the head', () => {
    for (let value = 0; value < 256; value++) {
      const isValue = value === 9 || (value >= 32 && value !== 127);
      for (const text of [
        `a${byte(value)}b`,
        `${byte(value)}b`,
        `a${byte(value)}`,
        `abcdefgh${byte(value)}`,
      ]) {
        expect([value, text, code(withField(`X: ${text}`))]).toEqual([
          value,
          text,
          isValue ? 'head' : 'request_malformed',
        ]);
      }
    }
  });

  it('ends with CRLF: each other byte in either place refuses the head', () => {
    for (let value = 0; value < 256; value++) {
      const isValue = value === 9 || (value >= 32 && value !== 127);
      if (value !== 10)
        expect(code(`GET / HTTP/1.1\r\nHost: a\r${byte(value)}X: y\r\n\r\n`)).toBe('request_malformed');
      if (value !== 13 && !isValue)
        expect(code(`GET / HTTP/1.1\r\nHost: a${byte(value)}\nX: y\r\n\r\n`)).toBe('request_malformed');
    }
  });

  it('is not followed by anything but a field or CRLF', () => {
    for (let value = 0; value < 256; value++) {
      const text = `GET / HTTP/1.1\r\nHost: a\r\n\r${byte(value)}`;
      expect([value, code(text)]).toEqual([value, value === 10 ? 'head' : 'request_malformed']);
    }
  });

  it.each([
    ['a space before the colon', 'X : y'],
    ['a tab before the colon', 'X\t: y'],
    ['an empty name', ': y'],
    ['no colon', 'X'],
    ['obsolete folding with a space', 'X: y\r\n z'],
    ['obsolete folding with a tab', 'X: y\r\n\tz'],
    ['a line of spaces', ' '],
    ['a bare line feed', 'X: y\nZ: a'],
    ['a lone carriage return', 'X: y\rZ: a'],
    ['a NUL', 'X: \0'],
    ['a NUL in the name', 'X\0: y'],
  ])('is refused with %s', (_, line) => {
    expect(code(withField(line))).toBe('request_malformed');
  });

  it('cannot come folded before the first field', () => {
    expect(code('GET / HTTP/1.1\r\n Host: a\r\n\r\n')).toBe('request_malformed');
    expect(code('GET / HTTP/1.1\r\n\tX: y\r\nHost: a\r\n\r\n')).toBe('request_malformed');
  });
});

describe('the limits of a head', () => {
  it('take exactly headMaxBytes and refuse one byte more, as soon as it is certain', () => {
    const text = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
    expect(request(text, { ...LIMITS, headMaxBytes: text.length }).kind).toBe('head');
    expect(request(`${text}body`, { ...LIMITS, headMaxBytes: text.length }).kind).toBe('head');
    expect(request(`\r\n${text}`, { ...LIMITS, headMaxBytes: text.length }).kind).toBe('head');
    expect(request(text, { ...LIMITS, headMaxBytes: text.length - 1 })).toMatchObject({
      code: 'head_too_large',
    });
    expect(request(text.slice(0, 20), { ...LIMITS, headMaxBytes: 20 })).toMatchObject({
      code: 'head_too_large',
    });
    expect(request(text.slice(0, 19), { ...LIMITS, headMaxBytes: 20 })).toEqual({ kind: 'incomplete' });
  });

  it('take exactly fieldsMax fields', () => {
    const text = 'GET / HTTP/1.1\r\nHost: a\r\nB: c\r\nD: e\r\n\r\n';
    expect(request(text, { ...LIMITS, fieldsMax: 3 }).kind).toBe('head');
    expect(request(text, { ...LIMITS, fieldsMax: 2 })).toMatchObject({ code: 'head_too_large' });
    expect(request('GET / HTTP/1.1\r\nHost: a\r\nB', { ...LIMITS, fieldsMax: 1 })).toMatchObject({
      code: 'head_too_large',
    });
  });

  it('give the same refusal however the bytes are cut', () => {
    const text = Buffer.from(`GET /${'a'.repeat(30)} HTTP/1.1\r\nHost: a\r\nX: ${'b'.repeat(60)}\r\n\r\n`);
    for (const limits of [
      { ...LIMITS, targetMaxBytes: 20 },
      { ...LIMITS, headMaxBytes: 70 },
      { ...LIMITS, fieldsMax: 1 },
      { ...LIMITS, headMaxBytes: 20, targetMaxBytes: 20 },
    ]) {
      const whole = requestInPieces(text, [], limits);
      expect(whole.kind).toBe('refused');
      for (const cut of everyCut(text.length)) expect(requestInPieces(text, [cut], limits)).toEqual(whole);
      expect(requestInPieces(text, everyCut(text.length), limits)).toEqual(whole);
    }
  });
});

describe('Host', () => {
  it('is needed exactly once in HTTP/1.1', () => {
    expect(code('GET / HTTP/1.1\r\n\r\n')).toBe('host_invalid');
    expect(code('GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n')).toBe('host_invalid');
    expect(code('GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n')).toBe('host_invalid');
    expect(code('GET http://a/ HTTP/1.1\r\n\r\n')).toBe('host_invalid');
  });

  it('may be missing in HTTP/1.0, but not be there twice or wrong', () => {
    expect(code('GET / HTTP/1.0\r\n\r\n')).toBe('head');
    expect(code('GET / HTTP/1.0\r\nHost: a\r\n\r\n')).toBe('head');
    expect(code('GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n')).toBe('host_invalid');
    expect(code('GET / HTTP/1.0\r\nHost: a b\r\n\r\n')).toBe('host_invalid');
  });

  it.each(['', ' ', 'a b', 'a,b', 'a@b', 'http://a', 'a/', 'a:b', 'a:65536', '[::1', 'a\x80'])(
    '%j is refused',
    (value) => {
      expect(code(`GET / HTTP/1.1\r\nHost: ${value}\r\n\r\n`)).toBe('host_invalid');
    },
  );

  it('is what requests are routed by, lower case and with its port, unless the target is absolute', () => {
    const host = (text: string): string | null => {
      const bytes = Buffer.from(text);
      const head = new Head();
      expect(parseRequestHead(head, bytes, 0, bytes.length, LIMITS)).toBe(bytes.length);
      return head.host();
    };
    expect(host('GET / HTTP/1.1\r\nHost: Example.COM:8080\r\n\r\n')).toBe('example.com:8080');
    expect(host('GET http://Other.example HTTP/1.1\r\nHost: Example.COM:8080\r\n\r\n')).toBe('other.example');
    expect(host('GET / HTTP/1.0\r\n\r\n')).toBeNull();
  });
});
