/** The PROXY protocol's header: both versions, letter by letter, whole and in pieces. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  PROXY_HEADER_MAX_BYTES,
  type ProxyHeader,
  parseProxyHeader,
} from '../../../src/proxy/proxy-protocol.ts';

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n';

/** A header of version 2: the byte of version and command, the one of the family, the body and its stated length. */
function v2(command: number, family: number, body: readonly number[] | Buffer, length = body.length): Buffer {
  const head = Buffer.from(`${SIGNATURE}\0\0\0\0`, 'latin1');
  head[12] = command;
  head[13] = family;
  head.writeUInt16BE(length, 14);
  return Buffer.concat([head, Buffer.from(body)]);
}

const parse = (text: string | Buffer): ProxyHeader =>
  parseProxyHeader(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);

/** The address of a header that is complete, with its length checked; otherwise the state. */
function addressOf(header: string | Buffer): string | null {
  const bytes = typeof header === 'string' ? Buffer.from(header, 'latin1') : header;
  const found = parse(Buffer.concat([bytes, Buffer.from('GET /')]));
  if (found.state !== 'complete') return `(${found.state})`;
  expect(found.length).toBe(bytes.length);
  return found.address;
}

const tcp4 = [203, 0, 113, 7, 10, 0, 0, 1, 0xc0, 0x00, 0x01, 0xbb];
const tcp6 = [
  ...[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01],
  ...[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  ...[0xc0, 0x00, 0x01, 0xbb],
];
const mapped = [...[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 7], ...tcp6.slice(16)];

describe('version 1', () => {
  test.each([
    ['PROXY TCP4 203.0.113.7 10.0.0.1 49152 443\r\n', '203.0.113.7'],
    ['PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n', '0.0.0.0'],
    ['PROXY TCP6 2001:db8::1 ::1 49152 443\r\n', '2001:db8::1'],
    ['PROXY TCP6 2001:DB8:0:0:0:0:0:1 ::1 49152 443\r\n', '2001:db8::1'],
    ['PROXY TCP6 ::ffff:203.0.113.7 ::ffff:10.0.0.1 1 2\r\n', '203.0.113.7'],
    ['PROXY UNKNOWN\r\n', null],
    ['PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n', null],
  ])('%j', (line, address) => {
    expect(addressOf(line)).toBe(address);
  });

  test.each([
    'PROXY TCP4 203.0.113.7 10.0.0.1 49152 443\n',
    'PROXY TCP4 203.0.113.7 10.0.0.1 49152 443\r\r\n',
    'PROXY TCP4 203.0.113.7 10.0.0.1 49152 443 \r\n',
    'PROXY TCP4  203.0.113.7 10.0.0.1 49152 443\r\n',
    'PROXY\tTCP4 203.0.113.7 10.0.0.1 49152 443\r\n',
    'PROXY TCP4 203.0.113.7 10.0.0.1 49152\r\n',
    'PROXY TCP4 203.0.113.7 10.0.0.1 49152 443 1\r\n',
    'PROXY TCP4 203.0.113.07 10.0.0.1 49152 443\r\n',
    'PROXY TCP4 203.0.113 10.0.0.1 49152 443\r\n',
    'PROXY TCP4 203.0.113.7 10.0.0.256 49152 443\r\n',
    'PROXY TCP4 2001:db8::1 ::1 49152 443\r\n',
    'PROXY TCP6 203.0.113.7 10.0.0.1 49152 443\r\n',
    'PROXY TCP6 fe80::1%eth0 ::1 49152 443\r\n',
    'PROXY TCP6 [2001:db8::1] ::1 49152 443\r\n',
    'PROXY TCP4 203.0.113.7 10.0.0.1 65536 443\r\n',
    'PROXY TCP4 203.0.113.7 10.0.0.1 +1 443\r\n',
    'PROXY TCP4 203.0.113.7 10.0.0.1 01 443\r\n',
    'PROXY TCP4 203.0.113.7 10.0.0.1  443\r\n',
    'PROXY UDP4 203.0.113.7 10.0.0.1 49152 443\r\n',
    'PROXY UNKNOWNX\r\n',
    'PROXY UNKNOWN \0\r\n',
    'PROXY \r\n',
    'proxy TCP4 203.0.113.7 10.0.0.1 49152 443\r\n',
    'GET / HTTP/1.1\r\n',
    ' PROXY UNKNOWN\r\n',
    '\r\nPROXY UNKNOWN\r\n',
  ])('%j is malformed', (line) => {
    expect(parse(line).state).toBe('malformed');
  });

  test('has 107 bytes at most, CRLF included', () => {
    const line = (length: number) => `PROXY UNKNOWN ${'x'.repeat(length - 16)}\r\n`;
    expect(addressOf(line(107))).toBeNull();
    expect(parse(line(108)).state).toBe('malformed');
    expect(parse(line(500).slice(0, 106)).state).toBe('incomplete');
    expect(parse(line(500).slice(0, 107)).state).toBe('malformed');
  });
});

describe('version 2', () => {
  test.each([
    ['IPv4', v2(0x21, 0x11, tcp4), '203.0.113.7'],
    ['IPv6', v2(0x21, 0x21, tcp6), '2001:db8::1'],
    ['IPv4 in IPv6', v2(0x21, 0x21, mapped), '203.0.113.7'],
    ['a unix socket', v2(0x21, 0x31, Buffer.alloc(216)), 'unknown'],
    ['an unspecified family', v2(0x21, 0x00, []), null],
    ['datagrams, which are treated as unspecified', v2(0x21, 0x12, tcp4), null],
    ['a connection of the balancer itself', v2(0x20, 0x00, []), null],
    ['the same with a family, which is ignored', v2(0x20, 0x11, tcp4), null],
    ['the same with nonsense, which is skipped', v2(0x20, 0xff, [1, 2, 3]), null],
    ['extensions behind the addresses', v2(0x21, 0x11, [...tcp4, 0x04, 0, 1, 0]), '203.0.113.7'],
    [
      'as many extensions as there may be',
      v2(0x21, 0x11, Buffer.concat([Buffer.from(tcp4), Buffer.alloc(4084)])),
      '203.0.113.7',
    ],
  ])('%s', (_, header, address) => {
    expect(addressOf(header)).toBe(address);
  });

  test.each([
    ['version 1 in binary', v2(0x11, 0x11, tcp4)],
    ['version 3', v2(0x31, 0x11, tcp4)],
    ['an unknown command', v2(0x22, 0x11, tcp4)],
    ['an unknown family', v2(0x21, 0x41, tcp4)],
    ['an unknown transport', v2(0x21, 0x13, tcp4)],
    ['a family without a transport', v2(0x21, 0x10, tcp4)],
    ['a body too short for IPv4', v2(0x21, 0x11, tcp4.slice(1))],
    ['a body too short for IPv6', v2(0x21, 0x21, tcp4)],
    ['a body too short for a unix socket', v2(0x21, 0x31, Buffer.alloc(215))],
    ['more than we read', v2(0x21, 0x11, tcp4, 4097)],
    ['more than we read, of the balancer itself', v2(0x20, 0x00, [], 65_535)],
  ])('%s is malformed, as soon as its first 16 bytes are there', (_, header) => {
    expect(parse(header).state).toBe('malformed');
    expect(parse(header.subarray(0, 16)).state).toBe('malformed');
  });

  test('a signature with one wrong byte is malformed at that byte', () => {
    const header = v2(0x21, 0x11, tcp4);
    for (let at = 0; at < 12; at++) {
      const wrong = Buffer.from(header);
      wrong[at]! ^= 0x20;
      expect(parse(wrong.subarray(0, at + 1)).state).toBe('malformed');
    }
  });
});

describe('a header', () => {
  const headers = [
    Buffer.from('PROXY TCP6 2001:db8::1 ::1 49152 443\r\n'),
    Buffer.from('PROXY UNKNOWN\r\n'),
    v2(0x21, 0x11, [...tcp4, 0x04, 0, 1, 0]),
    v2(0x21, 0x21, tcp6),
    v2(0x20, 0, []),
  ];

  test.each(headers)('%# cut anywhere is incomplete, and with anything behind it the same', (header) => {
    for (let length = 0; length < header.length; length++)
      expect(parse(header.subarray(0, length)).state).toBe('incomplete');
    const whole = parse(header);
    expect(whole).toMatchObject({ state: 'complete', length: header.length });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (behind) => {
        expect(parse(Buffer.concat([header, behind]))).toEqual(whole);
      }),
    );
  });

  test('of any bytes is read without an error, and is never longer than the bound', () => {
    const start = fc.constantFrom(Buffer.alloc(0), Buffer.from('PROXY '), Buffer.from(SIGNATURE, 'latin1'));
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 300 }), (prefix, rest) => {
        const found = parse(Buffer.concat([prefix, rest]));
        if (found.state === 'complete') expect(found.length).toBeLessThanOrEqual(PROXY_HEADER_MAX_BYTES);
      }),
      { numRuns: 2000 },
    );
  });
});
