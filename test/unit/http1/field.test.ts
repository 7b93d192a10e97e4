import { describe, expect, it } from 'vitest';
import { FIELD_NAMES, Field, recognise } from '../../../src/http1/field.ts';

function idOf(name: string): number {
  const bytes = Buffer.from(`<${name}>`, 'latin1');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return recognise(bytes, view, 1, bytes.length - 1);
}

describe('recognise', () => {
  it('finds every known name in lower, upper and mixed case', () => {
    for (const [name, id] of Object.entries(Field)) {
      if (id === 0) continue;
      const text = FIELD_NAMES[id]!;
      const mixed = text.replace(/[a-z]/g, (letter, at: number) =>
        at % 2 === 0 ? letter.toUpperCase() : letter,
      );
      expect([name, idOf(text), idOf(text.toUpperCase()), idOf(mixed)]).toEqual([name, id, id, id]);
    }
  });

  it('has one name for each number', () => {
    expect(FIELD_NAMES).toHaveLength(Object.keys(Field).length);
    expect(new Set(Object.values(Field)).size).toBe(31);
    expect(FIELD_NAMES[Field.forwardedFor]).toBe('x-forwarded-for');
    expect(FIELD_NAMES[Field.xFairleadVariant]).toBe('x-fairlead-variant');
    expect(FIELD_NAMES[Field.maxForwards]).toBe('max-forwards');
  });

  it('takes no name for another one when any one byte of it is changed to any other', () => {
    for (const name of FIELD_NAMES.slice(1)) {
      for (let at = 0; at < name.length; at++) {
        for (let byte = 0; byte < 256; byte++) {
          const other = name.slice(0, at) + String.fromCharCode(byte) + name.slice(at + 1);
          const found = FIELD_NAMES[idOf(other)]!;
          if (found !== '' && found !== other.toLowerCase())
            expect.fail(`${JSON.stringify(other)} was taken for ${found}`);
          if (/[^\x00-\x7f]/.test(other) && found !== '')
            expect.fail(`${JSON.stringify(other)} was taken for ${found}`);
        }
      }
    }
  });

  it('takes no name for another one when a byte is added or missing', () => {
    for (const name of FIELD_NAMES.slice(1)) {
      expect(idOf(`${name}s`)).toBe(Field.other);
      expect(idOf(`x${name}`)).toBe(Field.other);
      if (name.length > 1) expect(idOf(name.slice(0, -1))).toBe(Field.other);
      if (name.length > 1) expect(idOf(name.slice(1))).toBe(Field.other);
      expect(idOf(name.replace('-', '_'))).toBe(name.includes('-') ? Field.other : idOf(name));
    }
  });
});
