/** The `fairlead audit` and `fairlead approve` commands with their options. */
import { type Command, Option } from 'commander';
import type { ApproveOptions } from './approve.ts';
import type { AuditShowOptions, AuditVerifyOptions } from './audit.ts';
import type { Io } from './io.ts';
import { toCount } from './option-values.ts';

/** What the commands share with others. */
export interface SharedOptions {
  readonly admin: () => Option;
  readonly token: () => Option;
  readonly reason: () => Option;
}

const output = (): Option =>
  new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text');

export function addAudit(
  program: Command,
  io: Io,
  done: (exitCode: number) => void,
  shared: SharedOptions,
): void {
  const parent = program
    .command('audit')
    .description('what was changed, by whom and why, and whether that is true');
  parent
    .command('verify')
    .description('say where audit files are not what was written; exit 1 when there is such a place')
    .argument('<files...>', 'the audit file and those it was renamed to, in any order')
    .option('--key-file <file>', 'the key that the records are sealed with')
    .option('--head <id:hash>', 'a record that must be there, as `/v1/audit/head` or the log had it')
    .addOption(output())
    .action(async (files: string[], options: Omit<AuditVerifyOptions, 'files'>) => {
      const { auditVerifyCommand } = await import('./audit.ts');
      done(await auditVerifyCommand({ files, ...options }, io));
    });
  parent
    .command('show')
    .description('print audit records, of files or of a running sidecar')
    .argument('[files...]', 'audit files')
    .option('--action <action>', 'only these, such as set-weights')
    .option('--target <text>', 'only with this in their target')
    .option('--actor <text>', 'only with this in their actor')
    .option('--since <time>', 'only from then on, such as 2026-11-21T20:00:00Z')
    .option('--limit <count>', 'the last ones', toCount, 100)
    .addOption(shared.admin())
    .addOption(shared.token())
    .addOption(output())
    .action(async (files: string[], options: Omit<AuditShowOptions, 'files'>) => {
      const { auditShowCommand } = await import('./audit.ts');
      done(await auditShowCommand({ files, ...options }, io));
    });
  program
    .command('approve')
    .description('say yes to a change that somebody else has asked for')
    .argument('[id]', 'as the one who asked was told, or --list')
    .option('--list', 'print what waits')
    .option('--cancel', 'say no instead')
    .addOption(shared.reason())
    .addOption(shared.admin())
    .addOption(shared.token())
    .addOption(output())
    .action(async (id: string | undefined, options: Omit<ApproveOptions, 'id'>) => {
      const { approveCommand } = await import('./approve.ts');
      done(await approveCommand({ id: id ?? null, ...options }, io));
    });
}
