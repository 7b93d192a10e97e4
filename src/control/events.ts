/**
 * What the control plane tells the log and the audit trail. Each event is one sentence with what went before and
 * after; nothing here holds a secret.
 */
import type { ConfigIssue } from '../config/issue.ts';

export type ReloadCause = 'start' | 'file' | 'signal' | 'admin';

/** Who changes what was changed in the file. */
export const FILE_ACTOR = 'config file';

/** Whose change of the rules it is. */
export interface ChangedBy {
  /** `FILE_ACTOR`, or who used the admin API. */
  readonly actor: string;
  /** Of the file, what made it be read: a `ReloadCause`. */
  readonly reason: string;
}

export type ControlEvent =
  /** A change that a person or the file made; goes into the audit trail. */
  | {
      readonly kind: 'audit';
      /** ISO 8601. */
      readonly at: string;
      /** `config file`, or who used the admin API. */
      readonly actor: string;
      /** `reload`, `set-status`, `set-weights`, `clear`, `drop-weights`. */
      readonly action: string;
      /** The experiment or the config file. */
      readonly target: string;
      readonly reason: string;
      readonly before: string;
      readonly after: string;
      /** What a machine decided by: its numbers, limits and samples. */
      readonly inputs?: Readonly<Record<string, unknown>>;
    }
  /** A reload that changed nothing, because the configuration is not valid or not readable. */
  | {
      readonly kind: 'reload-refused';
      readonly at: string;
      readonly cause: ReloadCause;
      readonly issues: readonly ConfigIssue[];
    }
  /** Something to look at that stops nothing: a state file that was set aside, a setting that needs a restart. */
  | { readonly kind: 'warning'; readonly at: string; readonly message: string };
