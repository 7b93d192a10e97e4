/** `fairlead power` with its options. */
import { type Command, Option } from 'commander';
import { TUNED_FOR } from '../analysis/sequence.ts';
import type { Io } from './io.ts';
import { toCount } from './option-values.ts';
import type { PowerOptions } from './power-input.ts';

export function addPower(program: Command, io: Io, done: (exitCode: number) => void): void {
  program
    .command('power')
    .description('how many observations an experiment needs, and how long that takes, before it starts')
    .addOption(
      new Option('--metric <kind>', 'what is compared')
        .choices(['proportion', 'mean', 'ratio', 'quantile'])
        .default('proportion'),
    )
    .requiredOption('--baseline <value>', 'what control has: 5%, or 120ms')
    .requiredOption('--mde <difference>', 'the least to find: 0.5pp, 10% of the baseline, or 12')
    .option('--split <shares>', 'control and candidate, in percent', '50/50')
    .option('--alpha <share>', 'false alarms', '5%')
    .option('--power <share>', 'how surely it is found', '80%')
    .option('--one-sided', 'look one way only, as a guardrail does')
    .option('--tuned-for <count>', 'observations at which intervals are narrowest', toCount, TUNED_FOR)
    .option('--sd <value>', 'standard deviation of one value; for a mean, or the mean of a ratio')
    .option('--per-unit <count>', 'requests a unit has; for a ratio')
    .option('--correlation <number>', 'of the requests of one unit, 0 to 1; for a ratio')
    .option('--quantile <share>', 'which; for a quantile', '99%')
    .option('--log-sd <value>', 'standard deviation of the logarithm; for a quantile', '1')
    .option('--rate <count>', 'observations of all variants: 100/s, 20/min, 5000/d')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'))
    .action(async (options: PowerOptions) => {
      const { powerCommand } = await import('./power.ts');
      done(powerCommand(options, io));
    });
}
