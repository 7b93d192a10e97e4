/** The CLI in this process, against an admin API: what it says, and how it ends. */
import type { Io } from '../../src/cli/io.ts';
import { runProgram } from '../../src/cli/program.ts';
import { TOKEN } from './admin.ts';

/** What a command line says on stderr, and its exit code. */
export async function runSaying(argv: readonly string[]): Promise<{ code: number; said: string }> {
  let said = '';
  const io: Io = {
    env: { FAIRLEAD_ADMIN__TOKEN: TOKEN },
    isTerminal: false,
    out: () => {},
    err: (text) => {
      said += text;
    },
  };
  const code = await runProgram([...argv], io).catch((error: Error & { exitCode: number }) => {
    said += error.message;
    return error.exitCode;
  });
  return { code, said };
}
