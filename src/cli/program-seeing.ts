/** The commands that look ahead, and back, with their options: what would a configuration do, and what did one? */
import { type Command, Option } from 'commander';
import type { Io } from './io.ts';
import { toCount } from './option-values.ts';
import type { PlanCommandOptions } from './plan.ts';
import type { ReplayOptions } from './replay.ts';
import type { SimulateOptions } from './simulate.ts';

const UNITS = 100_000;

const outputOption = (): Option =>
  new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text');

/** @param token The option that other commands have too. */
export function addSeeing(
  program: Command,
  io: Io,
  done: (exitCode: number) => void,
  token: () => Option,
): void {
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
  program
    .command('plan')
    .description('what a configuration would change before it is loaded; exit 1 when anything')
    .argument('<file>', 'the new configuration file')
    .option('--against <file>', 'the file that is in effect')
    .option('--admin <url>', 'the sidecar that is running; the default, at its default address')
    .addOption(token())
    .option('--sample <file>', 'NDJSON of the access log, of exposures or of {"unit_id": "..."}; - is stdin')
    .option('--units <count>', 'how many units stand for all where shares do not say it', toCount, UNITS)
    .addOption(outputOption())
    .action(async (file: string, options: Omit<PlanCommandOptions, 'file'>) => {
      const { planCommand } = await import('./plan.ts');
      done(await planCommand({ file, ...options }, io));
    });
  program
    .command('replay')
    .description('decide the decisions of a decision log again; exit 1 when one comes out differently')
    .argument('<file>', 'the decision log')
    .option('--configs <folder>', 'where the rules are kept; FILE.configs unless given')
    .addOption(outputOption())
    .action(async (file: string, options: Omit<ReplayOptions, 'file'>) => {
      const { replayCommand } = await import('./replay.ts');
      done(await replayCommand({ file, ...options }, io));
    });
}
