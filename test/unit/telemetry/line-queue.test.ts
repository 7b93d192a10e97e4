import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BATCH_BYTES, LineQueue } from '../../../src/telemetry/line-queue.ts';

function takeAll(queue: LineQueue): Buffer[] {
  const batches: Buffer[] = [];
  for (let batch = queue.take(); batch !== null; batch = queue.take()) batches.push(batch);
  return batches;
}

test('whatever is added and taken comes out once, in order, as UTF-8', () => {
  const line = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 50 }),
    fc.integer({ min: 1, max: 200_000 }).map((length) => 'x\u00e4\u{1f600}'.repeat(length / 4)),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(line, fc.boolean()), { maxLength: 30 }), (steps) => {
      const queue = new LineQueue();
      let sent = '';
      const received: Buffer[] = [];
      for (const [text, isTaken] of steps) {
        queue.add(text);
        sent += text;
        const batch = isTaken ? queue.take() : null;
        if (batch === null) continue;
        received.push(Buffer.from(batch));
        queue.giveBack(batch);
      }
      received.push(...takeAll(queue));
      expect(Buffer.concat(received).equals(Buffer.from(sent))).toBe(true);
      expect(queue.bytes).toBe(0);
    }),
    { numRuns: 50 },
  );
});

test('a batch holds whole lines and is no longer than it may be, unless one line is', () => {
  const queue = new LineQueue();
  const line = `${'x'.repeat(999)}\n`;
  for (let i = 0; i < 1000; i++) queue.add(line);
  expect(queue.bytes).toBe(1_000_000);
  const batches = takeAll(queue);
  expect(batches.every((batch) => batch.length <= BATCH_BYTES && batch.length % 1000 === 0)).toBe(true);
  queue.add('y'.repeat(100_000));
  expect(queue.take()).toHaveLength(100_000);
});

test('a batch that is taken is not written to until it is given back, and then it is', () => {
  const queue = new LineQueue();
  queue.add('first');
  const first = queue.take()!;
  queue.add('second');
  expect(first.toString()).toBe('first');
  const second = queue.take()!;
  expect(second.buffer).not.toBe(first.buffer);
  queue.giveBack(first);
  queue.add('third');
  expect(queue.take()!.buffer).toBe(first.buffer);
  expect(second.toString()).toBe('second');
});
