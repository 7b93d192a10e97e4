/**
 * What was collected, over a restart: a file beside the state file, a line of JSON for each experiment behind one that says
 * what it is. Written whole every half minute and at the end, as the state file is, and for its owner only: it has the key
 * that units are hashed with. Never fatal: a file that cannot be read is told of, and the analysis begins anew.
 */
import { open } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { UnitHashKey } from '../analysis/collection/unit-hash.ts';
import type { Log } from '../telemetry/log.ts';
import { saveState } from './state-file.ts';

const FORMAT = 'fairlead-analysis';
const VERSION = 1;
/** An experiment that follows as many units as it may is 4 MB. */
const FILE_MAX_BYTES = 512 * 1024 * 1024;
/** So much is lost at most when the process is killed. */
const WRITE_EVERY_MS = 30_000;

/** What was collected before; null: nothing. */
export interface KeptAnalysis {
  readonly key: UnitHashKey;
  /** Forms of `ExperimentTotals`, by experiment. */
  readonly experiments: ReadonlyMap<string, unknown>;
}

/** Where it is kept beside this state file. */
export function analysisFile(stateFile: string): string {
  return `${stateFile}.analysis`;
}

/** Null: there is none, or none that can be read, which the log says. */
export async function readAnalysis(file: string, log: Pick<Log, 'warn'>): Promise<KeptAnalysis | null> {
  try {
    return parse(await readBounded(file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    const why = error instanceof SyntaxError ? 'it is broken' : (error as Error).message;
    log.warn({ file }, `the analysis file ${file} cannot be read (${why}); the numbers begin anew`);
    return null;
  }
}

export interface AnalysisWriterOptions {
  readonly file: string;
  readonly log: Pick<Log, 'warn'>;
  readonly key: UnitHashKey;
  /** What is to be kept, with a turn of the event loop after each; a text for each experiment. */
  readonly forms: () => Iterable<readonly [experiment: string, form: object]>;
  /** Another number when there is something new. */
  readonly changes: () => number;
}

export class AnalysisWriter {
  readonly #options: AnalysisWriterOptions;
  readonly #timer: NodeJS.Timeout;
  #written = 0;
  #writing: Promise<void> | null = null;
  #isFailing = false;

  constructor(options: AnalysisWriterOptions) {
    this.#options = options;
    this.#written = options.changes();
    this.#timer = setInterval(() => void this.write(), WRITE_EVERY_MS).unref();
  }

  /** Resolves when what there is now is in the file, or cannot be written. Never rejects. */
  async write(): Promise<void> {
    await this.#writing;
    this.#writing = this.#write();
    await this.#writing;
    this.#writing = null;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.write();
  }

  async #write(): Promise<void> {
    const { file, log, key, forms, changes } = this.#options;
    const now = changes();
    if (now === this.#written) return;
    try {
      const lines = [JSON.stringify({ format: FORMAT, version: VERSION, key })];
      for (const [experiment, form] of forms()) {
        lines.push(JSON.stringify({ experiment, form }));
        await nextTurn();
      }
      await saveState(file, `${lines.join('\n')}\n`);
      this.#written = now;
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing)
        log.warn(
          { file },
          `the analysis file ${file} cannot be written (${(error as Error).message}); a restart would begin with what is in it`,
        );
      this.#isFailing = true;
    }
  }
}

/** @throws Error for what is no such file. */
function parse(text: string): KeptAnalysis {
  const [head = '', ...lines] = text.trimEnd().split('\n');
  const { format, version, key } = Object(JSON.parse(head)) as Record<string, unknown>;
  if (format !== FORMAT || version !== VERSION || !isKey(key))
    throw new Error(`it is not a Fairlead analysis of version ${VERSION}`);
  const experiments = lines.map((line): [string, unknown] => {
    const { experiment, form } = Object(JSON.parse(line)) as Record<string, unknown>;
    return [String(experiment), form];
  });
  return { key, experiments: new Map(experiments) };
}

function isKey(value: unknown): value is UnitHashKey {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    value.every((word) => Number.isInteger(word) && word >= 0 && word < 2 ** 32)
  );
}

async function readBounded(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    if (size > FILE_MAX_BYTES) throw new Error(`it has ${size} bytes, more than ${FILE_MAX_BYTES}`);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}
