import { expect, test } from 'vitest';
import { Counter } from '../../../src/telemetry/series.ts';
import type { ToPrimary } from '../../../src/workers/messages.ts';
import { RemoteLines } from '../../../src/workers/remote-lines.ts';

function newLines() {
  const sent: string[] = [];
  const waiting: (() => void)[] = [];
  const dropped = new Counter();
  const send = (message: ToPrimary, done: () => void): void => {
    if (message.kind === 'decisions') sent.push(message.lines);
    waiting.push(done);
  };
  return { lines: new RemoteLines(send, 'decisions', dropped), sent, waiting, dropped };
}

test('lines go out together: at the next flush, or when they are many', () => {
  const { lines, sent } = newLines();
  lines.flush();
  lines.write('a\n');
  lines.write('b\n');
  expect(sent).toEqual([]);
  lines.flush();
  expect(sent).toEqual(['a\nb\n']);
  lines.write(`${'x'.repeat(40_000)}\n`);
  expect(sent).toHaveLength(2);
});

test('what a primary does not take in time is dropped and counted, until it takes some', () => {
  const { lines, waiting, dropped } = newLines();
  const line = `${'x'.repeat(99_999)}\n`;
  let taken = 0;
  while (lines.write(line)) taken++;
  expect(taken).toBe(41);
  expect([lines.write(line), dropped.value]).toEqual([false, 2]);
  waiting[0]!();
  expect(lines.write(line)).toBe(true);
});
