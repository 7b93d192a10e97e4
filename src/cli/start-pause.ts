/**
 * `fairlead start NAME` and `fairlead pause NAME`: run a paused or killed experiment again, or assign nobody new.
 */
import { type AdminTarget, adminPost } from './admin-client.ts';
import { Exit, type Io } from './io.ts';

export interface StartPauseOptions extends AdminTarget {
  readonly verb: 'start' | 'pause';
  readonly name: string;
  readonly reason: string;
}

const SAID = {
  start: 'running: units are assigned again, each to the variant it had',
  pause: 'paused: whoever carries no variant gets the fallback',
} as const;

/** Changes the status and says so on stderr; 0. @throws CliError */
export async function startPauseCommand(options: StartPauseOptions, io: Io): Promise<number> {
  const { verb, name, reason } = options;
  await adminPost(options, `/v1/experiments/${encodeURIComponent(name)}:${verb}`, { reason }, io.env);
  io.err(`${name} is ${SAID[verb]}\n`);
  return Exit.ok;
}
