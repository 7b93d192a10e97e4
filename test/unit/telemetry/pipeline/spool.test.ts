import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Spool } from '../../../../src/telemetry/pipeline/spool.ts';
import type { SpoolReader } from '../../../../src/telemetry/pipeline/spool-reader.ts';
import { readRecords, sealed } from '../../../../src/telemetry/pipeline/spool-record.ts';
import { lineOf, newFolder, numberOf, openSpool } from '../../../support/destination.ts';

const LIMITS = { eventsMax: 100, bytesMax: 64 * 1024 };

let folder: ReturnType<typeof newFolder>;
const open: Spool[] = [];

beforeEach(() => {
  folder = newFolder();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((spool) => spool.close()));
  folder.remove();
});

function newSpool(options: Parameters<typeof openSpool>[1] = {}) {
  const opened = openSpool(folder.path, options);
  open.push(opened.spool);
  return { ...opened, reader: opened.spool.readers[0]! };
}

function fill(spool: Spool, from: number, to: number): void {
  for (let number = from; number < to; number++) spool.write(lineOf(number));
}

/** Everything there is now, acknowledged. */
async function readAll(reader: SpoolReader): Promise<number[]> {
  const numbers: number[] = [];
  while (reader.backlogBytes > 0) {
    const batch = await reader.next(LIMITS);
    numbers.push(...batch!.events.map(numberOf));
    reader.acknowledge(batch!.end);
  }
  return numbers;
}

const upTo = (to: number, from = 0) => Array.from({ length: to - from }, (_, index) => from + index);
const segments = () => readdirSync(folder.path).filter((name) => name.startsWith('segment-'));

/** As a process that is killed leaves it: nothing is flushed or written down. */
async function abandon(spool: Spool): Promise<void> {
  // The lock ends with the process, which this is not.
  await spool.close();
  open.splice(open.indexOf(spool), 1);
}

describe('a record', () => {
  test('is a line that any tool can read', () => {
    expect(sealed('{"a":1}\n')).toMatch(/^[0-9a-f]{8} \{"a":1\}\n$/);
  });

  test('with any byte changed is found to be broken, and the others are still read', () => {
    const text = Buffer.from(
      upTo(3)
        .map((number) => sealed(lineOf(number)))
        .join(''),
    );
    const first = text.indexOf(10) + 1;
    const second = text.indexOf(10, first);
    for (let at = first; at < second; at++) {
      const damaged = Buffer.from(text);
      damaged[at] = damaged[at]! ^ 0x01;
      const { events, broken } = readRecords(damaged, LIMITS);
      // A byte that has become a line feed makes two lines of one.
      expect(broken).toBeGreaterThan(0);
      expect(events.map(numberOf)).toEqual([0, 2]);
    }
  });
});

describe('a spool', () => {
  test('gives every reader everything, in order, and waits for more', async () => {
    const { spool, reader } = newSpool({ readers: ['lake', 'other'] });
    const next = reader.next(LIMITS);
    fill(spool, 0, 500);
    expect((await next)!.events.length).toBeGreaterThan(0);
    await spool.flush();
    expect(await readAll(reader)).toEqual(upTo(500));
    expect(await readAll(spool.readers[1]!)).toEqual(upTo(500));
  });

  test('gives again what was not acknowledged', async () => {
    const { spool, reader } = newSpool();
    fill(spool, 0, 3);
    await spool.flush();
    const batch = await reader.next({ ...LIMITS, eventsMax: 2 });
    expect(batch!.events.map(numberOf)).toEqual([0, 1]);
    expect((await reader.next({ ...LIMITS, eventsMax: 2 }))!.events.map(numberOf)).toEqual([0, 1]);
    reader.acknowledge(batch!.end);
    expect((await reader.next(LIMITS))!.events.map(numberOf)).toEqual([2]);
  });

  test('goes on after a restart where its readers were, with no number used twice', async () => {
    const first = newSpool({ segmentBytes: 4096 });
    fill(first.spool, 0, 300);
    await first.spool.flush();
    const batch = await first.reader.next({ ...LIMITS, eventsMax: 60 });
    first.reader.acknowledge(batch!.end);
    const rest = 300 - batch!.events.length;
    await abandon(first.spool);
    const second = newSpool({ segmentBytes: 4096 });
    fill(second.spool, 300, 310);
    await second.spool.flush();
    const numbers = await readAll(second.reader);
    expect(numbers).toHaveLength(rest + 10);
    expect(numbers.at(-1)).toBe(309);
    await abandon(second.spool);
    const third = newSpool();
    fill(third.spool, 310, 320);
    await third.spool.flush();
    expect(await readAll(third.reader)).toEqual(upTo(320, 310));
  });

  test('cuts off a record that was not written to its end, and keeps all before it', async () => {
    const first = newSpool();
    fill(first.spool, 0, 10);
    await abandon(first.spool);
    const file = join(folder.path, segments()[0]!);
    const whole = statSync(file).size;
    appendFileSync(file, sealed(lineOf(10)).slice(0, 40));
    const second = newSpool();
    await second.spool.flush();
    expect(statSync(file).size).toBe(whole);
    expect(second.problems[0]).toMatch(
      /4\d bytes of records that were not written to their end were cut off/,
    );
    expect(await readAll(second.reader)).toEqual(upTo(10));
  });

  test('reads on behind a record that the disk has damaged', async () => {
    const first = newSpool();
    fill(first.spool, 0, 10);
    await abandon(first.spool);
    const file = join(folder.path, segments()[0]!);
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 0x01;
    writeFileSync(file, bytes);
    const second = newSpool();
    await second.spool.flush();
    const batch = await second.reader.next(LIMITS);
    expect(batch!.broken).toBe(1);
    expect(batch!.events).toHaveLength(9);
  });

  test('removes what every reader has acknowledged', async () => {
    const { spool, reader } = newSpool({ segmentBytes: 4096, readers: ['lake', 'other'] });
    fill(spool, 0, 1);
    await spool.flush();
    for (let at = 1; at < 1000; at += 30) {
      fill(spool, at, at + 30);
      await spool.flush();
    }
    const before = segments().length;
    expect(before).toBeGreaterThan(5);
    await readAll(reader);
    expect(segments()).toHaveLength(before);
    await readAll(spool.readers[1]!);
    await abandon(spool);
    expect(segments()).toHaveLength(1);
  });

  test('never has more than it may: the oldest goes, and is counted as lost to who had not read it', async () => {
    const { spool, reader, dropped } = newSpool({
      segmentBytes: 4096,
      maxBytes: 16_384,
      readers: ['lake', 'fast'],
    });
    const fast = spool.readers[1]!;
    const seen: number[] = [];
    for (let at = 0; at < 3000; at += 30) {
      fill(spool, at, at + 30);
      await spool.flush();
      seen.push(...(await readAll(fast)));
      expect(spool.bytes).toBeLessThanOrEqual(16_384 + 4096);
    }
    expect(seen).toEqual(upTo(3000));
    expect([fast.lost, dropped.value]).toEqual([0, 0]);
    const rest = await readAll(reader);
    expect(rest.at(-1)).toBe(2999);
    expect(reader.lost + rest.length).toBe(3000);
    expect(rest).toEqual(upTo(3000, 3000 - rest.length));
  });

  test('keeps what fits in memory while the folder cannot be written, and counts the rest', async () => {
    const blocked = join(folder.path, 'blocked');
    writeFileSync(blocked, 'a file, where a folder should be');
    const { spool, dropped, problems } = openSpool(join(blocked, 'spool'), { queueMaxBytes: 2000 });
    open.push(spool);
    fill(spool, 0, 100);
    await spool.flush();
    expect(spool.queuedEvents + dropped.value).toBe(100);
    expect(dropped.value).toBeGreaterThan(50);
    expect(problems).toEqual([expect.stringContaining('ENOTDIR')]);
  });

  test.runIf(process.platform === 'linux')(
    'is of one process at a time: the second waits its turn',
    async () => {
      const first = newSpool();
      fill(first.spool, 0, 5);
      await first.spool.flush();
      const second = newSpool();
      fill(second.spool, 5, 10);
      await second.spool.flush();
      expect(second.problems).toEqual([expect.stringContaining('another process has it open')]);
      expect(second.spool.queuedEvents).toBe(5);
      const batch = second.reader.next(LIMITS);
      await abandon(first.spool);
      expect((await batch)!.events.map(numberOf)).toEqual(upTo(5));
      second.reader.acknowledge((await batch)!.end);
      expect((await second.reader.next(LIMITS))!.events.map(numberOf)).toEqual(upTo(10, 5));
      expect(second.problems[1]).toContain('is written again; 0 events were lost');
    },
  );
});
