/**
 * A bounded, append-only store of events on a local disk, between the request path and the places they are sent to.
 *
 * What it promises: an event whose write has ended is **accepted**. It is on the disk whatever becomes of the process, and
 * is read by every reader until that has acknowledged it, after a restart as well; a reader may then get again what it
 * had acknowledged a short time before. Not accepted is what waits in memory, for some 20 ms while the disk is well;
 * that is bounded, and what does not fit is dropped and counted. With `fsync` the same holds of a machine that loses power.
 *
 * When it is full the oldest segment goes, and what a reader had not read of it is counted as lost to that reader. Two
 * processes never have one folder: the second waits. Nothing here throws or is waited for by requests.
 */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { LineQueue } from '../line-queue.ts';
import type { Counter } from '../series.ts';
import { type Position, SpoolFolder } from './spool-folder.ts';
import { SpoolReader } from './spool-reader.ts';
import { countLines, sealed } from './spool-record.ts';

/** 8 MiB: some 15,000 events, or a disk that is gone for a second at full speed. */
const QUEUE_MAX_BYTES = 8 * 1024 * 1024;
/** The longest that an event waits for others to be written with. */
const BATCH_MS = 20;
/** After a failure, between two attempts. */
const RETRY_MS = 1000;
const SYNC_MS = 1000;
/** Cursors are written this often, so that a crash repeats no more than a second. */
const CURSOR_MS = 1000;
/** The longest that a close waits for a disk. */
const CLOSE_MS = 2000;

/** `batch`: with each write; `second`: once a second; `off`: when the system likes. */
export type Fsync = 'off' | 'second' | 'batch';

export interface SpoolSettings {
  readonly dir: string;
  /** The oldest goes before there is more. */
  readonly maxBytes: number;
  /** What is dropped at once, and removed at once when it is done with. */
  readonly segmentBytes: number;
  readonly fsync: Fsync;
}

export interface SpoolOptions extends SpoolSettings {
  /** Names of those that read it; each gets everything. */
  readonly readers: readonly string[];
  /** Events that were never accepted. */
  readonly dropped: Counter;
  /** One sentence, when something begins to fail and when it works again. */
  readonly onProblem: (sentence: string) => void;
  readonly queueMaxBytes?: number;
  readonly retryMs?: number;
  readonly closeMs?: number;
}

interface Segment {
  readonly number: number;
  /** Written to their end; behind that may be half a record. */
  bytes: number;
}

export class Spool {
  readonly readers: readonly SpoolReader[];
  readonly #options: SpoolOptions;
  readonly #folder: SpoolFolder;
  readonly #queue = new LineQueue();
  #segments: Segment[] = [];
  /** Of the last segment; null: it takes no more. */
  #file: FileHandle | null = null;
  #nextNumber = 1;
  #isOpen = false;
  #isClosed = false;
  #isFailing = false;
  /** One thing at a time is done to the folder. */
  #work: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;
  #syncTimer: NodeJS.Timeout | null = null;
  #cursorTimer: NodeJS.Timeout | null = null;
  /** Being written, or to be written first. */
  #batch: Buffer | null = null;
  #queuedEvents = 0;

  constructor(options: SpoolOptions) {
    this.#options = options;
    this.#folder = new SpoolFolder(options.dir);
    this.readers = options.readers.map((name) => new SpoolReader(name, this));
    this.#wakeIn(0);
  }

  /** Takes an event, as one line of JSON with its "\n". False: dropped and counted. HOT: a checksum and a copy. */
  write(line: string): boolean {
    const max = this.#options.queueMaxBytes ?? QUEUE_MAX_BYTES;
    if (this.#isClosed || this.queuedBytes + line.length > max) {
      this.#options.dropped.value++;
      return false;
    }
    this.#queue.add(sealed(line));
    this.#queuedEvents++;
    if (this.#timer === null && !this.#isFailing && this.#batch === null) this.#wakeIn(BATCH_MS);
    return true;
  }

  /** In memory, not accepted yet. */
  get queuedBytes(): number {
    return this.#queue.bytes + (this.#batch?.length ?? 0);
  }

  get queuedEvents(): number {
    return this.#queuedEvents;
  }

  /** On the disk. */
  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Accepted, and not behind `position`. */
  bytesFrom(position: Position): number {
    let sum = 0;
    for (const { number, bytes } of this.#segments) {
      if (number > position.segment) sum += bytes;
      else if (number === position.segment) sum += Math.max(0, bytes - position.offset);
    }
    return sum;
  }

  /** The first segment from this number on: its file, and how much of it is there. Null: all that follows is to come. */
  segmentFrom(number: number): (Segment & { readonly file: string; readonly isLast: boolean }) | null {
    const index = this.#segments.findIndex((segment) => segment.number >= number);
    const segment = this.#segments[index];
    if (segment === undefined) return null;
    const isLast = index === this.#segments.length - 1;
    return { ...segment, file: this.#folder.fileOf(segment.number), isLast };
  }

  /** A reader has acknowledged something: what all have is removed, and where they are is written down soon. */
  acknowledged(): void {
    if (this.#cursorTimer !== null || this.#isClosed) return;
    this.#cursorTimer = setTimeout(() => {
      this.#cursorTimer = null;
      void this.#do(() => this.#tidy());
    }, CURSOR_MS);
    this.#cursorTimer.unref();
  }

  /** Resolves when all events so far are accepted, or cannot be now. Never rejects. */
  flush(): Promise<void> {
    return this.#do(() => this.#writeAll());
  }

  /** Accepts what it can, writes down where the readers are, and lets go of the folder. Never rejects. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#options.closeMs ?? CLOSE_MS);
    });
    const done = this.flush()
      .then(() => this.#do(() => this.#tidy()))
      .then(() => this.#do(() => this.#seal()));
    await Promise.race([done, late]);
    clearTimeout(timer);
    this.#isClosed = true;
    for (const one of [this.#timer, this.#syncTimer, this.#cursorTimer]) if (one !== null) clearTimeout(one);
    this.#options.dropped.value += this.queuedEvents;
    for (const reader of this.readers) reader.close();
    this.#folder.close();
  }

  #wakeIn(delayMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#do(() => this.#writeAll());
    }, delayMs);
    this.#timer.unref();
  }

  /** After all that was to be done before. A failure is reported, and what failed is tried again later. */
  #do(work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(work).catch((error: NodeJS.ErrnoException) => this.#failed(error));
    return this.#work;
  }

  async #writeAll(): Promise<void> {
    if (!this.#isOpen) await this.#open();
    for (;;) {
      this.#batch ??= this.#queue.take();
      if (this.#batch === null) break;
      await this.#writeBatch(this.#batch);
    }
    this.#recovered();
  }

  async #writeBatch(batch: Buffer): Promise<void> {
    const segment = await this.#segmentFor(batch.length);
    // At a place of its own: after a failure the same bytes are written over what there is of them.
    for (let done = 0; done < batch.length; ) {
      const { bytesWritten } = await this.#file!.write(
        batch,
        done,
        batch.length - done,
        segment.bytes + done,
      );
      done += bytesWritten;
    }
    if (this.#options.fsync === 'batch') await this.#file!.datasync();
    else if (this.#options.fsync === 'second') this.#syncSoon();
    segment.bytes += batch.length;
    this.#queuedEvents -= countLines(batch);
    this.#batch = null;
    this.#queue.giveBack(batch);
    for (const reader of this.readers) reader.wake();
    await this.#dropOldest();
  }

  async #segmentFor(bytes: number): Promise<Segment> {
    const last = this.#segments.at(-1);
    if (this.#file !== null && last !== undefined) {
      if (last.bytes === 0 || last.bytes + bytes <= this.#options.segmentBytes) return last;
      await this.#seal();
    }
    const segment = { number: this.#nextNumber, bytes: 0 };
    this.#file = await open(this.#folder.fileOf(segment.number), 'w', 0o640);
    this.#nextNumber++;
    this.#segments.push(segment);
    if (this.#options.fsync !== 'off') await this.#folder.sync();
    return segment;
  }

  /** The last segment takes no more. */
  async #seal(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    if (file === null) return;
    try {
      if (this.#options.fsync !== 'off') await file.datasync();
    } finally {
      await file.close();
    }
  }

  #syncSoon(): void {
    if (this.#syncTimer !== null) return;
    this.#syncTimer = setTimeout(() => {
      this.#syncTimer = null;
      void this.#do(async () => this.#file?.datasync());
    }, SYNC_MS);
    this.#syncTimer.unref();
  }

  async #open(): Promise<void> {
    const { segments, cursors, tornBytes } = await this.#folder.open();
    const numbers = [...segments.map(({ number }) => number), ...[...cursors.values()].map((c) => c.segment)];
    // Never a number that was there before, or a cursor of then would be taken for one of now.
    this.#nextNumber = Math.max(0, ...numbers) + 1;
    this.#segments = segments.map((segment) => ({ ...segment }));
    if (tornBytes > 0)
      this.#options.onProblem(
        `${this.#options.dir}: ${tornBytes} bytes of records that were not written to their end were cut off`,
      );
    const first = { segment: 0, offset: 0 };
    this.#isOpen = true;
    for (const reader of this.readers) reader.start(cursors.get(reader.name) ?? first);
  }

  /** The oldest segment goes while there is too much, but never the one that is written. */
  async #dropOldest(): Promise<void> {
    while (this.#segments.length > 1 && this.bytes > this.#options.maxBytes) {
      const { number } = this.#segments[0]!;
      const late = this.readers.filter(({ cursor }) => cursor.segment <= number);
      const chunk = late.length > 0 ? await readFile(this.#folder.fileOf(number)).catch(() => null) : null;
      for (const reader of late) {
        const offset = reader.cursor.segment === number ? reader.cursor.offset : 0;
        reader.skip(
          { segment: number + 1, offset: 0 },
          chunk === null ? 0 : countLines(chunk.subarray(offset)),
        );
      }
      this.#segments.shift();
      await this.#folder.remove(number);
    }
  }

  /** Removes what every reader has acknowledged, and writes down where they are. */
  async #tidy(): Promise<void> {
    if (!this.#isOpen) return;
    // First, as it is what makes room for the rest on a disk that is full. A cursor of before goes on behind them.
    const done = Math.min(...this.readers.map(({ cursor }) => cursor.segment));
    while (this.#segments.length > 1 && this.#segments[0]!.number < done) {
      const { number } = this.#segments.shift()!;
      await this.#folder.remove(number);
    }
    for (const reader of this.readers) {
      if (reader.isWrittenDown) continue;
      const { cursor } = reader;
      await this.#folder.writeCursor(reader.name, cursor);
      reader.writtenDown(cursor);
    }
  }

  #failed(error: NodeJS.ErrnoException): void {
    if (!this.#isFailing) {
      this.#isFailing = true;
      const why =
        error.code === 'EADDRINUSE' ? 'another process has it open' : (error.code ?? 'it cannot be used');
      this.#options.onProblem(
        `the spool ${this.#options.dir} cannot be written: ${why}; events are kept while they fit`,
      );
    }
    if (!this.#isClosed) this.#wakeIn(this.#options.retryMs ?? RETRY_MS);
  }

  #recovered(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#options.onProblem(
      `the spool ${this.#options.dir} is written again; ${this.#options.dropped.value} events were lost so far`,
    );
  }
}
