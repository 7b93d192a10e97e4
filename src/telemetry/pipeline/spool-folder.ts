/**
 * The files of a spool: segments, which are numbered and only ever appended to, and a cursor for each reader. What a
 * crash leaves is put in order when it is opened: a record that was not written to its end is cut off, and nothing else.
 */
import { createHash } from 'node:crypto';
import {
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';

/** How much of a segment is looked through at once for the end of its last record. */
const TAIL_BYTES = 64 * 1024;
const NUMBER_DIGITS = 12;
const SEGMENT_FILE = /^segment-(\d{12})\.spool$/;
const CURSOR_FILE = /^cursor-(.+)\.json$/;

/** Where a reader is: all before it is done with. */
export interface Position {
  readonly segment: number;
  readonly offset: number;
}

export interface FoundSegment {
  readonly number: number;
  readonly bytes: number;
}

export interface FoundSpool {
  readonly segments: readonly FoundSegment[];
  /** By the names of the readers. One that cannot be read is not there. */
  readonly cursors: ReadonlyMap<string, Position>;
  /** Bytes of records that were not written to their end. */
  readonly tornBytes: number;
}

export class SpoolFolder {
  readonly path: string;
  #lock: Server | null = null;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * What is there, put in order. Rejects with the system's error, and with `EADDRINUSE` while another process has it
   * open (known on Linux only).
   */
  async open(): Promise<FoundSpool> {
    await mkdir(this.path, { recursive: true, mode: 0o750 });
    await this.#lockIt();
    const names = await readdir(this.path);
    const numbers = names.flatMap((name) => {
      const match = SEGMENT_FILE.exec(name);
      return match === null ? [] : [Number(match[1])];
    });
    numbers.sort((left, right) => left - right);
    const segments: FoundSegment[] = [];
    let tornBytes = 0;
    for (const number of numbers) {
      const { bytes, torn } = await this.#mend(number);
      tornBytes += torn;
      if (bytes > 0) segments.push({ number, bytes });
    }
    return { segments, cursors: await this.#readCursors(names), tornBytes };
  }

  fileOf(segment: number): string {
    return join(this.path, `segment-${String(segment).padStart(NUMBER_DIGITS, '0')}.spool`);
  }

  async remove(segment: number): Promise<void> {
    await rm(this.fileOf(segment), { force: true });
  }

  /** The new one takes the place of the old one in one step. Rejects with the system's error. */
  async writeCursor(reader: string, { segment, offset }: Position): Promise<void> {
    const file = join(this.path, `cursor-${reader}.json`);
    await writeFile(`${file}.new`, `${JSON.stringify({ segment, offset })}\n`, { mode: 0o640 });
    await rename(`${file}.new`, file);
  }

  /** That new files are there is on the disk. A system that has no such thing is left alone. */
  async sync(): Promise<void> {
    try {
      const folder = await open(this.path, 'r');
      await folder.sync().finally(() => folder.close());
    } catch {
      // The records themselves are synced; what a power cut can then still cost is the name of a new file.
    }
  }

  /** Another process may open it. */
  close(): void {
    this.#lock?.close();
    this.#lock = null;
  }

  /** A name that ends with the process, however that ends: a file would have to be told from one that was left behind. */
  async #lockIt(): Promise<void> {
    if (process.platform !== 'linux' || this.#lock !== null) return;
    const id = createHash('sha256')
      .update(await realpath(this.path))
      .digest('hex')
      .slice(0, 32);
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(`\0fairlead-spool-${id}`, resolve);
    });
    server.unref();
    this.#lock = server;
  }

  /** Cuts off what follows the last line feed; a segment with nothing in it is removed. */
  async #mend(segment: number): Promise<{ bytes: number; torn: number }> {
    const file = this.fileOf(segment);
    const { size } = await stat(file);
    const bytes = await endOfLast(file, size);
    if (bytes === 0) await rm(file);
    else if (bytes < size) await truncate(file, bytes);
    return { bytes, torn: size - bytes };
  }

  async #readCursors(names: readonly string[]): Promise<ReadonlyMap<string, Position>> {
    const cursors = new Map<string, Position>();
    for (const name of names) {
      const reader = CURSOR_FILE.exec(name)?.[1];
      if (reader === undefined) continue;
      const position = readPosition(await readFile(join(this.path, name), 'utf8').catch(() => ''));
      if (position !== null) cursors.set(reader, position);
    }
    return cursors;
  }
}

/** Where the last whole line of a file ends. */
async function endOfLast(file: string, size: number): Promise<number> {
  const handle = await open(file, 'r');
  try {
    for (let end = size; end > 0; end -= TAIL_BYTES) {
      const start = Math.max(0, end - TAIL_BYTES);
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(end - start), 0, end - start, start);
      const last = buffer.subarray(0, bytesRead).lastIndexOf(0x0a);
      if (last >= 0) return start + last + 1;
    }
    return 0;
  } finally {
    await handle.close();
  }
}

function readPosition(text: string): Position | null {
  try {
    const { segment, offset } = JSON.parse(text) as Partial<Position>;
    const isPosition = Number.isSafeInteger(segment) && Number.isSafeInteger(offset);
    return isPosition ? { segment: segment!, offset: offset! } : null;
  } catch {
    return null;
  }
}
