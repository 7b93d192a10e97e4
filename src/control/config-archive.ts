/**
 * Keeps the rules that decided, each in a file of its name, for `fairlead replay`: written once, behind the changes, in
 * their order; of more than `keep` the oldest go. Never throws: what cannot be written is reported once, and costs the
 * replay of what it decided.
 */
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArchivedRules } from '../config/archived-rules.ts';

export interface ConfigArchiveOptions {
  readonly folder: string;
  /** How many are kept, and how many may wait to be written. */
  readonly keep: number;
  readonly onProblem: (message: string) => void;
}

const NAME = /^[0-9a-f]{16}\.json$/;

/** The file of these rules. */
export function archiveFile(folder: string, id: string): string {
  return join(folder, `${id}.json`);
}

export class ConfigArchive {
  readonly #options: ConfigArchiveOptions;
  readonly #waiting: ArchivedRules[] = [];
  #writing: Promise<void> | null = null;
  #isFailing = false;

  constructor(options: ConfigArchiveOptions) {
    this.#options = options;
  }

  /** Returns at once. */
  add(rules: ArchivedRules): void {
    this.#waiting.push(rules);
    if (this.#waiting.length > this.#options.keep) this.#waiting.shift();
    this.#writing ??= this.#drain();
  }

  /** Resolves when nothing is left to write. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #drain(): Promise<void> {
    // Not before `#writing` is set.
    await Promise.resolve();
    const { folder, onProblem } = this.#options;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      try {
        await mkdir(folder, { recursive: true, mode: 0o750 });
        await this.#write(next);
        await this.#forgetOldest(next.id);
        this.#isFailing = false;
      } catch (error) {
        if (!this.#isFailing)
          onProblem(
            `the rules cannot be kept in ${folder} (${(error as Error).message}); what they decide cannot be replayed`,
          );
        this.#isFailing = true;
      }
    }
    this.#writing = null;
  }

  /** The name is the hash of the text, so what is there already is the same; it is the youngest now. */
  async #write({ id, text }: ArchivedRules): Promise<void> {
    const file = archiveFile(this.#options.folder, id);
    const now = new Date();
    const isThere = await utimes(file, now, now).then(
      () => true,
      () => false,
    );
    if (isThere) return;
    const temporary = join(this.#options.folder, `.${id}.${process.pid}.tmp`);
    try {
      await writeFile(temporary, text, { mode: 0o640 });
      await rename(temporary, file);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async #forgetOldest(current: string): Promise<void> {
    const { folder, keep } = this.#options;
    const names = (await readdir(folder)).filter((name) => NAME.test(name) && name !== `${current}.json`);
    if (names.length < keep) return;
    const files = await Promise.all(
      names.map(async (name) => ({ name, atMs: (await stat(join(folder, name))).mtimeMs })),
    );
    files.sort((one, other) => other.atMs - one.atMs || (one.name < other.name ? -1 : 1));
    for (const { name } of files.slice(keep - 1)) await rm(join(folder, name), { force: true });
  }
}
