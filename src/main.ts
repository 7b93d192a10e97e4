/**
 * Process entry: argv to a command, the command's answer to an exit code. `bin/fairlead.js` calls `start`.
 * Never decides anything about a request; nothing imports this file but the shim and tests.
 */
import { CliError, Exit, type Io, processIo } from './cli/io.ts';
import { runProgram } from './cli/program.ts';

/** Runs one command line (without node and script) and answers its exit code; never throws. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await runProgram(argv, io);
  } catch (error) {
    if (error instanceof CliError) {
      io.err(`fairlead: ${error.message}\n`);
      return error.exitCode;
    }
    io.err(`fairlead: this is a bug: ${error instanceof Error ? error.stack : String(error)}\n`);
    return Exit.internal;
  }
}

/** Runs the command line of this process and sets its exit code. */
export async function start(): Promise<void> {
  // `fairlead get experiments | head -1` closes the pipe early, which is no failure of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(Exit.ok);
    throw error;
  });
  process.exitCode = await main(process.argv.slice(2), processIo());
}

if (import.meta.main) await start();
