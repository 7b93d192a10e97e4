/**
 * `fairlead get experiments|layers|breakers|upstreams|rollouts`: what a running sidecar says of itself, as a table for people or
 * as JSON or YAML for tools. Only reads.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { type AdminTarget, adminGet } from './admin-client.ts';
import { type GetWhat, tableOf } from './get-table.ts';
import { Exit, type Io } from './io.ts';

export interface GetOptions extends AdminTarget {
  readonly what: GetWhat;
  readonly output: 'table' | 'wide' | 'json' | 'yaml';
  /** Print again every second, until the signal or Ctrl-C. */
  readonly watch?: boolean;
}

/** What a test changes about watching. */
export interface WatchOptions {
  readonly everyMs?: number;
  readonly signal?: AbortSignal;
}

const WATCH_MS = 1000;
/** To the upper left corner, and clear from there. */
const CLEAR = '\u001b[H\u001b[J';

/** Prints once, or again and again; 0 when it was answered. @throws CliError (5) when nobody answers */
export async function getCommand(options: GetOptions, io: Io, watch: WatchOptions = {}): Promise<number> {
  const { what, output } = options;
  do {
    const answer = await adminGet(options, `/v1/${what}`, io.env);
    const items = itemsOf(answer, what);
    const isRedrawn = options.watch === true && io.isTerminal && (output === 'table' || output === 'wide');
    io.out(`${isRedrawn ? CLEAR : ''}${format(what, items, output)}${noteOf(answer, output)}`);
    if (options.watch !== true) return Exit.ok;
    await delay(watch.everyMs ?? WATCH_MS, undefined, watch.signal ? { signal: watch.signal } : {}).catch(
      () => {},
    );
  } while (watch.signal?.aborted !== true);
  return Exit.ok;
}

/** A newer sidecar may have more members; the list is all that is relied upon. */
function itemsOf(answer: unknown, what: GetWhat): readonly Record<string, unknown>[] {
  const list = (answer as Record<string, unknown>)[what];
  return Array.isArray(list) ? list : [];
}

/** A holdout of everything belongs to no layer. */
function noteOf(answer: unknown, output: GetOptions['output']): string {
  const { holdout } = answer as { holdout?: { share?: unknown } | null };
  if (holdout == null || (output !== 'table' && output !== 'wide')) return '';
  return `${String(holdout.share)} of all units are held out of every experiment\n`;
}

function format(
  what: GetWhat,
  items: readonly Record<string, unknown>[],
  output: GetOptions['output'],
): string {
  if (output === 'json') return `${JSON.stringify(items, null, 2)}\n`;
  if (output === 'yaml') return stringify(items);
  return tableOf(what, items, output === 'wide');
}
