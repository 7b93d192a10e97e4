/** One reader of a spool: gets its records in order, in batches, each again until it is acknowledged. */
import { open } from 'node:fs/promises';
import type { Spool } from './spool.ts';
import type { Position } from './spool-folder.ts';
import { type RecordLimits, readRecords } from './spool-record.ts';

/** A record of ours has less than 4 KiB; a line that is longer than this is none. */
const CHUNK_BYTES = 512 * 1024;

export interface SpoolBatch {
  readonly events: readonly Buffer[];
  /** Lines among them that were not what was written, and are left out. */
  readonly broken: number;
  /** What to acknowledge. */
  readonly end: Position;
}

export class SpoolReader {
  readonly name: string;
  /** All before it is acknowledged, or lost. */
  cursor: Position = { segment: 0, offset: 0 };
  /** Events that were dropped before this reader had acknowledged them. */
  lost = 0;
  readonly #spool: Spool;
  #writtenDown: Position = this.cursor;
  #isStarted = false;
  #isClosed = false;
  #wakers: (() => void)[] = [];
  /** How often there was something new. */
  #wakes = 0;

  constructor(name: string, spool: Spool) {
    this.name = name;
    this.#spool = spool;
  }

  /** Bytes that are accepted and not acknowledged. */
  get backlogBytes(): number {
    return this.#spool.bytesFrom(this.cursor);
  }

  /** Whether `cursor` is on the disk. */
  get isWrittenDown(): boolean {
    return this.#writtenDown === this.cursor;
  }

  writtenDown(cursor: Position): void {
    this.#writtenDown = cursor;
  }

  /** The spool is open. */
  start(cursor: Position): void {
    this.cursor = cursor;
    this.#writtenDown = cursor;
    this.#isStarted = true;
    this.wake();
  }

  /** There is something new to look at. */
  wake(): void {
    this.#wakes++;
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const waker of wakers) waker();
  }

  close(): void {
    this.#isClosed = true;
    this.wake();
  }

  /**
   * The next events after those that are acknowledged; waits for some. The same again unless they are acknowledged.
   * Null: closed. Rejects with the system's error when they cannot be read.
   */
  async next(limits: RecordLimits): Promise<SpoolBatch | null> {
    while (!this.#isClosed) {
      const wakes = this.#wakes;
      const batch = this.#isStarted ? await this.#read(limits) : null;
      if (batch !== null) return batch;
      // Or it has come while we were looking.
      if (wakes === this.#wakes) await new Promise<void>((resolve) => this.#wakers.push(resolve));
    }
    return null;
  }

  /** These are done with. */
  acknowledge(end: Position): void {
    this.#moveTo(end);
    this.#spool.acknowledged();
  }

  /** What is before `to` is gone; `lost` of it was not acknowledged. */
  skip(to: Position, lost: number): void {
    this.lost += lost;
    this.#moveTo(to);
  }

  /** Never back: what was dropped in the meantime is behind us. */
  #moveTo({ segment, offset }: Position): void {
    const isBehind =
      segment < this.cursor.segment || (segment === this.cursor.segment && offset <= this.cursor.offset);
    if (!isBehind) this.cursor = { segment, offset };
  }

  /** Null: there is nothing. */
  async #read(limits: RecordLimits): Promise<SpoolBatch | null> {
    for (;;) {
      const { segment, offset } = this.cursor;
      const found = this.#spool.segmentFrom(segment);
      if (found === null) return null;
      const from = found.number === segment ? offset : 0;
      if (from >= found.bytes) {
        if (found.isLast) return null;
        this.cursor = { segment: found.number + 1, offset: 0 };
        continue;
      }
      const chunk = await readChunk(found.file, from, Math.min(found.bytes - from, CHUNK_BYTES));
      // Dropped while it was read.
      if (chunk === null && this.#spool.segmentFrom(found.number)?.number !== found.number) continue;
      // Somebody else has removed the file, or part of it.
      if (chunk === null || chunk.length === 0)
        return { events: [], broken: 1, end: { segment: found.number, offset: found.bytes } };
      const { events, bytes, broken } = readRecords(chunk, limits);
      const end = { segment: found.number, offset: from + (bytes > 0 ? bytes : chunk.length) };
      // No line feed in all of it: nothing of ours.
      return { events, broken: bytes > 0 ? broken : 1, end };
    }
  }
}

/** Null: the file is not there. */
async function readChunk(file: string, offset: number, bytes: number): Promise<Buffer | null> {
  try {
    const handle = await open(file, 'r');
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(bytes), 0, bytes, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
