/**
 * `fairlead kill NAME|--all`: the fallback for everyone, at once, overrides included. Asks on a terminal; without
 * one it needs --yes, so that a script kills nothing by accident.
 */
import { createInterface } from 'node:readline/promises';
import { type AdminTarget, adminGet, adminPost } from './admin-client.ts';
import { CliError, Exit, type Io } from './io.ts';

export interface KillOptions extends AdminTarget {
  /** Null with `all`. */
  readonly name: string | null;
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly reason: string;
}

/** Asks a person; null when there is nobody to ask. */
export type Ask = ((question: string) => Promise<boolean>) | null;

/** Kills and says so on stderr; 0 done, 1 the answer was no, 2 usage. @throws CliError */
export async function killCommand(options: KillOptions, io: Io, ask: Ask = askTerminal()): Promise<number> {
  if ((options.name === null) === (options.all !== true)) {
    throw new CliError(Exit.usage, 'name one experiment, or use --all');
  }
  const names = options.name === null ? await runningNames(options, io.env) : [options.name];
  if (names.length === 0) {
    io.err('there is nothing to kill: no experiment is running or paused\n');
    return Exit.ok;
  }
  if (options.yes !== true && !(await isConfirmed(names, ask))) {
    io.err('nothing was changed\n');
    return Exit.negative;
  }
  for (const name of names) {
    await adminPost(
      options,
      `/v1/experiments/${encodeURIComponent(name)}:kill`,
      { reason: options.reason },
      io.env,
    );
    io.err(`killed ${name}: everyone gets its fallback; \`fairlead start ${name}\` undoes it\n`);
  }
  return Exit.ok;
}

async function isConfirmed(names: readonly string[], ask: Ask): Promise<boolean> {
  if (ask === null) throw new CliError(Exit.usage, 'without a terminal to ask on, kill needs --yes');
  return await ask(`Give everyone the fallback of ${names.join(', ')}? [y/N] `);
}

async function runningNames(options: KillOptions, env: Io['env']): Promise<string[]> {
  const { experiments } = (await adminGet(options, '/v1/experiments', env)) as {
    experiments: readonly { name: string; status: string }[];
  };
  return experiments.filter(({ status }) => status !== 'killed').map(({ name }) => name);
}

function askTerminal(): Ask {
  if (process.stdin.isTTY !== true) return null;
  return async (question) => {
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return /^y(es)?$/i.test((await terminal.question(question)).trim());
    } finally {
      terminal.close();
    }
  };
}
