import { expect, test } from 'vitest';
import { LineRelay } from '../../../src/workers/line-relay.ts';

/** What is taken when the text comes in parts cut at these bytes. */
function relayed(text: string, cuts: readonly number[]): string[] {
  const taken: string[] = [];
  const relay = new LineRelay((lines) => void taken.push(lines));
  const bytes = Buffer.from(text);
  const ends = [...cuts, bytes.length];
  let at = 0;
  for (const end of ends) {
    relay.receive(bytes.subarray(at, end));
    at = end;
  }
  relay.end();
  return taken;
}

test('only whole lines are passed on, wherever the bytes are cut', () => {
  const text = '{"a":"é"}\n{"b":"日本"}\n\n{"c":1}\n';
  const { length } = Buffer.from(text);
  for (let first = 0; first <= length; first++) {
    for (let second = first; second <= length; second++) {
      const taken = relayed(text, [first, second]);
      expect(taken.join('')).toBe(text);
      for (const lines of taken) expect(lines.endsWith('\n')).toBe(true);
    }
  }
});

test('several lines in one chunk are passed on together', () => {
  expect(relayed('a\nb\nc', [])).toEqual(['a\nb\n', 'c\n']);
});

test('the last words of a process are a line', () => {
  expect(relayed('Error: so it ends', [])).toEqual(['Error: so it ends\n']);
  expect(relayed('', [])).toEqual([]);
});

test('a line without end is cut, and memory is not held for it', () => {
  const taken: string[] = [];
  const relay = new LineRelay((lines) => void taken.push(lines));
  for (let i = 0; i < 40; i++) relay.receive(Buffer.alloc(64 * 1024, 0x61));
  expect(taken).toHaveLength(2);
  for (const lines of taken) expect(lines.length).toBeLessThan(1.1 * 1024 * 1024);
});
