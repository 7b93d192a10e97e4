/**
 * Where lines go: a file, stdout or stderr, appended to in batches and never waited for. A disk that is full, a
 * path that cannot be written and a reader that went away cost lines, which are counted, and never an exception.
 *
 * The queue is bounded in bytes; what does not fit is dropped, newest first, so that what is written stays
 * without holes in the middle of a line. A failed write is kept and tried again. Sinks on one descriptor take
 * turns by whole batches, so their lines never mix. Never reopens a file that works, unless it has a limit.
 */
import { close, constants, fstat, fstatSync, mkdir, open, rename, write, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { BATCH_BYTES, LineQueue } from './line-queue.ts';
import type { Counter } from './series.ts';

/** 4 MiB: some 10,000 access log lines, a third of a second at full speed. */
const QUEUE_MAX_BYTES = 4 * 1024 * 1024;
/** A batch is written when it is full, or this old. */
const BATCH_MS = 20;
/** After a failure, between two attempts. */
const RETRY_MS = 1000;
/** A pipe that is full (EAGAIN) is tried again sooner. */
const BUSY_MS = 20;
/** The longest that `flush` waits for a sink that does not take anything. */
const FLUSH_MS = 2000;

export interface SinkOptions {
  /** A path to append to, or the number of an open descriptor: 1 is stdout, 2 stderr. */
  readonly target: string | number;
  /** Counts lost lines. */
  readonly dropped: Counter;
  /** Told once when writing begins to fail and once when it works again; one sentence. Must not write here. */
  readonly onProblem?: (message: string) => void;
  readonly queueMaxBytes?: number;
  /** Before it would grow beyond this, a file is moved to `FILE.1`, in place of the one before. Default: never. */
  readonly fileMaxBytes?: number;
  readonly retryMs?: number;
  readonly flushMs?: number;
}

const EMPTY = Buffer.alloc(0);

/** Which sink is in the middle of a batch on a shared descriptor (stdout, stderr). */
const writers = new Map<number, Sink>();

/** A bounded, line-oriented, append-only writer. */
export class Sink {
  readonly #options: SinkOptions;
  readonly #queueMaxBytes: number;
  #fd = -1;
  /** Lines not handed to the system yet. */
  readonly #queue = new LineQueue();
  /** The batch under way, or what is left of it. */
  #batch: Buffer = EMPTY;
  /** Part of the batch is in the file: the rest belongs there too. */
  #isBatchBegun = false;
  /** Kept only of a file that has a limit; NaN: it is no file that could be moved, such as a pipe or a device. */
  #fileBytes = 0;
  #isWriting = false;
  #timer: NodeJS.Timeout | null = null;
  #isFailing = false;
  #isClosed = false;
  #idleWaiters: (() => void)[] = [];

  constructor(options: SinkOptions) {
    this.#options = options;
    this.#queueMaxBytes = options.queueMaxBytes ?? QUEUE_MAX_BYTES;
    if (typeof options.target === 'number') {
      this.#fd = options.target;
      makeNonBlocking(options.target);
    }
  }

  /** Takes one whole line, its "\n" included. False: dropped and counted. HOT: an append and a comparison. */
  write(line: string): boolean {
    const bytes = this.#queue.bytes + this.#batch.length + line.length;
    if (this.#isClosed || bytes > this.#queueMaxBytes) {
      this.#options.dropped.value++;
      return false;
    }
    this.#queue.add(line);
    if (this.#isWriting) return true;
    if (this.#timer === null) this.#wakeIn(BATCH_MS);
    else if (this.#queue.bytes >= BATCH_BYTES && !this.#isFailing && this.#batch.length === 0) this.#pump();
    return true;
  }

  /** Whether the last attempt to write failed. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  /** Resolves when all lines so far are written, an attempt has failed, or two seconds are over. Never rejects. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, this.#options.flushMs ?? FLUSH_MS);
      function done(): void {
        clearTimeout(timer);
        resolve();
      }
      this.#idleWaiters.push(done);
      this.#pump();
    });
  }

  /** Flushes, then closes; what could not be written is counted as dropped, and later lines too. Never rejects. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    await this.flush();
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#dropAll();
    if (!this.#isWriting) this.#closeFile();
  }

  /** For the last words of a process: writes what it can at once, without waiting. Never throws. */
  flushSync(): void {
    if (this.#fd < 0 || this.#isWriting) return;
    try {
      for (let rest: Buffer | null = this.#batch; rest !== null; rest = this.#queue.take()) {
        let offset = 0;
        while (offset < rest.length) offset += writeSync(this.#fd, rest, offset);
      }
    } catch {
      // Nothing is left to tell it to.
    }
    this.#batch = EMPTY;
  }

  #wakeIn(delayMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#pump();
    }, delayMs);
    this.#timer.unref();
  }

  #pump(): void {
    if (this.#isWriting || this.#isClosed) return;
    if (this.#batch.length === 0) {
      if (this.#queue.bytes === 0) {
        this.#settleWaiters();
        return;
      }
      if (!this.#claim()) {
        this.#wakeIn(BUSY_MS);
        return;
      }
      this.#batch = this.#queue.take()!;
    }
    this.#isWriting = true;
    if (this.#fd >= 0) this.#writeOrRotate();
    else this.#open(this.#options.target as string);
  }

  #writeOrRotate(): void {
    const { fileMaxBytes = Number.POSITIVE_INFINITY, target } = this.#options;
    const isFull = this.#fileBytes > 0 && this.#fileBytes + this.#batch.length > fileMaxBytes;
    if (!isFull || this.#isBatchBegun) {
      this.#writeBatch();
      return;
    }
    this.#closeFile();
    rename(target as string, `${target}.1`, (error) => {
      if (error !== null && error.code !== 'ENOENT') this.#failed(error);
      else this.#open(target as string);
    });
  }

  #open(path: string): void {
    // Without O_NONBLOCK, opening a named pipe that nobody reads would hold a thread for good.
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
    mkdir(dirname(path), { recursive: true }, () => {
      open(path, flags, 0o640, (error, fd) => {
        if (error !== null) {
          this.#failed(error);
          return;
        }
        this.#fd = fd;
        if (this.#options.fileMaxBytes === undefined) this.#writeBatch();
        else this.#measure(fd);
      });
    });
  }

  /** What is there already counts. */
  #measure(fd: number): void {
    fstat(fd, (error, stats) => {
      this.#fileBytes = error === null && stats.isFile() ? stats.size : Number.NaN;
      this.#writeOrRotate();
    });
  }

  #writeBatch(): void {
    write(this.#fd, this.#batch, 0, this.#batch.length, null, (error, written) => {
      if (this.#isClosed) {
        this.#closeFile();
        return;
      }
      if (error !== null) {
        this.#failed(error);
        return;
      }
      const batch = this.#batch;
      this.#batch = batch.subarray(written);
      this.#fileBytes += written;
      this.#isBatchBegun = this.#batch.length > 0;
      if (this.#isBatchBegun) {
        this.#writeBatch();
        return;
      }
      this.#queue.giveBack(batch);
      this.#isWriting = false;
      this.#release();
      if (this.#isFailing) this.#recovered();
      if (this.#queue.bytes >= BATCH_BYTES || this.#idleWaiters.length > 0) this.#pump();
      else if (this.#queue.bytes > 0) this.#wakeIn(BATCH_MS);
    });
  }

  #failed(error: NodeJS.ErrnoException): void {
    this.#isWriting = false;
    if (error.code === 'EAGAIN') {
      this.#wakeIn(BUSY_MS);
      return;
    }
    if (!this.#isFailing) {
      this.#isFailing = true;
      this.#options.onProblem?.(
        `${this.#name()} cannot be written: ${error.code}; lines are kept while they fit`,
      );
    }
    if (error.code === 'EPIPE' || error.code === 'EBADF') this.#readerGone();
    this.#settleWaiters();
    if (!this.#isClosed) this.#wakeIn(this.#options.retryMs ?? RETRY_MS);
  }

  /** The other end of a pipe is closed: what is queued is lost. A named pipe is opened again. */
  #readerGone(): void {
    this.#dropAll();
    if (typeof this.#options.target === 'number') {
      this.#isClosed = true;
      return;
    }
    this.#closeFile();
  }

  #closeFile(): void {
    if (this.#fd > 2) close(this.#fd, () => {});
    this.#fd = -1;
  }

  /** Takes the descriptor for one batch; false while another sink has half of one out. */
  #claim(): boolean {
    if (typeof this.#options.target === 'string') return true;
    const writer = writers.get(this.#options.target) ?? this;
    writers.set(this.#options.target, writer);
    return writer === this;
  }

  #release(): void {
    if (typeof this.#options.target === 'number') writers.delete(this.#options.target);
  }

  #recovered(): void {
    this.#isFailing = false;
    this.#options.onProblem?.(
      `${this.#name()} is written again; ${this.#options.dropped.value} lines were lost so far`,
    );
  }

  #dropAll(): void {
    if (this.#batch.length > 0) this.#release();
    for (let lost: Buffer | null = this.#batch; lost !== null; lost = this.#queue.take())
      this.#options.dropped.value += countLines(lost);
    this.#batch = EMPTY;
    this.#isBatchBegun = false;
  }

  #settleWaiters(): void {
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const waiter of waiters) waiter();
  }

  #name(): string {
    const { target } = this.#options;
    return target === 1 ? 'stdout' : target === 2 ? 'stderr' : String(target);
  }
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines++;
  return lines;
}

/**
 * A write to a full pipe would hold one of the four threads of the pool, and `process.exit` would wait for it.
 * Node puts stdout and stderr in non-blocking mode when their streams are first touched, if they are pipes.
 */
function makeNonBlocking(fd: number): void {
  try {
    const stat = fstatSync(fd);
    if (!stat.isFIFO() && !stat.isSocket()) return;
    if (fd === 1) void process.stdout.writable;
    else if (fd === 2) void process.stderr.writable;
  } catch {
    // A descriptor that is not open fails when it is written to, and that is handled.
  }
}
