/** The service log of a worker: the primary writes it, so that lines never mix and a worker needs no logger. */
import type { Log } from '../telemetry/log.ts';
import type { Counter } from '../telemetry/series.ts';
import type { LogLevel, ToPrimary } from './messages.ts';

/** Lines that the primary has not taken yet. */
const PENDING_MAX = 1000;

export class RemoteLog implements Log {
  readonly #send: (message: ToPrimary, done: () => void) => void;
  readonly #dropped: Counter;
  #pending = 0;

  constructor(send: (message: ToPrimary, done: () => void) => void, dropped: Counter) {
    this.#send = send;
    this.#dropped = dropped;
  }

  debug(_facts: object, _sentence: string): void {
    // The primary's log leaves these out.
  }

  info(facts: object, sentence: string): void {
    this.#write('info', facts, sentence);
  }

  warn(facts: object, sentence: string): void {
    this.#write('warn', facts, sentence);
  }

  error(facts: object, sentence: string): void {
    this.#write('error', facts, sentence);
  }

  #write(level: LogLevel, facts: object, sentence: string): void {
    if (this.#pending >= PENDING_MAX) {
      this.#dropped.value++;
      return;
    }
    this.#pending++;
    this.#send({ kind: 'log', level, facts, sentence }, () => {
      this.#pending--;
    });
  }
}
