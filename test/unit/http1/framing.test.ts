import { describe, expect, it } from 'vitest';
import { request, response } from '../../support/http1.ts';

function ofRequest(lines: string, version = '1.1'): string {
  const outcome = request(`POST / HTTP/${version}\r\nHost: a\r\n${lines}\r\n`);
  return outcome.kind === 'head' ? outcome.body : outcome.kind === 'refused' ? outcome.code : outcome.kind;
}

function ofResponse(status: number, lines: string, method = 'GET', version = '1.1'): string {
  const outcome = response(`HTTP/${version} ${status} x\r\n${lines}\r\n`, method);
  return outcome.kind === 'head' ? outcome.body : outcome.kind === 'refused' ? outcome.code : outcome.kind;
}

const LENGTH = 'Content-Length: 5\r\n';
const CHUNKED = 'Transfer-Encoding: chunked\r\n';

describe('the framing of a request', () => {
  it('is none without either field, and with a length of 0', () => {
    expect(ofRequest('')).toBe('none');
    expect(ofRequest('Content-Length: 0\r\n')).toBe('none');
    expect(ofRequest('Content-Length: 000\r\n')).toBe('none');
  });

  it('is a length up to 2^53 - 1, and leading zeros are decimal', () => {
    expect(ofRequest(LENGTH)).toBe('length 5');
    expect(ofRequest('Content-Length: 010\r\n')).toBe('length 10');
    expect(ofRequest('content-LENGTH:5\r\n')).toBe('length 5');
    expect(ofRequest('Content-Length: 9007199254740991\r\n')).toBe('length 9007199254740991');
    expect(ofRequest('Content-Length: 9007199254740992\r\n')).toBe('framing_ambiguous');
    expect(ofRequest('Content-Length: 9007199254740993\r\n')).toBe('framing_ambiguous');
    expect(ofRequest('Content-Length: 99999999999999999999999999\r\n')).toBe('framing_ambiguous');
    expect(ofRequest('Content-Length: 00000000000000005\r\n')).toBe('framing_ambiguous');
    expect(ofRequest(`Content-Length: ${'9'.repeat(400)}\r\n`)).toBe('framing_ambiguous');
  });

  it.each([
    '',
    ' ',
    '+5',
    '-5',
    '-0',
    '5 5',
    '5,5',
    '5, 5',
    '5,',
    ',5',
    '5;',
    '0x5',
    '5.0',
    '5e1',
    '1_000',
    '５',
    'five',
    '"5"',
    '5a',
    '\xb2',
  ])('Content-Length %j is ambiguous', (value) => {
    expect(ofRequest(`Content-Length: ${Buffer.from(value).toString('latin1')}\r\n`)).toBe(
      'framing_ambiguous',
    );
  });

  it('is refused with each byte that is no digit in a Content-Length', () => {
    for (let byte = 0; byte < 256; byte++) {
      if (byte >= 0x30 && byte <= 0x39) continue;
      const isValue = byte === 9 || (byte >= 32 && byte !== 127);
      const expected = isValue ? 'framing_ambiguous' : 'request_malformed';
      expect([byte, ofRequest(`Content-Length: 1${String.fromCharCode(byte)}1\r\n`)]).toEqual([
        byte,
        expected,
      ]);
    }
  });

  it('is refused with two lengths, even equal ones', () => {
    expect(ofRequest(`${LENGTH}${LENGTH}`)).toBe('framing_ambiguous');
    expect(ofRequest(`${LENGTH}Content-Length: 6\r\n`)).toBe('framing_ambiguous');
    expect(ofRequest('Content-Length: 0\r\nContent-Length: 0\r\n')).toBe('framing_ambiguous');
  });

  it('is chunked with exactly that coding, in any case', () => {
    expect(ofRequest(CHUNKED)).toBe('chunked');
    expect(ofRequest('Transfer-Encoding:  CHUNKED  \r\n')).toBe('chunked');
  });

  it('is refused with both fields, in either order', () => {
    expect(ofRequest(`${LENGTH}${CHUNKED}`)).toBe('framing_ambiguous');
    expect(ofRequest(`${CHUNKED}${LENGTH}`)).toBe('framing_ambiguous');
    expect(ofRequest(`${CHUNKED}Content-Length: 0\r\n`)).toBe('framing_ambiguous');
    expect(ofRequest(`Transfer-Encoding: x\r\n${LENGTH}`)).toBe('framing_ambiguous');
    expect(ofRequest(`Transfer-Encoding:\r\n${LENGTH}`)).toBe('framing_ambiguous');
  });

  it('is refused with Transfer-Encoding in HTTP/1.0', () => {
    expect(ofRequest(CHUNKED, '1.0')).toBe('framing_ambiguous');
    expect(ofRequest('Transfer-Encoding: gzip, chunked\r\n', '1.0')).toBe('framing_ambiguous');
    expect(ofRequest(LENGTH, '1.0')).toBe('length 5');
  });

  it.each([
    'gzip, chunked',
    'gzip,chunked',
    'GZIP , CHUNKED',
    'a;b=c, chunked',
    'a ;b="c", chunked',
    'identity, chunked',
    'a, b, chunked',
  ])('Transfer-Encoding %j is valid HTTP that is not supported', (value) => {
    expect(ofRequest(`Transfer-Encoding: ${value}\r\n`)).toBe('transfer_encoding_unsupported');
  });

  it.each([
    '',
    'identity',
    'gzip',
    'chunked, gzip',
    'chunked, chunked',
    'chunked,',
    ',chunked',
    'gzip,,chunked',
    'chunked;a=b',
    'xchunked',
    'chunkedx',
    'chunke',
    'chunked chunked',
    '"chunked"',
    'chunked, identity',
    'gzip chunked',
    'gzip; chunked',
    'chunked\xa0',
    'ch\xfcnked',
    '\xb5chunked',
    'gzip, chunked, chunked',
    'gzip, chunked;a',
    'a,chunked,',
  ])('Transfer-Encoding %j is ambiguous', (value) => {
    expect(ofRequest(`Transfer-Encoding: ${value}\r\n`)).toBe('framing_ambiguous');
  });

  it('is refused with a tab beside the value of either field, about which readers disagree', () => {
    for (const line of [
      'Transfer-Encoding: chunked\t',
      'Transfer-Encoding:\tchunked',
      'Content-Length: 5\t',
      'Content-Length:\t5',
      'Content-Length: 5 \t ',
    ]) {
      expect(ofRequest(`${line}\r\n`)).toBe('framing_ambiguous');
      expect(ofResponse(200, `${line}\r\n`)).toBe('upstream_malformed');
    }
  });

  it('is refused with two Transfer-Encoding fields', () => {
    expect(ofRequest(`${CHUNKED}${CHUNKED}`)).toBe('framing_ambiguous');
    expect(ofRequest(`Transfer-Encoding: gzip\r\n${CHUNKED}`)).toBe('framing_ambiguous');
    expect(ofRequest(`${CHUNKED}Transfer-Encoding: identity\r\n`)).toBe('framing_ambiguous');
  });

  it('is not chunked when any byte of the coding is another one', () => {
    for (let at = 0; at < 7; at++) {
      for (let byte = 0; byte < 256; byte++) {
        const value = `${'chunked'.slice(0, at)}${String.fromCharCode(byte)}${'chunked'.slice(at + 1)}`;
        const isSame = value.toLowerCase() === 'chunked' && byte < 128;
        expect([value, ofRequest(`Transfer-Encoding: ${value}\r\n`) === 'chunked']).toEqual([value, isSame]);
      }
    }
  });

  it('is not read from fields that look like the real ones', () => {
    expect(
      ofRequest(
        'Content_Length: 5\r\nTransfer_Encoding: chunked\r\nX-Content-Length: 5\r\nContent-Lengths: 5\r\n',
      ),
    ).toBe('none');
  });
});

describe('the framing of a response', () => {
  it('lasts until close without either field', () => {
    expect(ofResponse(200, '')).toBe('untilClose');
    expect(ofResponse(500, '', 'POST', '1.0')).toBe('untilClose');
  });

  it('is a length or chunked', () => {
    expect(ofResponse(200, LENGTH)).toBe('length 5');
    expect(ofResponse(200, 'Content-Length: 0\r\n')).toBe('none');
    expect(ofResponse(200, CHUNKED)).toBe('chunked');
    expect(ofResponse(205, LENGTH)).toBe('length 5');
  });

  it('is none after HEAD and with 304, whatever the fields announce', () => {
    for (const lines of ['', LENGTH, CHUNKED]) {
      expect(ofResponse(200, lines, 'HEAD')).toBe('none');
      expect(ofResponse(304, lines)).toBe('none');
    }
    expect(ofResponse(200, LENGTH, 'head')).toBe('length 5');
  });

  it('is none with 1xx and 204, where a length above 0 and any transfer coding are refused', () => {
    for (const status of [100, 101, 103, 199, 204]) {
      expect(ofResponse(status, '')).toBe('none');
      expect(ofResponse(status, 'Content-Length: 0\r\n')).toBe('none');
      expect(ofResponse(status, LENGTH)).toBe('upstream_malformed');
      expect(ofResponse(status, CHUNKED)).toBe('upstream_malformed');
      expect(ofResponse(status, LENGTH, 'HEAD')).toBe('upstream_malformed');
    }
  });

  it.each([
    `${LENGTH}${CHUNKED}`,
    `${LENGTH}${LENGTH}`,
    'Content-Length: 5, 5\r\n',
    'Content-Length: -1\r\n',
    'Content-Length:\r\n',
    'Transfer-Encoding: gzip\r\n',
    'Transfer-Encoding: gzip, chunked\r\n',
    'Transfer-Encoding: chunked, chunked\r\n',
    `${CHUNKED}${CHUNKED}`,
    'Transfer-Encoding:\r\n',
  ])('%j is malformed, for HEAD and 304 too', (lines) => {
    expect(ofResponse(200, lines)).toBe('upstream_malformed');
    expect(ofResponse(200, lines, 'HEAD')).toBe('upstream_malformed');
    expect(ofResponse(304, lines)).toBe('upstream_malformed');
  });

  it('is malformed with Transfer-Encoding in HTTP/1.0', () => {
    expect(ofResponse(200, CHUNKED, 'GET', '1.0')).toBe('upstream_malformed');
  });
});
