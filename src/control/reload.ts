/**
 * Notices that the configuration changed on disk: written in place, replaced by rename (editors), or swapped behind
 * a symbolic link (Kubernetes ConfigMaps and Secrets). Says so once the files have stopped changing; reads no content.
 *
 * The folders are watched, not the files, because a rename leaves a watched file behind. A slow poll backs it up
 * where watching does not reach: links into other folders, network file systems, no watches left.
 */
import { type FSWatcher, watch } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface WatchOptions {
  /** Asked again before each look, since a reload may name other files. */
  readonly files: () => readonly string[];
  /** Never called twice at one time. */
  readonly onChange: () => Promise<unknown>;
  /** The files must look the same for this long before they are read: half a file may be valid YAML. */
  readonly settleMs?: number;
  readonly pollMs?: number;
}

const SETTLE_MS = 100;
const POLL_MS = 2000;
/** A file that never stops changing is read all the same, after so many looks. */
const SETTLE_LOOKS_MAX = 50;

/** Watches until `close`. Keeps no process alive. */
export class ConfigWatcher {
  readonly #options: WatchOptions;
  readonly #settleMs: number;
  readonly #folders = new Map<string, FSWatcher>();
  readonly #poll: NodeJS.Timeout;
  #settle: NodeJS.Timeout | null = null;
  #seen: string;
  #isLooking = false;
  #isLookWanted = false;
  #isClosed = false;

  private constructor(options: WatchOptions, seen: string) {
    this.#options = options;
    this.#settleMs = options.settleMs ?? SETTLE_MS;
    this.#seen = seen;
    this.#poll = setInterval(() => this.#wake(), options.pollMs ?? POLL_MS);
    this.#poll.unref();
    this.#watchFolders();
  }

  /** Changes made after this has resolved are noticed. */
  static async start(options: WatchOptions): Promise<ConfigWatcher> {
    return new ConfigWatcher(options, await fingerprint(options.files()));
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#poll);
    if (this.#settle !== null) clearTimeout(this.#settle);
    for (const watcher of this.#folders.values()) watcher.close();
    this.#folders.clear();
  }

  #wake(): void {
    if (this.#isClosed) return;
    this.#isLookWanted = true;
    if (!this.#isLooking) void this.#look();
  }

  /** Never rejects: `fingerprint` does not, and what `onChange` rejects with is its own to report. */
  async #look(): Promise<void> {
    this.#isLooking = true;
    while (this.#isLookWanted && !this.#isClosed) {
      this.#isLookWanted = false;
      const settled = await this.#settled();
      if (settled === null || this.#isClosed) continue;
      this.#seen = settled;
      await this.#options.onChange().catch(() => undefined);
      this.#watchFolders();
    }
    this.#isLooking = false;
  }

  /** The new fingerprint once it holds still, or null when nothing changed. */
  async #settled(): Promise<string | null> {
    let last = await fingerprint(this.#options.files());
    if (last === this.#seen) return null;
    for (let look = 0; look < SETTLE_LOOKS_MAX; look++) {
      await this.#pause();
      const now = await fingerprint(this.#options.files());
      if (now === last) break;
      last = now;
    }
    return last === this.#seen ? null : last;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#settle = setTimeout(resolve, this.#settleMs);
      this.#settle.unref();
    });
  }

  #watchFolders(): void {
    if (this.#isClosed) return;
    const wanted = new Set(this.#options.files().map((file) => dirname(file)));
    for (const [folder, watcher] of this.#folders) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#folders.delete(folder);
    }
    for (const folder of wanted) if (!this.#folders.has(folder)) this.#watchFolder(folder);
  }

  #watchFolder(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#wake());
      watcher.on('error', () => {
        watcher.close();
        this.#folders.delete(folder);
      });
      this.#folders.set(folder, watcher);
    } catch {
      // No such folder, or no watches left: the poll still looks.
    }
  }
}

/** Changes whenever the content of a file may have: identity, size and time of what the path leads to. */
async function fingerprint(files: readonly string[]): Promise<string> {
  const parts = await Promise.all(
    files.map(async (file) => {
      try {
        const real = await realpath(file);
        const { dev, ino, size, mtimeNs, ctimeNs } = await stat(real, { bigint: true });
        return `${real} ${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
      } catch {
        return 'absent';
      }
    }),
  );
  return parts.join('\n');
}
