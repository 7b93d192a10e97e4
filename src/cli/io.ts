/**
 * What a command may touch of the process: where data and talk go, and the environment. Commands take an `Io`
 * and return an exit code, so that tests call them like functions. Never holds state of its own.
 */

/** Data goes to `out` (stdout), talk goes to `err` (stderr); both take whole lines with their "\n". */
export interface Io {
  out(text: string): void;
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether `out` is a terminal that wants colour and redrawing: false with NO_COLOR. */
  readonly isTerminal: boolean;
}

/** The exit codes every command keeps to. */
export const Exit = {
  ok: 0,
  /** A negative answer: differences, unhealthy, a threshold broken. */
  negative: 1,
  usage: 2,
  configInvalid: 3,
  timedOut: 4,
  adminUnreachable: 5,
  conflict: 6,
  refused: 7,
  /** Our bug. */
  internal: 70,
  /** The environment cannot run it: no Node 24, a port taken, a missing file. */
  unfit: 78,
  interrupted: 130,
} as const;

/** An error whose message is for the user, with the exit code that goes with it. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** The Io of this process. */
export function processIo(): Io {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    env: process.env,
    isTerminal: process.stdout.isTTY === true && !process.env.NO_COLOR,
  };
}
