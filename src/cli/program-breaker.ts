/** The `fairlead breaker` commands with their options. */
import { Argument, type Command, Option } from 'commander';
import type { BreakerOptions, ForceState } from './breaker.ts';
import type { Io } from './io.ts';

type Flags = Omit<BreakerOptions, 'verb' | 'name' | 'state'>;

const NAME = 'ROUTE/EXPERIMENT/VARIANT, as `fairlead get breakers` lists it';

export function addBreaker(
  program: Command,
  io: Io,
  done: (exitCode: number) => void,
  shared: readonly Option[],
): void {
  const breaker = program.command('breaker').description('force a breaker for a time, or reset it');
  const forOption = () => new Option('--for <duration>', 'how long, at most 24h').makeOptionMandatory();
  const add = (command: Command): Command => {
    for (const option of shared) command.addOption(option);
    return command;
  };
  const run = async (options: BreakerOptions): Promise<void> => {
    const { breakerCommand } = await import('./breaker.ts');
    done(await breakerCommand(options, io));
  };
  add(breaker.command('trip'))
    .description('turn everything away for a time, then recover by probes; the same as force open')
    .argument('<name>', NAME)
    .addOption(forOption())
    .action((name: string, flags: Flags) => run({ verb: 'trip', name, ...flags }));
  add(breaker.command('force'))
    .description('whatever the calls say: turn everything away, let everything through, or observe only')
    .argument('<name>', NAME)
    .addArgument(new Argument('<state>', 'what it does').choices(['open', 'closed', 'observe']))
    .addOption(forOption())
    .action((name: string, state: ForceState, flags: Flags) => run({ verb: 'force', name, state, ...flags }));
  add(breaker.command('reset'))
    .description('close it, and forget what was counted and forced')
    .argument('<name>', NAME)
    .action((name: string, flags: Flags) => run({ verb: 'reset', name, ...flags }));
}
