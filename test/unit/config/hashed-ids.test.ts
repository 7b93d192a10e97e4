/** A set of hashed ids: what a file may look like, what it finds, and how much memory a million take. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HashedIdsReader, hasHash } from '../../../src/config/hashed-ids.ts';

const sha256 = (id: string): Buffer => createHash('sha256').update(id).digest();
const lineOf = (id: string): string => sha256(id).toString('hex');

function tableOf(text: string, idsMax?: number): Uint32Array {
  const reader = new HashedIdsReader(text.length, idsMax);
  reader.push(Buffer.from(text));
  return reader.finish();
}

function has(table: Uint32Array, id: string): boolean {
  const hash = sha256(id);
  return hasHash(table, hash.readUInt32BE(0), hash.readUInt32BE(4));
}

describe('a file of hashed ids', () => {
  test('finds those that are in it and no other', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string()), fc.uniqueArray(fc.string()), (ids, others) => {
        const table = tableOf(ids.map((id) => `${lineOf(id)}\n`).join(''));
        for (const id of [...ids, ...others]) expect(has(table, id)).toBe(ids.includes(id));
      }),
    );
  });

  test('may be in any order, in capitals, with CRLF, with empty lines, and without a last line end', () => {
    const ids = ['a', 'b', 'c', 'd'];
    const lines = ids.map(lineOf);
    const expected = tableOf(lines.toSorted().join('\n'));
    for (const text of [
      lines.join('\n'),
      lines.toReversed().join('\n'),
      lines.join('\r\n'),
      `\n\n${lines.join('\n\n')}\n\n`,
      lines.join('\n').toUpperCase(),
    ]) {
      expect(tableOf(text)).toEqual(expected);
    }
    expect(ids.every((id) => has(expected, id))).toBe(true);
  });

  test('is read the same however it is cut, and however long it was thought to be', () => {
    const text = ['a', 'b', 'c'].map((id) => `${lineOf(id)}\r\n`).join('');
    const whole = tableOf(text);
    for (const size of [1, 7, 64, 65, 66]) {
      const reader = new HashedIdsReader(0);
      for (let at = 0; at < text.length; at += size) reader.push(Buffer.from(text.slice(at, at + size)));
      expect(reader.finish()).toEqual(whole);
    }
  });

  test('is empty when there is nothing in it', () => {
    expect(tableOf('')).toHaveLength(0);
    expect(has(tableOf('\n\r\n'), 'a')).toBe(false);
  });

  test.each([
    ['ids that are not hashed', `${lineOf('a')}\nann@shop.example\n`, 'line 2 holds something else'],
    ['SHA-1', `${lineOf('a').slice(24)}\n`, 'line 1 has 40 digits'],
    ['a line that is too long', `${lineOf('a')}0\n`, 'line 1 has 65 digits'],
    ['a file that is cut off', `${lineOf('a')}\n${lineOf('b').slice(1)}`, 'line 2 has 63 digits'],
    ['what sha256sum prints', `${lineOf('a')}  -\n`, 'line 1 holds something else'],
    ['a return inside a line', `${lineOf('a').slice(1)}\r0\n`, 'line 1 holds something else'],
  ])('%s is refused, and nothing of the line is said', (_name, text, message) => {
    expect(() => tableOf(text)).toThrow(message);
    expect(() => tableOf(text)).toThrow(/expected the 64 hex digits of a SHA-256 on every line. Are the ids/);
    expect(() => tableOf(text)).not.toThrow(/ann@/);
  });

  test('with more ids than there may be is refused', () => {
    const text = ['a', 'b', 'c'].map((id) => `${lineOf(id)}\n`).join('');
    expect(tableOf(text, 3)).toHaveLength(6);
    expect(() => tableOf(text, 2)).toThrow('holds more than 2 ids');
    expect(() => tableOf(text, 0)).toThrow('holds more than 0 ids');
  });

  test('with a million ids takes 8 MB, and finds each', () => {
    const count = 1_000_000;
    // In place of a million hashes: distinct numbers that look as random, a bijection of the 32-bit numbers.
    const word = (index: number) => Math.imul(index, 0x9e3779b1) >>> 0;
    const reader = new HashedIdsReader(count * 65);
    const perPiece = 10_000;
    for (let from = 0; from < count; from += perPiece) {
      let text = '';
      for (let index = from; index < from + perPiece; index++)
        text += `${word(index).toString(16).padStart(8, '0').padEnd(64, '7')}\n`;
      reader.push(Buffer.from(text, 'latin1'));
    }
    const table = reader.finish();
    expect(table.buffer.byteLength).toBe(8 * count);
    let missed = 0;
    for (let index = 0; index < count; index++) if (!hasHash(table, word(index), 0x77777777)) missed++;
    expect(missed).toBe(0);
    let invented = 0;
    for (let index = 0; index < count; index++) if (hasHash(table, word(index), 0x77777778)) invented++;
    for (let index = count; index < 2 * count; index++)
      if (hasHash(table, word(index), 0x77777777)) invented++;
    expect(invented).toBe(0);
  });
});
