import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CLASS,
  DIGIT,
  endOfValue,
  HEX,
  HEX_VALUE,
  isAuthority,
  isToken,
  LOWER,
  TARGET,
  TOKEN,
  VALUE,
} from '../../../src/http1/grammar.ts';

/** The bytes of a class as one string, written out by hand from the RFCs. */
const TCHAR = "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~";
const VCHAR =
  '!"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~';

function bytesOf(bit: number): string {
  let text = '';
  for (let byte = 0; byte < 256; byte++) if ((CLASS[byte]! & bit) !== 0) text += String.fromCharCode(byte);
  return text;
}

function authority(text: string): boolean {
  const bytes = Buffer.from(`x${text}41]:1`, 'latin1');
  return isAuthority(bytes, 1, 1 + text.length);
}

describe('byte classes', () => {
  it('a token is made of the 77 tchars of RFC 9110 section 5.6.2 and of no other byte', () => {
    expect(bytesOf(TOKEN)).toBe(TCHAR);
    expect(TCHAR).toHaveLength(77);
  });

  it('a target is made of VCHAR without the fragment sign', () => {
    expect(bytesOf(TARGET)).toBe(VCHAR.replace('#', ''));
  });

  it('a value is made of HTAB, SP, VCHAR and obs-text', () => {
    const obsText = Array.from({ length: 128 }, (_, i) => String.fromCharCode(128 + i)).join('');
    expect(bytesOf(VALUE)).toBe(`\t ${VCHAR}${obsText}`);
  });

  it('digits and hex digits are the ASCII ones', () => {
    expect(bytesOf(DIGIT)).toBe('0123456789');
    expect(bytesOf(HEX)).toBe('0123456789ABCDEFabcdef');
  });

  it('only A-Z change when lowered', () => {
    for (let byte = 0; byte < 256; byte++) {
      const isUpper = byte >= 65 && byte <= 90;
      expect(LOWER[byte]).toBe(isUpper ? byte + 32 : byte);
    }
  });

  it('hex digits have their value', () => {
    expect([...'0123456789abcdefABCDEF'].map((digit) => HEX_VALUE[digit.charCodeAt(0)])).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 10, 11, 12, 13, 14, 15,
    ]);
  });

  it('an empty range is no token', () => {
    expect(isToken(Buffer.from('abc'), 1, 1)).toBe(false);
    expect(isToken(Buffer.from('abc'), 0, 3)).toBe(true);
    expect(isToken(Buffer.from('a c'), 0, 3)).toBe(false);
  });
});

describe('isAuthority', () => {
  it.each([
    'a',
    'example.com',
    'EXAMPLE.com:80',
    'a_b.example',
    'a.',
    '10.0.0.1:8080',
    '[::1]',
    '[::1]:443',
    '[2001:db8::ffff:1.2.3.4]:1',
    'a:',
    '[::]:',
    'a:0',
    'a:65535',
    'a:00080',
    'a%41b',
    "a!$&'()*+;=~-",
    'xn--bcher-kva.example',
  ])('%s is one', (text) => {
    expect(authority(text)).toBe(true);
  });

  it.each([
    '',
    ':80',
    'a b',
    'a,b',
    'a:65536',
    'a:99999',
    'a:000080',
    'a:8o',
    'a:80:80',
    'a@b',
    'user:pw@b',
    'a/b',
    'a?b',
    'a#b',
    'a\\b',
    '[::1',
    '::1',
    '[]',
    '[:]',
    '[::1]x',
    '[::1]80',
    '[::g]',
    '[fe80::1%25eth0]',
    'a%4',
    'a%',
    'a%zz',
    'a"b',
    'a\tb',
    'ä',
    'a\0',
  ])('%j is none', (text) => {
    expect(authority(text)).toBe(false);
  });

  it('each byte is either taken in a name or refused', () => {
    const taken = [];
    for (let byte = 0; byte < 256; byte++)
      if (authority(`a${String.fromCharCode(byte)}b`)) taken.push(String.fromCharCode(byte));
    expect(taken.join('')).toBe(
      "!$&'()*+-.0123456789;=ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~",
    );
  });
});

describe('the end of a value', () => {
  const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

  it('is the first byte that no value can hold, wherever it is and whatever is around it', () => {
    for (const around of [0x09, 0x20, 0x21, 0x7e, 0x80, 0xff]) {
      for (let byte = 0; byte < 256; byte++) {
        const isEnd = (CLASS[byte]! & VALUE) === 0;
        for (let at = 0; at < 13; at++) {
          const bytes = new Uint8Array(13).fill(around);
          bytes[at] = byte;
          const end = endOfValue(bytes, viewOf(bytes), 0, bytes.length);
          if (end !== (isEnd ? at : bytes.length))
            expect.fail(`byte ${byte} at ${at} among ${around}: ${end}`);
        }
      }
    }
  });

  it('is where a look at each byte finds it, and no byte behind the range is read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(64), fc.nat(64), (bytes, a, b) => {
        const start = Math.min(a, b, bytes.length);
        const stop = Math.min(Math.max(a, b), bytes.length);
        let expected = start;
        while (expected < stop && (CLASS[bytes[expected]!]! & VALUE) !== 0) expected++;
        const behind = bytes.slice();
        behind.fill(0, stop);
        expect(endOfValue(bytes, viewOf(bytes), start, stop)).toBe(expected);
        expect(endOfValue(behind, viewOf(behind), start, stop)).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });
});
