/** The commands that watch a running sidecar, with their options. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Io } from './io.ts';
import { toCount } from './option-values.ts';
import type { StatOptions } from './stat.ts';
import type { StatusOptions } from './status.ts';
import type { TapOptions } from './tap.ts';
import type { TopOptions } from './top.ts';

/** The most that the admin API gives out. */
const RATE_MAX = 100;

export function addLive(
  program: Command,
  io: Io,
  done: (exitCode: number) => void,
  shared: { readonly admin: () => Option; readonly token: () => Option },
): void {
  const output = (initial: 'text' | 'table'): Option =>
    new Option('-o, --output <format>', 'how to print').choices([initial, 'json']).default(initial);
  const add = (name: string, description: string): Command =>
    program.command(name).description(description).addOption(shared.admin()).addOption(shared.token());
  add('stat', 'the traffic of each variant and route at this moment')
    .addOption(output('table'))
    .action(async (options: StatOptions) => {
      const { statCommand } = await import('./stat.ts');
      done(await statCommand(options, io));
    });
  add('top', 'experiments with traffic, breakers, rollouts and verdicts, drawn again and again')
    .option('-i, --interval <seconds>', 'between two readings', toCount, 2)
    .option('-n, --count <readings>', 'end after so many', toCount)
    .action(async (options: TopOptions) => {
      const { topCommand } = await import('./top.ts');
      done(await topCommand(options, io));
    });
  add('tap', 'a sample of the requests, a line each')
    .option('--experiment <name>', 'only of this experiment')
    .option('--variant <name>', 'only served by this variant')
    .option('--route <name>', 'only of this route')
    .addOption(new Option('--outcome <outcome>', 'only these').choices(['ok', 'failure', 'slow', 'ignored']))
    .option('--status <status>', 'only with this status: 503, or 5xx')
    .option('--rate <count>', `at most so many a second, up to ${RATE_MAX}`, toRate, 10)
    .option('-n, --count <requests>', 'end after so many', toCount)
    .addOption(output('text'))
    .action(async (options: TapOptions) => {
      const { tapCommand } = await import('./tap.ts');
      done(await tapCommand(options, io));
    });
  add('status', 'where experiments and their rollouts stand, in sentences')
    .argument('[name]', 'the experiment; all unless given')
    .option('-w, --watch', 'follow its rollout until it is over; exit 0 promoted, 1 rolled back')
    .addOption(output('text'))
    .action(async (name: string | undefined, options: Omit<StatusOptions, 'name'>) => {
      const { statusCommand } = await import('./status.ts');
      done(await statusCommand({ name: name ?? null, ...options }, io));
    });
}

function toRate(text: string): number {
  const rate = toCount(text);
  if (rate > RATE_MAX) throw new InvalidArgumentError(`It must be at most ${RATE_MAX}.`);
  return rate;
}
