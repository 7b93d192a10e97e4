/** The `fairlead override` commands with their options. */
import { type Command, Option } from 'commander';
import { systemClock } from '../base/clock.ts';
import type { Io } from './io.ts';
import type { InspectOptions } from './override-inspect.ts';
import type { MintOptions } from './override-mint.ts';

const collect = (value: string, previous: string[] = []): string[] => [...previous, value];
const outputOption = (): Option =>
  new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text');

export function addOverride(program: Command, io: Io, done: (exitCode: number) => void): void {
  const override = program.command('override').description('signed overrides for testers');
  withKeys(override.command('mint'))
    .description('print a signed override; only the token goes to stdout')
    .requiredOption('--experiment <name=variant>', 'what to force; may be repeated', collect)
    .option('--unit <id>', 'only for this unit, such as a user id')
    .option('--ttl <duration>', 'how long it holds', '1h')
    .option('--service <name>', 'only for this service')
    .addOption(outputOption())
    .action(async (options: MintOptions) => {
      const { mintCommand } = await import('./override-mint.ts');
      done(await mintCommand(options, io, systemClock.wallMs()));
    });
  withKeys(override.command('inspect'))
    .description('what a token holds, and why it would be refused')
    .argument('<token>', 'the token')
    .option('--unit <id>', 'of the request that would bring it')
    .option('--service <name>', 'that would get it')
    .addOption(outputOption())
    .action(async (token: string, options: Omit<InspectOptions, 'token'>) => {
      const { inspectCommand } = await import('./override-inspect.ts');
      done(await inspectCommand({ token, ...options }, io, systemClock.wallMs()));
    });
}

function withKeys(command: Command): Command {
  return command
    .option('-c, --config <file>', 'the configuration with the keys')
    .option('--key-file <file>', 'a secret, or an Ed25519 key as PEM')
    .option('--key-id <id>', 'of the key in the file; with --config: the one to use');
}
