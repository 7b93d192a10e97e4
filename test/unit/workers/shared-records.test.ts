import { closeSync, writeSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  openSharedRecords,
  RECORD_BYTES,
  RECORDS,
  SharedRecords,
} from '../../../src/workers/shared-records.ts';

let file: number;

beforeEach(() => {
  file = openSharedRecords(3);
});
afterEach(() => closeSync(file));

type Taken = [string, string, string | null];

/** A worker that has been there for a while. */
function worker(own: number): SharedRecords {
  const records = new SharedRecords(file, 3, own);
  readAll(records);
  return records;
}

function readAll(records: SharedRecords): { taken: Taken[]; isComplete: boolean } {
  const taken: Taken[] = [];
  const isComplete = records.read((...record) => taken.push(record));
  return { taken, isComplete };
}

it('what one worker writes all others read at once, each once', () => {
  const [one, two, three] = [worker(1), worker(2), worker(3)];
  one.write('trace', 'request', 'a=x');
  three.write('', '', '');
  expect(readAll(two)).toEqual({
    taken: [
      ['trace', 'request', 'a=x'],
      ['', '', ''],
    ],
    isComplete: true,
  });
  expect(readAll(two).taken).toEqual([]);
  expect(readAll(three).taken).toEqual([['trace', 'request', 'a=x']]);
  expect(readAll(one).taken).toEqual([['', '', '']]);
});

it('rings go round, in order', () => {
  const [one, two] = [worker(1), worker(2)];
  let expected = 0;
  for (let n = 0; n < 3 * RECORDS; n++) {
    one.write(`t${n}`, '', '');
    if (n % 1000 !== 0) continue;
    for (const [trace] of readAll(two).taken) expect(trace).toBe(`t${expected++}`);
    expect(expected).toBe(n + 1);
  }
});

it('a reader who is late is told that something is missing', () => {
  const [one, two, three] = [worker(1), worker(2), worker(3)];
  for (let n = 0; n < RECORDS; n++) one.write(`t${n}`, '', '');
  expect(readAll(two)).toMatchObject({ isComplete: true, taken: { length: RECORDS } });
  one.write('one more', '', '');
  const late = readAll(three);
  expect(late.isComplete).toBe(false);
  expect(late.taken.map(([trace]) => trace)).toContain('one more');
  one.write('next', '', '');
  expect(readAll(three)).toEqual({ taken: [['next', '', '']], isComplete: true });
});

it('a third text that is too long is not told, but that there was one', () => {
  const [one, two] = [worker(1), worker(2)];
  const room = RECORD_BYTES - 24 - 55 - 200;
  one.write('t'.repeat(55), 'r'.repeat(200), 'x'.repeat(room));
  one.write('t'.repeat(55), 'r'.repeat(200), 'x'.repeat(room + 1));
  expect(readAll(two).taken.map(([, , text]) => text?.length)).toEqual([room, undefined]);
});

it('a successor reads what is there and goes on behind it', () => {
  const [one, two] = [worker(1), worker(2)];
  for (let n = 0; n < RECORDS + 5; n++) one.write(`t${n}`, '', '');
  two.write('of two', '', '');
  readAll(two);
  const successor = new SharedRecords(file, 3, 1);
  const { taken, isComplete } = readAll(successor);
  expect([taken.length, isComplete]).toEqual([RECORDS + 1, true]);
  expect(taken[0]![0]).toBe('t5');
  successor.write('of the successor', '', '');
  expect(readAll(two)).toEqual({ taken: [['of the successor', '', '']], isComplete: true });
});

it('a half-written record is not there until it is whole', () => {
  const [one, two] = [worker(1), worker(2)];
  one.write('first', '', 'a=x');
  // As if the second one had just begun: its number is there, its texts are not.
  const half = Buffer.alloc(RECORD_BYTES);
  half.writeUInt16LE(6, 4);
  half.writeDoubleLE(2, 16);
  writeSync(file, half, 0, 24, 2 * RECORD_BYTES);
  expect(readAll(two).taken).toEqual([['first', '', 'a=x']]);
  one.write('second', '', '');
  expect(readAll(two).taken).toEqual([['second', '', '']]);
});
