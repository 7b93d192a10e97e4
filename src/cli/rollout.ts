/** `fairlead start-rollout|promote|pause-rollout|resume|abort|undo NAME`: what a rollout is told. */
import { type AdminTarget, adminPost } from './admin-client.ts';
import { Exit, type Io } from './io.ts';

export type RolloutCommandVerb = 'start-rollout' | 'promote' | 'pause-rollout' | 'resume' | 'abort' | 'undo';

export interface RolloutOptions extends AdminTarget {
  readonly verb: RolloutCommandVerb;
  readonly name: string;
  readonly reason: string;
  /** With `start-rollout`. */
  readonly skipPreflight?: boolean;
}

/** Asks for it and says on stderr what is so now; 0. @throws CliError */
export async function rolloutCommand(options: RolloutOptions, io: Io): Promise<number> {
  const { verb, name, reason, skipPreflight } = options;
  const body = { reason, ...(skipPreflight === true ? { skipPreflight } : {}) };
  const answer = await adminPost(
    options,
    `/v1/experiments/${encodeURIComponent(name)}:${verb}`,
    body,
    io.env,
  );
  const { phase, share, approval } = (answer ?? {}) as Readonly<Record<string, unknown>>;
  if (approval === undefined) io.err(`${name}: ${phase}, the candidate has ${share}\n`);
  else io.err(`${name}: ${verb} waits for a second person: ${String((approval as { id?: unknown }).id)}\n`);
  return Exit.ok;
}
