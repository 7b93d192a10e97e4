/**
 * `fairlead inject TARGET --abort 503 --for 60s`: a fault made on purpose in a running sidecar, for a game day.
 * `--list` shows those in force, `--end` ends one. A fault always has an end, and goes with a restart.
 */
import { type AdminTarget, adminDelete, adminGet, adminPost } from './admin-client.ts';
import { CliError, Exit, type Io } from './io.ts';

export interface InjectOptions extends AdminTarget {
  /** Null with `list` and `end`. */
  readonly target: string | null;
  readonly delay?: string;
  readonly jitter: string;
  readonly abort?: number;
  readonly reset?: boolean;
  readonly rate: string;
  readonly header?: string;
  readonly for?: string;
  readonly list?: boolean;
  readonly end?: string;
  readonly reason: string;
  readonly output: 'text' | 'json';
}

/** A fault as the admin API shows it. */
interface FaultView {
  readonly id: string | null;
  readonly route: string | null;
  readonly experiment: string | null;
  readonly variant: string | null;
  readonly delay: { readonly duration: string; readonly jitter: string; readonly rate: string } | null;
  readonly abort: { readonly status: number; readonly rate: string } | null;
  readonly reset: { readonly rate: string } | null;
  readonly when: { readonly header: string; readonly value: string | null } | null;
  readonly endsAt: string | null;
  readonly isOver?: boolean;
  readonly reason?: string;
}

/** Makes, lists or ends faults; 0, or 1 when there is none to end. @throws CliError */
export async function injectCommand(options: InjectOptions, io: Io): Promise<number> {
  const { target, list, end } = options;
  const asked = [target !== null, list === true, end !== undefined].filter(Boolean).length;
  if (asked !== 1) throw new CliError(Exit.usage, 'name a target, or use --list or --end');
  if (target !== null) return await inject(options, target, io);
  if (end !== undefined) return await endFaults(options, end, io);
  const faults = await allFaults(options, io.env);
  if (options.output === 'json') io.out(`${JSON.stringify(faults, null, 2)}\n`);
  else if (faults.length === 0) io.err('no fault is in force\n');
  else for (const fault of faults) io.out(`${describe(fault)}\n`);
  return Exit.ok;
}

async function inject(options: InjectOptions, target: string, io: Io): Promise<number> {
  if (options.for === undefined)
    throw new CliError(
      Exit.usage,
      'say when it ends, such as --for 60s: a fault that nobody ends is an outage',
    );
  const answer = await adminPost(options, '/v1/faults', bodyOf(options, target), io.env);
  const fault = answer as FaultView;
  if (options.output === 'json') io.out(`${JSON.stringify(fault, null, 2)}\n`);
  else io.out(`${describe(fault)}\n`);
  io.err(`it ends by itself; \`fairlead inject --end ${fault.id}\` ends it now\n`);
  return Exit.ok;
}

function bodyOf(options: InjectOptions, target: string): object {
  const { delay, jitter, abort, reset, rate: given, header } = options;
  const rate = given.endsWith('%') ? given : `${given}%`;
  const equals = header?.indexOf('=') ?? -1;
  return {
    target,
    for: options.for,
    reason: options.reason,
    ...(delay === undefined ? {} : { delay: { duration: delay, jitter, rate } }),
    ...(abort === undefined ? {} : { abort: { status: abort, rate } }),
    ...(reset === true ? { reset: { rate } } : {}),
    ...(header === undefined
      ? {}
      : {
          when:
            equals < 0 ? { header } : { header: header.slice(0, equals), value: header.slice(equals + 1) },
        }),
  };
}

async function endFaults(options: InjectOptions, end: string, io: Io): Promise<number> {
  const ids = end === 'all' ? (await allFaults(options, io.env)).flatMap(({ id }) => id ?? []) : [end];
  for (const id of ids) {
    await adminDelete(options, `/v1/faults/${encodeURIComponent(id)}`, { reason: options.reason }, io.env);
    io.err(`ended ${id}\n`);
  }
  if (ids.length === 0) io.err('no fault of the admin API is in force\n');
  return Exit.ok;
}

async function allFaults(options: InjectOptions, env: Io['env']): Promise<readonly FaultView[]> {
  return ((await adminGet(options, '/v1/faults', env)) as { faults: readonly FaultView[] }).faults;
}

/** `f1  api/ranking/candidate  abort 503 (100%)  until 2026-11-21T20:00:00.000Z  (game day)`. */
function describe(fault: FaultView): string {
  const { id, route, experiment, variant, delay, abort, reset, when, endsAt, isOver, reason } = fault;
  const name = [route, experiment, variant].filter((part) => part !== null).join('/');
  const kinds: string[] = [];
  if (delay !== null) {
    const jitter = delay.jitter === '0s' ? '' : ` +-${delay.jitter}`;
    kinds.push(`delay ${delay.duration}${jitter} (${delay.rate})`);
  }
  if (abort !== null) kinds.push(`abort ${abort.status} (${abort.rate})`);
  if (reset !== null) kinds.push(`reset (${reset.rate})`);
  if (when !== null) kinds.push(`when ${when.header}${when.value === null ? '' : `=${when.value}`}`);
  const end = endsAt === null ? 'without end' : isOver === true ? 'is over' : `until ${endsAt}`;
  const why = reason === undefined ? '' : `  (${reason})`;
  return `${id ?? 'config'}  ${name}  ${kinds.join(', ')}  ${end}${why}`;
}
