/**
 * What was changed through this process, by whom and why: one line in the service log each, and a record in the audit
 * trail. Changes that were refused are on record as well. Never holds a token or a secret.
 */
import type { Clock } from '../base/clock.ts';
import { formatIssue } from '../config/issue.ts';
import type { AuditEntry } from '../control/audit-chain.ts';
import {
  type AuditStatus,
  AuditTrail,
  type AuditTrailOptions,
  type KeptRecord,
} from '../control/audit-trail.ts';
import type { ControlEvent } from '../control/events.ts';
import type { Log } from '../telemetry/log.ts';

export type { AuditEntry } from '../control/audit-chain.ts';

/** An answer to a change is not held up for longer by the disk. */
const FLUSH_MS = 1000;

export class Audit {
  readonly #log: Log;
  readonly #trail: AuditTrail;
  readonly #listeners = new Set<(record: AuditEntry) => void>();

  /** @param settings Where records are kept; in memory only unless given. */
  constructor(log: Log, clock: Clock, settings: Pick<AuditTrailOptions, 'file' | 'key'> | null = null) {
    this.#log = log;
    const { file, key } = settings ?? { file: null, key: null };
    this.#trail = new AuditTrail({ file, key, clock, onProblem: (sentence) => log.error({}, sentence) });
  }

  /** Puts an entry on record. The log has it also where the trail has no room for it. */
  record(entry: AuditEntry): void {
    const record = this.#trail.add(entry);
    const { id: head, hash } = this.#trail.status.head;
    // The hash in a log that is kept elsewhere is what shows that records are missing at the end of the file.
    const audit = { ...(record ?? entry), ...(record !== null && record.id === head ? { hash } : {}) };
    const change = entry.before === entry.after ? '' : `: ${entry.before} -> ${entry.after}`;
    const sentence = `${entry.action} ${entry.target} by ${entry.actor} ${entry.result}${change} (${entry.reason})`;
    if (entry.result === 'done') this.#log.info({ audit }, sentence);
    else this.#log.warn({ audit }, sentence);
    for (const listener of this.#listeners) listener(record ?? entry);
  }

  /** Told of each entry from now on, as it is kept; must not throw. Returns how to stop. */
  subscribe(listener: (record: AuditEntry) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes what the control plane tells: its changes are the audit's, its warnings the log's. Never throws. */
  onControlEvent(event: ControlEvent): void {
    switch (event.kind) {
      case 'audit': {
        const { kind: _, at: __, ...entry } = event;
        this.record({ ...entry, result: 'done' });
        return;
      }
      case 'reload-refused': {
        const first = event.issues.find((issue) => issue.severity === 'error');
        const sentence = `reload (${event.cause}) refused, nothing was changed: ${first ? formatIssue(first) : 'not readable'}`;
        this.#log.error({ cause: event.cause, issues: event.issues }, sentence);
        return;
      }
      case 'warning':
        this.#log.warn({}, event.message);
    }
  }

  /** The newest first, those before the record `before`, at most `limit`. Never rejects. */
  page(limit: number, before: number | null = null): Promise<KeptRecord[]> {
    return this.#trail.page({ before, limit });
  }

  get status(): AuditStatus {
    return this.#trail.status;
  }

  /** Resolves when all records are on the disk, or cannot be soon. Never rejects. */
  flush(): Promise<void> {
    return this.#trail.flush(FLUSH_MS);
  }

  close(): Promise<void> {
    return this.#trail.close();
  }
}
