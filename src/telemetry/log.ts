/**
 * The service log: pino's JSON lines for people who operate the sidecar, on stderr. A decision is one sentence
 * with the number and the limit. Never used once per request, never given a field value, a unit or a secret.
 */
import { pino } from 'pino';
import type { Sink } from './sink.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** What the rest of the program needs of a logger: facts, then the sentence. */
export interface Log {
  debug(facts: object, sentence: string): void;
  info(facts: object, sentence: string): void;
  warn(facts: object, sentence: string): void;
  error(facts: object, sentence: string): void;
}

/** Makes the service log. `sink` is normally a Sink on descriptor 2. */
export function createLog(options: { sink: Pick<Sink, 'write'>; service: string; level?: LogLevel }): Log {
  const { sink, service, level = 'info' } = options;
  return pino({ level, base: { service } }, { write: (line: string) => void sink.write(line) });
}

/** A log that says nothing, for tests and for commands that talk to people directly. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
