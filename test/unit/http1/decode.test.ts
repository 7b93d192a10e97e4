import { describe, expect, it } from 'vitest';
import { ChunkDecoder } from '../../../src/http1/decode.ts';
import { CHUNK_LIMITS, decode, everyCut } from '../../support/http1.ts';

const byte = (value: number): string => String.fromCharCode(value);

/** 'done', 'more' or 'malformed'. */
function verdict(text: string): string {
  const { isDone, failure } = decode(text);
  return isDone ? 'done' : failure === null ? 'more' : 'malformed';
}

describe('a chunked body', () => {
  it('is its data, without its framing, up to its end and not further', () => {
    expect(decode('5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET / HTTP/1.1')).toEqual({
      data: 'hello world',
      trailers: '',
      isDone: true,
      failure: null,
      consumed: 26,
    });
    expect(decode('0\r\n\r\n')).toEqual({ data: '', trailers: '', isDone: true, failure: null, consumed: 5 });
  });

  it('has sizes in hex of either case, with leading zeros', () => {
    expect(decode(`1A\r\n${'x'.repeat(26)}\r\n01a\r\n${'y'.repeat(26)}\r\n000\r\n\r\n`).data).toBe(
      'x'.repeat(26) + 'y'.repeat(26),
    );
  });

  it('gives the same however it is cut', () => {
    const text = '5;a=b\r\nhello\r\n2\r\n\r\n\r\n0;last\r\nX-Sum: 1\r\nX-T:\r\n\r\nrest';
    const whole = decode(text);
    expect(whole).toEqual({
      data: 'hello\r\n',
      trailers: 'X-Sum: 1\r\nX-T:\r\n',
      isDone: true,
      failure: null,
      consumed: text.length - 4,
    });
    for (const cut of everyCut(text.length)) expect(decode(text, [cut])).toEqual(whole);
    expect(decode(text, everyCut(text.length))).toEqual(whole);
  });

  it('may hold any byte as data', () => {
    const data = Array.from({ length: 256 }, (_, value) => byte(value)).join('');
    expect(decode(`100\r\n${data}\r\n0\r\n\r\n`).data).toBe(data);
  });

  it('stops with its ranges full and goes on where it stopped', () => {
    const text = Buffer.from(`${'1\r\nx\r\n'.repeat(300)}0\r\n\r\n`);
    const decoder = new ChunkDecoder();
    decoder.reset(CHUNK_LIMITS);
    const first = decoder.feed(text, 0, text.length);
    expect([decoder.rangeCount, decoder.dataBytes, decoder.isDone]).toEqual([256, 256, false]);
    expect(decoder.feed(text, first, text.length)).toBe(text.length);
    expect([decoder.rangeCount, decoder.dataBytes, decoder.bodyBytes, decoder.isDone]).toEqual([
      44,
      44,
      300,
      true,
    ]);
  });

  it('leaves nothing behind for the next body', () => {
    const decoder = new ChunkDecoder();
    for (const text of [
      '5;abc\r\nhel',
      '3\r\nabc\r\n0\r\nX: y\r',
      'z',
      '0\r\nX: y\r\n\r\n',
      '0000000000000001',
    ]) {
      decoder.reset(CHUNK_LIMITS);
      decoder.feed(Buffer.from(text), 0, text.length);
    }
    decoder.reset(CHUNK_LIMITS);
    const last = Buffer.from('2\r\nok\r\n0\r\n\r\n');
    expect(decoder.feed(last, 0, last.length)).toBe(last.length);
    expect([decoder.isDone, decoder.failure, decoder.trailers, decoder.dataBytes, decoder.bodyBytes]).toEqual(
      [true, null, '', 2, 2],
    );
  });
});

describe('every byte of the framing', () => {
  const HEX = /[0-9a-fA-F]/;

  it('of a size is a hex digit', () => {
    for (let value = 0; value < 256; value++) {
      const isHex = HEX.test(byte(value));
      expect([value, verdict(`${byte(value)}`)]).toEqual([value, isHex ? 'more' : 'malformed']);
      const mayFollow = isHex || byte(value) === ';' || byte(value) === '\r';
      expect([value, verdict(`1${byte(value)}`)]).toEqual([value, mayFollow ? 'more' : 'malformed']);
    }
  });

  it('after a size is CRLF', () => {
    for (let value = 0; value < 256; value++) {
      expect([value, verdict(`1\r${byte(value)}`)]).toEqual([value, value === 10 ? 'more' : 'malformed']);
    }
  });

  it('after the data of a chunk is CRLF (CVE-2025-43859)', () => {
    for (let value = 0; value < 256; value++) {
      expect([value, verdict(`1\r\nx${byte(value)}`)]).toEqual([value, value === 13 ? 'more' : 'malformed']);
      expect([value, verdict(`1\r\nx\r${byte(value)}`)]).toEqual([
        value,
        value === 10 ? 'more' : 'malformed',
      ]);
      expect([value, verdict(`2\r\nabXX${byte(value)}\r\n\r\n`)]).toEqual([value, 'malformed']);
    }
  });

  it('of an extension is a value byte', () => {
    for (let value = 0; value < 256; value++) {
      const mayBe = value === 9 || value === 13 || (value >= 32 && value !== 127);
      expect([value, verdict(`1;a${byte(value)}`)]).toEqual([value, mayBe ? 'more' : 'malformed']);
    }
  });

  it('after the last chunk begins a trailer or ends the body', () => {
    for (let value = 0; value < 256; value++) {
      const mayBegin = value === 13 || /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(byte(value));
      expect([value, verdict(`0\r\n${byte(value)}`)]).toEqual([value, mayBegin ? 'more' : 'malformed']);
      expect([value, verdict(`0\r\n\r${byte(value)}`)]).toEqual([value, value === 10 ? 'done' : 'malformed']);
    }
  });

  it.each([
    '-1\r\n',
    '+1\r\n',
    ' 1\r\n',
    '1 \r\n',
    '1\t\r\n',
    '1 ;a\r\n',
    '0x1\r\n',
    '\r\n',
    '\n',
    '1\n',
    '1\r\r\n',
    ';a\r\n',
    '1;a\n',
    '1,\r\n',
    'g\r\n',
    '1\r\nab\r\n',
    '2\r\na\r\n0\r\n\r\n',
    '0\n',
    '0\r\n\n',
    '1\r\na\n0\r\n\r\n',
    '1\r\na\r\n\r\n',
    '1;\0\r\n',
    '1;a\rb\r\n',
    '0\r\n\r\r\n',
  ])('%j is malformed', (text) => {
    expect(verdict(text)).toBe('malformed');
  });

  it('keeps what came before it when something is malformed, and takes nothing of it', () => {
    expect(decode('3\r\nabc\r\nzz\r\n')).toMatchObject({
      data: 'abc',
      failure: 'a chunk size is not hexadecimal',
      consumed: 8,
    });
  });
});

describe('the limits of a chunked body', () => {
  it('take sizes up to 2^53 - 1 in at most 16 digits', () => {
    expect(verdict('1fffffffffffff\r\n')).toBe('more');
    expect(verdict('001fffffffffffff\r\n')).toBe('more');
    expect(verdict('20000000000000\r\n')).toBe('malformed');
    expect(verdict('ffffffffffffffff\r\n')).toBe('malformed');
    expect(verdict('10000000000000001\r\n')).toBe('malformed');
    expect(verdict('00000000000000001')).toBe('malformed');
    expect(verdict('0000000000000001\r\nx')).toBe('more');
  });

  it('count extensions over the whole body, less the data that came with them', () => {
    const limits = { ...CHUNK_LIMITS, extensionMaxBytes: 10 };
    expect(decode(`1;${'a'.repeat(10)}\r\nx\r\n`, [], limits).failure).toBeNull();
    expect(decode(`1;${'a'.repeat(11)}`, [], limits).failure).toMatch('extensions');
    expect(decode('1;aaaa\r\nx\r\n'.repeat(3), [], limits).failure).toBeNull();
    expect(decode('1;aaaa\r\nx\r\n'.repeat(4), [], limits).failure).toMatch('extensions');
    expect(decode('8;aaaaaaaa\r\nxxxxxxxx\r\n'.repeat(1000), [], limits).failure).toBeNull();
  });

  it('take exactly trailerMaxBytes of trailers', () => {
    const limits = { ...CHUNK_LIMITS, trailerMaxBytes: 12 };
    expect(decode('0\r\nabcdef: gh\r\n\r\n', [], limits)).toMatchObject({
      isDone: true,
      trailers: 'abcdef: gh\r\n',
    });
    expect(decode('0\r\nabcdefg: gh\r\n\r\n', [], limits)).toMatchObject({
      isDone: false,
      failure: 'the trailers are longer than allowed',
    });
    expect(decode('0\r\nabcdef:gh\r\n\r\n', [], { ...limits, trailerMaxBytes: 11 })).toMatchObject({
      isDone: true,
      trailers: 'abcdef:gh\r\n',
    });
    expect(decode('0\r\nabcde: gh\r\n\r\n', [], { ...limits, trailerMaxBytes: 11 })).toMatchObject({
      isDone: true,
    });
    expect(decode('0\r\n\r\n', [], { ...limits, trailerMaxBytes: 0 })).toMatchObject({ isDone: true });
    expect(decode('0\r\na', [], { ...limits, trailerMaxBytes: 0 }).failure).toMatch('trailers');
  });
});

describe('trailers', () => {
  it('are handed on as they came', () => {
    expect(decode('0\r\nServer-Timing: a;dur=1\r\nX-Sum:  2 \r\n\r\n').trailers).toBe(
      'Server-Timing: a;dur=1\r\nX-Sum:  2 \r\n',
    );
  });

  it.each([
    'Content-Length',
    'Transfer-Encoding',
    'Host',
    'Connection',
    'Keep-Alive',
    'TE',
    'Trailer',
    'Upgrade',
    'Expect',
    'Authorization',
    'Cookie',
    'Set-Cookie',
    'Content-Type',
    'Content-Encoding',
    'Content-Range',
    'X-Forwarded-For',
    'X-Forwarded-Client-Cert',
    'Forwarded',
    'If-Match',
    'Via',
    'traceparent',
    'baggage',
    'x-experiment',
    'X-Experiment-Override',
    'X-Fairlead-Variant',
    'Cache-Control',
    'Max-Forwards',
    'Range',
    'Proxy-Authorization',
  ])('must not be named %s, in any case', (name) => {
    expect(decode(`0\r\n${name}: 1\r\n\r\n`).failure).toBe(
      'a trailer has a name that must not be in trailers',
    );
    expect(decode(`0\r\nX-A: 1\r\n${name.toUpperCase()}:`).failure).toBe(
      'a trailer has a name that must not be in trailers',
    );
  });

  it('must not have the names that the configuration adds', () => {
    expect(
      decode('0\r\nMy-Experiment: 1\r\n\r\n', [], { ...CHUNK_LIMITS, forbiddenTrailers: ['my-experiment'] })
        .failure,
    ).not.toBeNull();
    expect(decode('0\r\nMy-Experiment: 1\r\n\r\n').failure).toBeNull();
  });

  it.each([
    'A : b\r\n\r\n',
    ' A: b\r\n\r\n',
    ': b\r\n\r\n',
    'A\r\n\r\n',
    'A: b\n\r\n',
    'A: b\rC: d\r\n\r\n',
    'A: \0\r\n\r\n',
    'A: b\r\n c\r\n\r\n',
    'A: b\r\n\n',
  ])('%j is malformed', (text) => {
    expect(verdict(`0\r\n${text}`)).toBe('malformed');
  });
});
