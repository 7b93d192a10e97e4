/**
 * `fairlead approve ID`: says yes to a change that somebody else has asked for on a protected route. Shows what it is
 * first, and approves that and nothing else. `--list` shows all that wait, `--cancel` ends one.
 */
import { type AdminTarget, adminGet, adminPost } from './admin-client.ts';
import { CliError, Exit, type Io } from './io.ts';

export interface ApproveOptions extends AdminTarget {
  /** Null with `list`. */
  readonly id: string | null;
  readonly list?: boolean;
  readonly cancel?: boolean;
  readonly reason: string;
  readonly output: 'text' | 'json';
}

interface ApprovalView {
  readonly id: string;
  readonly action: string;
  readonly target: string;
  readonly reason: string;
  readonly before: string;
  readonly after: string;
  readonly digest: string;
  readonly askedBy: string;
  readonly expiresAt: string;
}

/** 0; what is approved is on stderr, what is listed on stdout. @throws CliError */
export async function approveCommand(options: ApproveOptions, io: Io): Promise<number> {
  const { id, list, cancel, reason } = options;
  if ((id === null) === (list !== true)) throw new CliError(Exit.usage, 'name one that waits, or use --list');
  if (id === null) return await listAll(options, io);
  const path = `/v1/approvals/${encodeURIComponent(id)}`;
  if (cancel === true) {
    await adminPost(options, `${path}:cancel`, { reason }, io.env);
    io.err(`nothing comes of ${id}\n`);
    return Exit.ok;
  }
  const approval = (await adminGet(options, path, io.env)) as ApprovalView;
  io.err(`${describe(approval)}\n`);
  await adminPost(options, `${path}:approve`, { digest: approval.digest, reason }, io.env);
  io.err(`approved ${id}: it is done\n`);
  return Exit.ok;
}

async function listAll(options: ApproveOptions, io: Io): Promise<number> {
  const { approvals } = (await adminGet(options, '/v1/approvals', io.env)) as {
    approvals: readonly ApprovalView[];
  };
  if (options.output === 'json') io.out(`${JSON.stringify(approvals, null, 2)}\n`);
  else if (approvals.length === 0) io.err('nothing waits for approval\n');
  else for (const approval of approvals) io.out(`${describe(approval)}\n`);
  return Exit.ok;
}

/** `a1  set-weights ranking: control 90%, ... -> ...  by operator:alice  until 2026-11-21T20:00:00.000Z  (why)`. */
function describe({ id, action, target, before, after, askedBy, expiresAt, reason }: ApprovalView): string {
  return `${id}  ${action} ${target}: ${before} -> ${after}  by ${askedBy}  until ${expiresAt}  (${reason})`;
}
