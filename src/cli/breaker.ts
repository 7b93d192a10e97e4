/**
 * `fairlead breaker trip|force|reset NAME`: what a person decides in place of a breaker. A force always has an end,
 * and goes with a restart.
 */
import { type AdminTarget, adminPost } from './admin-client.ts';
import { Exit, type Io } from './io.ts';

export type ForceState = 'open' | 'closed' | 'observe';

export interface BreakerOptions extends AdminTarget {
  readonly verb: 'trip' | 'force' | 'reset';
  readonly name: string;
  /** With `force`. */
  readonly state?: ForceState;
  /** With all but `reset`. */
  readonly for?: string;
  readonly reason: string;
}

const SAID: Readonly<Record<ForceState, string>> = {
  open: 'turns everything away',
  closed: 'lets everything through',
  observe: 'only observes',
};

/** Asks for it and says on stderr what is so now; 0. @throws CliError */
export async function breakerCommand(options: BreakerOptions, io: Io): Promise<number> {
  const { verb, name, state = 'open', reason } = options;
  const body = {
    ...(verb === 'force' ? { state } : {}),
    ...(options.for === undefined ? {} : { for: options.for }),
    reason,
  };
  const path = name.split('/').map(encodeURIComponent).join('/');
  await adminPost(options, `/v1/breakers/${path}:${verb}`, body, io.env);
  if (verb === 'reset') io.err(`${name} is closed, and begins to count anew\n`);
  else
    io.err(`${name} ${SAID[state]} for ${options.for}; \`fairlead breaker reset ${name}\` ends it before\n`);
  return Exit.ok;
}
