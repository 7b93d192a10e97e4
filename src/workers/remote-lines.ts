/**
 * Lines of a worker for what only the primary writes, since one process has to know when it is full: the decision log,
 * the spool of exposures. Sent in batches, and bounded: what the primary does not take in time is dropped and counted.
 */
import type { Counter } from '../telemetry/series.ts';
import type { LineKind, ToPrimary } from './messages.ts';

const BATCH_CHARS = 32 * 1024;
const PENDING_MAX_CHARS = 4 * 1024 * 1024;

export class RemoteLines {
  readonly #send: (message: ToPrimary, done: () => void) => void;
  readonly #kind: LineKind;
  readonly #dropped: Counter;
  #batch = '';
  /** Sent, and not on its way yet. */
  #pending = 0;

  constructor(send: (message: ToPrimary, done: () => void) => void, kind: LineKind, dropped: Counter) {
    this.#kind = kind;
    this.#send = send;
    this.#dropped = dropped;
  }

  /** Takes one line with its "\n". False: dropped and counted. */
  write(line: string): boolean {
    if (this.#pending + this.#batch.length + line.length > PENDING_MAX_CHARS) {
      this.#dropped.value++;
      return false;
    }
    this.#batch += line;
    if (this.#batch.length >= BATCH_CHARS) this.flush();
    return true;
  }

  /** Sends what there is; to be called now and then. */
  flush(): void {
    const lines = this.#batch;
    if (lines === '') return;
    this.#batch = '';
    this.#pending += lines.length;
    this.#send({ kind: this.#kind, lines, dropped: this.#dropped.value }, () => {
      this.#pending -= lines.length;
    });
  }
}
