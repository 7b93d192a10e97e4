/**
 * Writes the state file behind the changes: one write at a time, the newest state wins, equal states are not written
 * twice. A write that fails is reported once and tried again until it works: what people changed, such as a kill, must
 * not be undone by a restart because a disk was full for a minute. Never throws.
 */
import { EMPTY_RUNTIME, type RuntimeState } from '../config/runtime.ts';
import type { SavedRollouts } from './rollout-file.ts';
import { formatState, saveState } from './state-file.ts';

/** After a failure, between two attempts. */
const RETRY_MS = 2000;

/** What goes into the file. */
interface Written {
  readonly state: RuntimeState;
  readonly lines: readonly string[];
  readonly rollouts: SavedRollouts;
}

export class StateWriter {
  readonly #file: string | null;
  readonly #onProblem: (message: string) => void;
  readonly #retryMs: number;
  #latest: Written = { state: EMPTY_RUNTIME, lines: [], rollouts: new Map() };
  #pending: Written | null = null;
  #writing: Promise<void> | null = null;
  #written = '';
  #isFailing = false;
  /** Could not be written, and nothing newer is there. */
  #failed: Written | null = null;
  #retry: NodeJS.Timeout | null = null;

  /** @param file Null: nothing is kept. */
  constructor(file: string | null, onProblem: (message: string) => void, retryMs = RETRY_MS) {
    this.#file = file;
    this.#onProblem = onProblem;
    this.#retryMs = retryMs;
  }

  /** Returns at once. */
  write(state: RuntimeState): void {
    this.#write({ ...this.#latest, state });
  }

  /** What is known of breakers, each by its `breakerLine`, beside the state. Returns at once. */
  writeBreakers(lines: readonly string[]): void {
    this.#write({ ...this.#latest, lines });
  }

  /** Where rollouts stand, beside the state. Returns at once. */
  writeRollouts(rollouts: SavedRollouts): void {
    this.#write({ ...this.#latest, rollouts });
  }

  #write(written: Written): void {
    this.#latest = written;
    if (this.#file === null) return;
    this.#pending = written;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    this.#failed = null;
    this.#writing ??= this.#drain(this.#file);
  }

  /** Resolves when nothing is left to write, after one more attempt at what could not be. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#failed !== null) this.#write(this.#failed);
    await this.#writing;
  }

  async #drain(file: string): Promise<void> {
    // Not before `#writing` is set: a burst of changes in one turn is one write.
    await Promise.resolve();
    while (this.#pending !== null) {
      const written = this.#pending;
      this.#pending = null;
      const text = formatState(written.state, written.lines, written.rollouts);
      if (text === this.#written) continue;
      try {
        await saveState(file, text);
        this.#written = text;
        this.#isFailing = false;
      } catch (error) {
        this.#report(file, error);
        if (this.#pending === null) this.#tryLater(written);
      }
    }
    this.#writing = null;
  }

  /** Keeps no process alive: whoever ends it flushes. */
  #tryLater(written: Written): void {
    this.#failed = written;
    this.#retry = setTimeout(() => this.#write(written), this.#retryMs);
    this.#retry.unref();
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
