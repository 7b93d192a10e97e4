/** The commands of rollouts with their options. */
import type { Command, Option } from 'commander';
import type { Io } from './io.ts';
import type { RolloutCommandVerb, RolloutOptions } from './rollout.ts';

type Flags = Omit<RolloutOptions, 'verb' | 'name'>;

/** By verb, what `--help` says. */
const COMMANDS: Readonly<Record<RolloutCommandVerb, string>> = {
  'start-rollout': 'give the candidate more step by step, by evidence; after the pre-flight check',
  promote: 'let a rollout go on now: open its gate, or do not wait for the evidence',
  'pause-rollout': 'hold a rollout where it is; a breach still takes it back',
  resume: 'go on with a paused rollout',
  abort: 'end a rollout: everybody gets control',
  undo: 'take back the last move of a rollout; it is paused then',
};

export function addRollout(
  program: Command,
  io: Io,
  done: (exitCode: number) => void,
  shared: readonly Option[],
): void {
  for (const [verb, description] of Object.entries(COMMANDS) as [RolloutCommandVerb, string][]) {
    const command = program.command(verb).description(description).argument('<name>', 'the experiment');
    if (verb === 'start-rollout') command.option('--skip-preflight', 'begin whatever the check would say');
    for (const option of shared) command.addOption(option);
    command.action(async (name: string, flags: Flags) => {
      const { rolloutCommand } = await import('./rollout.ts');
      done(await rolloutCommand({ verb, name, ...flags }, io));
    });
  }
}
