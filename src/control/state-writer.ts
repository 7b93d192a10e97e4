/**
 * Writes the state file behind the changes: one write at a time, the newest state wins, equal states are not written
 * twice. A write that fails is reported once and tried again with the next change. Never throws.
 */
import type { RuntimeState } from '../config/runtime.ts';
import { formatState, saveState } from './state-file.ts';

export class StateWriter {
  readonly #file: string | null;
  readonly #onProblem: (message: string) => void;
  #pending: RuntimeState | null = null;
  #writing: Promise<void> | null = null;
  #written = '';
  #isFailing = false;

  /** @param file Null: nothing is kept. */
  constructor(file: string | null, onProblem: (message: string) => void) {
    this.#file = file;
    this.#onProblem = onProblem;
  }

  /** Returns at once. */
  write(state: RuntimeState): void {
    if (this.#file === null) return;
    this.#pending = state;
    this.#writing ??= this.#drain(this.#file);
  }

  /** Resolves when nothing is left to write. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #drain(file: string): Promise<void> {
    // Not before `#writing` is set: a burst of changes in one turn is one write.
    await Promise.resolve();
    while (this.#pending !== null) {
      const state = this.#pending;
      this.#pending = null;
      const text = formatState(state);
      if (text === this.#written) continue;
      try {
        await saveState(file, state);
        this.#written = text;
        this.#isFailing = false;
      } catch (error) {
        this.#report(file, error);
      }
    }
    this.#writing = null;
  }

  #report(file: string, error: unknown): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    const why = error instanceof Error ? error.message : String(error);
    this.#onProblem(
      `the state file ${file} cannot be written (${why}); run-time changes are lost at exit until it can`,
    );
  }
}
