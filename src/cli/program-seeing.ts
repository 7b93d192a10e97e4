/** The commands that look ahead, with their options: what would a configuration do? */
import { type Command, Option } from 'commander';
import type { Io } from './io.ts';
import { toCount } from './option-values.ts';
import type { SimulateOptions } from './simulate.ts';

const UNITS = 100_000;

const outputOption = (): Option =>
  new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text');

export function addSeeing(program: Command, io: Io, done: (exitCode: number) => void): void {
  program
    .command('simulate')
    .description('split units that nobody has; exit 1 when a split is not the declared one')
    .requiredOption('-c, --config <file>', 'the configuration file')
    .option('--units <count>', 'how many', toCount, UNITS)
    .option('--experiment <name>', 'only this one')
    .addOption(outputOption())
    .action(async (options: SimulateOptions) => {
      const { simulateCommand } = await import('./simulate.ts');
      done(await simulateCommand(options, io));
    });
}
