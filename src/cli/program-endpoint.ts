/** The `fairlead endpoint` commands with their options. */
import type { Command, Option } from 'commander';
import type { EndpointOptions } from './endpoint.ts';
import type { Io } from './io.ts';

type Flags = Omit<EndpointOptions, 'verb' | 'upstream' | 'endpoint'>;

export function addEndpoint(
  program: Command,
  io: Io,
  done: (exitCode: number) => void,
  shared: readonly Option[],
): void {
  const parent = program.command('endpoint').description('take an endpoint out, or let it back in');
  const add = (verb: EndpointOptions['verb'], description: string): void => {
    const command = parent
      .command(verb)
      .description(description)
      .argument('<upstream>', 'its upstream')
      .argument('<endpoint>', 'as `fairlead get upstreams` lists it');
    for (const option of shared) command.addOption(option);
    command.action(async (upstream: string, endpoint: string, flags: Flags) => {
      const { endpointCommand } = await import('./endpoint.ts');
      done(await endpointCommand({ verb, upstream, endpoint, ...flags }, io));
    });
  };
  add('drain', 'nothing new goes there, and what is under way is finished');
  add('undrain', 'it gets requests again');
}
