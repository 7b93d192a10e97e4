/**
 * What workers have to know of each other before they send the next byte: records in a file that is in memory, which
 * each process that has the descriptor reads and writes with one system call, and no other process can open. A message
 * would have to be waited for. Each worker writes a ring of its own and reads those of the others.
 *
 * A record is whole or it is not there: it has a number that only grows and a checksum. Whoever reads so late that
 * records were written over is told so.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A multiple of what divides a page, so that a record is never on two. */
export const RECORD_BYTES = 512;
/** At 20,000 records a second, 0.2 s: whoever reads at each tick of 50 ms is not late. */
export const RECORDS = 4096;
const RING_BYTES = RECORD_BYTES * RECORDS;

/** Checksum (4 bytes), lengths of the three texts (2 each), nothing (6), number (8), then the texts. */
const LENGTHS = 4;
const NUMBER = 16;
const TEXTS = 24;
/** Records read at one time, when there are that many. */
const BATCH = 64;

/** Three texts of latin1; the last is null when it was too long to be told. */
export type TakeRecord = (first: string, second: string, third: string | null) => void;

const TOO_LONG = 0xffff;

/** Opens the file for this many workers, without a name from then on. @throws the system's error */
export function openSharedRecords(workers: number): number {
  let failure: unknown;
  for (const folder of ['/dev/shm', tmpdir()]) {
    const path = join(folder, `fairlead-${randomBytes(12).toString('hex')}`);
    let file: number | null = null;
    try {
      file = openSync(path, 'wx+', 0o600);
      unlinkSync(path);
      // All of it is taken now: a file system that is full must not be noticed by a request.
      const ring = Buffer.alloc(RING_BYTES);
      for (let worker = 0; worker < workers; worker++) {
        const written = writeSync(file, ring, 0, RING_BYTES, worker * RING_BYTES);
        if (written < RING_BYTES) throw new Error(`there is no room for it in ${folder}`);
      }
      return file;
    } catch (error) {
      if (file !== null) closeSync(file);
      failure = error;
    }
  }
  throw failure;
}

export class SharedRecords {
  readonly #file: number;
  readonly #own: number;
  /** By ring: the number of the next record to be read. */
  readonly #next: number[];
  /** The number of the next record to be written. */
  #number: number;
  #isFirstRead = true;
  readonly #out = Buffer.alloc(RECORD_BYTES);
  readonly #in = Buffer.alloc(BATCH * RECORD_BYTES);

  /** @param own number of this worker, from 1 on; it goes on behind what a predecessor wrote */
  constructor(file: number, workers: number, own: number) {
    this.#file = file;
    this.#own = own - 1;
    const newest = Array.from({ length: workers }, (_, ring) => this.#newest(ring));
    this.#number = newest[this.#own]! + 1;
    this.#next = newest.map((number) => Math.max(1, number - RECORDS + 1));
  }

  /** Tells the others; the third text is left out when it makes the record too long. */
  write(first: string, second: string, third: string): void {
    const out = this.#out;
    let at = TEXTS + out.write(first, TEXTS, 'latin1');
    at += out.write(second, at, 'latin1');
    const isTooLong = at + third.length > RECORD_BYTES;
    if (!isTooLong) at += out.write(third, at, 'latin1');
    out.writeUInt16LE(first.length, LENGTHS);
    out.writeUInt16LE(second.length, LENGTHS + 2);
    out.writeUInt16LE(isTooLong ? TOO_LONG : third.length, LENGTHS + 4);
    out.writeDoubleLE(this.#number, NUMBER);
    out.writeUInt32LE(checksum(out, LENGTHS, at), 0);
    try {
      writeSync(this.#file, out, 0, at, positionOf(this.#own, this.#number));
      this.#number++;
    } catch {
      // Its room was taken at the start, so this is a broken disk: no reason for a request to fail.
    }
  }

  /**
   * What the others have told since the last time; the first time all that is there, what a predecessor of this worker
   * told included. False: some of it was written over.
   */
  read(take: TakeRecord): boolean {
    let isComplete = true;
    for (let ring = 0; ring < this.#next.length; ring++) {
      if (ring === this.#own && !this.#isFirstRead) continue;
      if (!this.#readRing(ring, take)) isComplete = false;
    }
    this.#isFirstRead = false;
    return isComplete;
  }

  #readRing(ring: number, take: TakeRecord): boolean {
    let isComplete = true;
    for (let wanted = 1; ; wanted = Math.min(BATCH, 8 * wanted)) {
      const number = this.#next[ring]!;
      const count = Math.min(wanted, RECORDS - (number % RECORDS));
      readSync(this.#file, this.#in, 0, count * RECORD_BYTES, positionOf(ring, number));
      for (let i = 0; i < count; i++) {
        const found = numberAt(this.#in, i * RECORD_BYTES);
        if (found < this.#next[ring]!) return isComplete;
        if (found > this.#next[ring]!) isComplete = false;
        this.#next[ring] = found + 1;
        takeAt(this.#in, i * RECORD_BYTES, take);
      }
    }
  }

  /** Number of the newest record of a ring; 0: there is none. */
  #newest(ring: number): number {
    let newest = 0;
    for (let first = 0; first < RECORDS; first += BATCH) {
      readSync(this.#file, this.#in, 0, BATCH * RECORD_BYTES, positionOf(ring, first));
      for (let i = 0; i < BATCH; i++) newest = Math.max(newest, numberAt(this.#in, i * RECORD_BYTES));
    }
    return newest;
  }
}

function positionOf(ring: number, number: number): number {
  return ring * RING_BYTES + (number % RECORDS) * RECORD_BYTES;
}

/** The number of the record at `at`; 0 when there is no whole one. */
function numberAt(bytes: Buffer, at: number): number {
  const number = bytes.readDoubleLE(at + NUMBER);
  if (number === 0) return 0;
  const first = bytes.readUInt16LE(at + LENGTHS);
  const second = bytes.readUInt16LE(at + LENGTHS + 2);
  const third = bytes.readUInt16LE(at + LENGTHS + 4);
  const length = TEXTS + first + second + (third === TOO_LONG ? 0 : third);
  if (length > RECORD_BYTES) return 0;
  return checksum(bytes, at + LENGTHS, at + length) === bytes.readUInt32LE(at) ? number : 0;
}

function takeAt(bytes: Buffer, at: number, take: TakeRecord): void {
  const second = at + TEXTS + bytes.readUInt16LE(at + LENGTHS);
  const third = second + bytes.readUInt16LE(at + LENGTHS + 2);
  const length = bytes.readUInt16LE(at + LENGTHS + 4);
  take(
    bytes.latin1Slice(at + TEXTS, second),
    bytes.latin1Slice(second, third),
    length === TOO_LONG ? null : bytes.latin1Slice(third, third + length),
  );
}

/** FNV-1a, and what a half-written record is told by. */
function checksum(bytes: Buffer, start: number, end: number): number {
  let hash = 0x811c_9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x0100_0193);
  return hash >>> 0;
}
