/** The end of a command that runs until somebody ends it: Ctrl-C, SIGTERM, a closed terminal, or itself. */
import { Exit } from './io.ts';

export interface Interruption {
  /** Aborts at the end. */
  readonly signal: AbortSignal;
  /** Resolves at the end. */
  readonly ended: Promise<undefined>;
  /** Null: it goes on. */
  readonly exitCode: number | null;
  /** The first one counts. */
  end(exitCode: number): void;
  /** Signals do what they did before. */
  close(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** From now on these signals end the command, so that it can put the terminal back, and not the process. */
export function untilInterrupted(): Interruption {
  const controller = new AbortController();
  let exitCode: number | null = null;
  const end = (code: number): void => {
    exitCode ??= code;
    controller.abort();
  };
  const onSignal = (): void => end(Exit.interrupted);
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    ended: new Promise((resolve) =>
      controller.signal.addEventListener('abort', () => resolve(undefined), { once: true }),
    ),
    get exitCode() {
      return exitCode;
    },
    end,
    close: () => {
      for (const name of SIGNALS) process.removeListener(name, onSignal);
    },
  };
}
