/**
 * A file of events, one a line. After a crash the last lines may be there twice, with the same ids, and one of them may
 * be cut short: the next begins on a line of its own.
 */
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Destination, TAKEN, type Verdict } from './destination.ts';

const LINE_FEED = Buffer.from('\n');

export class FileDestination implements Destination {
  readonly #path: string;
  #file: FileHandle | null = null;
  /** What was written last may not have been written to its end. */
  #isTorn = true;

  constructor(path: string) {
    this.#path = path;
  }

  async send(events: readonly Buffer[], _signal: AbortSignal): Promise<Verdict> {
    try {
      const file = await this.#open();
      const lines = Buffer.concat(events.flatMap((event) => [event, LINE_FEED]));
      const isMended = this.#isTorn && (await endsWithinLine(this.#path));
      this.#isTorn = true;
      if (isMended) await file.appendFile(LINE_FEED);
      await file.appendFile(lines);
      this.#isTorn = false;
      return TAKEN;
    } catch (error) {
      await this.close();
      return {
        kind: 'later',
        problem: `its file cannot be written (${(error as NodeJS.ErrnoException).code})`,
      };
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close().catch(() => {});
  }

  async #open(): Promise<FileHandle> {
    if (this.#file !== null) return this.#file;
    await mkdir(dirname(this.#path), { recursive: true });
    this.#file = await open(this.#path, 'a', 0o640);
    return this.#file;
  }
}

/** Whether the last line has no end. */
async function endsWithinLine(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const stats = await file.stat();
    if (!stats.isFile() || stats.size === 0) return false;
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, stats.size - 1);
    return buffer[0] !== 0x0a;
  } finally {
    await file.close();
  }
}
