import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EventReader, type StreamEvent } from '../../../src/cli/admin-stream.ts';

function readAll(...chunks: string[]): StreamEvent[] {
  const reader = new EventReader();
  return chunks.flatMap((chunk) => [...reader.read(chunk)]);
}

describe('server-sent events', () => {
  test('have a name and data, and comments are no events', () => {
    expect(readAll(': hello\n\nevent: request\ndata: {"a":1}\n\n: heartbeat\n\ndata: x\n\n')).toEqual([
      { event: 'request', data: '{"a":1}' },
      { event: 'message', data: 'x' },
    ]);
  });

  test('may have any line ending, several lines of data, no space, and fields that nobody knows', () => {
    expect(readAll('id: 7\r\nevent:tap\rdata:1\ndata: 2\r\n\r\nretry: 5\n\n')).toEqual([
      { event: 'tap', data: '1\n2' },
    ]);
  });

  test('are not given out before they are complete', () => {
    expect(readAll('event: a\ndata: 1\n')).toEqual([]);
    expect(readAll('event: a\ndata: 1\n', '\n')).toEqual([{ event: 'a', data: '1' }]);
  });

  test('are the same wherever the text is cut', () => {
    const text = ': c\r\n\r\nevent: a\r\ndata: 1\r\n\r\ndata: 2\ndata: 3\n\nevent: b\rdata: é\r\r';
    const whole = readAll(text, '\n');
    expect(whole).toHaveLength(3);
    const cuts = fc.array(fc.nat(text.length), { maxLength: 8 });
    fc.assert(
      fc.property(cuts, (at) => {
        const ends = [0, ...at.sort((a, b) => a - b), text.length];
        const chunks = ends.slice(1).map((end, index) => text.slice(ends[index], end));
        expect(readAll(...chunks, '\n')).toEqual(whole);
      }),
    );
  });

  test('have a limit', () => {
    expect(() => readAll(`data: ${'x'.repeat(5_000_000)}`)).toThrow('larger than');
  });
});
