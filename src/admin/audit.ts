/**
 * What was changed through this process, by whom and why: one line in the service log each, and the last
 * thousand in memory for `GET /v1/audit`. Changes that were refused are
 * on record as well. Never holds a token or a secret.
 */
import type { Clock } from '../base/clock.ts';
import { formatIssue } from '../config/issue.ts';
import type { ControlEvent } from '../control/events.ts';
import type { Log } from '../telemetry/log.ts';

/** Entries kept in memory; the log has the rest. */
const ENTRIES_MAX = 1000;

/** One change, or an attempt at one. */
export interface AuditEntry {
  /** `set-status`, `set-weights`, `clear`, `trip`, `reset`, `reload`, `drop-weights`, ... */
  readonly action: string;
  /** On what: the experiment, the breaker or the file. */
  readonly target: string;
  readonly actor: string;
  readonly reason: string;
  readonly result: 'done' | 'refused';
  readonly before: string;
  readonly after: string;
}

/** As it is kept: numbered from 1, with the time in ISO 8601. */
export interface AuditRecord extends AuditEntry {
  readonly id: number;
  readonly at: string;
}

export class Audit {
  readonly #log: Log;
  readonly #clock: Clock;
  #records: AuditRecord[] = [];
  #nextId = 1;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Puts an entry on record. */
  record(entry: AuditEntry): AuditRecord {
    const record = { id: this.#nextId++, at: new Date(this.#clock.wallMs()).toISOString(), ...entry };
    this.#records.push(record);
    if (this.#records.length > ENTRIES_MAX) this.#records = this.#records.slice(-ENTRIES_MAX);
    const change = entry.before === entry.after ? '' : `: ${entry.before} -> ${entry.after}`;
    const sentence = `${entry.action} ${entry.target} by ${entry.actor} ${entry.result}${change} (${entry.reason})`;
    if (entry.result === 'done') this.#log.info({ audit: record }, sentence);
    else this.#log.warn({ audit: record }, sentence);
    return record;
  }

  /** Takes what the control plane tells: its changes are the audit's, its warnings the log's. Never throws. */
  onControlEvent(event: ControlEvent): void {
    switch (event.kind) {
      case 'audit': {
        const { action, target, actor, reason, before, after } = event;
        this.record({ action, target, actor, reason, result: 'done', before, after });
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

  /** The newest first, at most `limit`. */
  latest(limit: number): AuditRecord[] {
    return limit <= 0 ? [] : this.#records.slice(-limit).reverse();
  }
}
