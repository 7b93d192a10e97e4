/** `fairlead results` with its options. */
import { type Command, Option } from 'commander';
import type { Io } from './io.ts';
import type { ResultsOptions } from './results.ts';

export function addResults(
  program: Command,
  io: Io,
  done: (exitCode: number) => void,
  shared: readonly Option[],
): void {
  const command = program
    .command('results')
    .description(
      'is the candidate better, worse, or not known yet; exit 1 for a breach and for invalid numbers',
    )
    .argument('[name]', 'the experiment; all of them, a line each, unless given')
    .addOption(
      new Option('--by <variant>', 'numbers by the variant that was assigned, or that served')
        .choices(['assigned', 'served'])
        .default('assigned'),
    )
    .option('--wide', 'more columns, and the reasons in full')
    .option('--forget', 'begin the analysis of the experiment anew, after a repair for instance')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'));
  for (const option of shared) command.addOption(option);
  command.action(async (name: string | undefined, options: Omit<ResultsOptions, 'name'>) => {
    const { resultsCommand } = await import('./results.ts');
    done(await resultsCommand({ name: name ?? null, ...options }, io));
  });
}
