/** What is recorded of decisions, as declared, to what opens the record. Pure. */
import type { DecisionsConfig } from './schema-decisions.ts';

/** The decision log and the folder of the rules that it names. */
export interface DecisionsSettings {
  readonly file: string;
  readonly maxBytes: number;
  /** Share of the requests in parts per million, above 0. */
  readonly samplePpm: number;
  /** Units and what is asked of requests as they are. */
  readonly isPlain: boolean;
  readonly configsDir: string;
  readonly configsMax: number;
}

/** Null: nothing is recorded. */
export function compileDecisions(declared: DecisionsConfig | undefined): DecisionsSettings | null {
  if (declared === undefined) return null;
  const { file, maxBytes, sample, units, configsDir, keep } = declared;
  return {
    file,
    maxBytes,
    samplePpm: sample,
    isPlain: units === 'plain',
    configsDir: configsDir ?? configsBeside(file),
    configsMax: keep,
  };
}

/** Where the rules are unless it is said. The file may be one that was moved out of the way, `FILE.1`. */
export function configsBeside(file: string): string {
  return `${file.replace(/\.1$/, '')}.configs`;
}
