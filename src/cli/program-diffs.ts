/** `fairlead diffs` with its options. */
import { type Command, Option } from 'commander';
import type { DiffsOptions } from './diffs.ts';
import type { Io } from './io.ts';

export function addDiffs(
  program: Command,
  io: Io,
  done: (exitCode: number) => void,
  shared: readonly Option[],
): void {
  const command = program
    .command('diffs')
    .description('where answers of the candidate differ from those of control; exit 1 when they should not')
    .argument('<name>', 'the experiment; it is mirrored')
    .option('--all', 'places that are noise as well')
    .option('--forget', 'begin anew, after a fix for instance')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'));
  for (const option of shared) command.addOption(option);
  command.action(async (name: string, options: Omit<DiffsOptions, 'name'>) => {
    const { diffsCommand } = await import('./diffs.ts');
    done(await diffsCommand({ name, ...options }, io));
  });
}
