/** The `fairlead inject` command with its options. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { InjectOptions } from './inject.ts';
import type { Io } from './io.ts';

export function addInject(
  program: Command,
  io: Io,
  done: (exitCode: number) => void,
  shared: readonly Option[],
): void {
  const command = program
    .command('inject')
    .description('make an upstream seem to fail for a time, to see what the breakers do')
    .argument('[target]', 'ROUTE, EXPERIMENT/VARIANT or ROUTE/EXPERIMENT/VARIANT')
    .option('--delay <duration>', 'answers are held back, such as 300ms')
    .option('--jitter <duration>', 'more or less by up to this', '0')
    .option('--abort <status>', 'answers are this status, such as 503', toStatus)
    .option('--reset', 'connections are reset')
    .option('--rate <percent>', 'share of the attempts that are hit', '100%')
    .option('--header <name[=value]>', 'only requests with this header')
    .option('--for <duration>', 'how long, at most 24h; must be said')
    .option('--list', 'print the faults in force')
    .option('--end <id>', 'end one before its time; `all` for all')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text'));
  for (const option of shared) command.addOption(option);
  command.action(async (target: string | undefined, options: Omit<InjectOptions, 'target'>) => {
    const { injectCommand } = await import('./inject.ts');
    done(await injectCommand({ target: target ?? null, ...options }, io));
  });
}

function toStatus(text: string): number {
  const status = Number(text);
  if (Number.isInteger(status) && status >= 400 && status <= 599) return status;
  throw new InvalidArgumentError('It must be from 400 to 599.');
}
