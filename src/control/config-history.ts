/**
 * The last changes of the rules, by the file or while running: which version, by whom and why, and what is different, in
 * sentences. In memory; the audit trail is what is kept for good.
 */
import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/schema.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { changeSentences, type PlainRules, plain } from './changes.ts';
import { type ChangedBy, FILE_ACTOR } from './events.ts';
import { Latest } from './latest.ts';
import type { ControlState } from './state.ts';

const CHANGES_MAX = 50;
/** A file may change a thousand experiments at once. */
const SENTENCES_MAX = 50;

export interface ConfigChange {
  readonly version: number;
  /** Of the declared configuration. */
  readonly hash: string;
  /** ISO 8601. */
  readonly at: string;
  /** `file`, or who used the admin API. */
  readonly by: string;
  readonly reason: string;
  /** What is different from the version before. */
  readonly changes: readonly string[];
}

/** What made the file be read. */
const REASONS: Readonly<Record<string, string>> = {
  start: 'started',
  file: 'the file was changed',
  signal: 'SIGHUP',
  admin: 'asked for by the admin API',
};

export class ConfigHistory {
  readonly #control: Pick<ControlState, 'snapshot' | 'rules' | 'subscribe'>;
  readonly #clock: Pick<Clock, 'wallMs'>;
  readonly #changes = new Latest<ConfigChange>(CHANGES_MAX);
  /** What the rules were read as, and as it is compared. */
  #config: Config;
  #before: PlainRules;

  /** Begins with the rules in effect, which are those of the start. */
  constructor(control: Pick<ControlState, 'snapshot' | 'rules' | 'subscribe'>, clock: Pick<Clock, 'wallMs'>) {
    this.#control = control;
    this.#clock = clock;
    this.#config = control.rules.config;
    this.#before = { declared: plain(this.#config), snapshot: control.snapshot };
    this.#add(control.snapshot, { actor: FILE_ACTOR, reason: 'start' }, []);
    control.subscribe((next, _, by) => this.#changed(next, by));
  }

  /** The newest first. */
  list(): ConfigChange[] {
    return this.#changes.list();
  }

  /** Told of each change from now on; must not throw. Returns how to stop. */
  subscribe(listener: (change: ConfigChange) => void): () => void {
    return this.#changes.subscribe(listener);
  }

  #changed(snapshot: Snapshot, by: ChangedBy): void {
    const { config } = this.#control.rules;
    // Most changes are of the run-time state alone.
    const isRead = config !== this.#config;
    const after = { declared: isRead ? plain(config) : this.#before.declared, snapshot };
    const changes = changeSentences(this.#before, after);
    this.#config = config;
    this.#before = after;
    this.#add(snapshot, by, changes);
  }

  #add({ version, hash }: Snapshot, { actor, reason }: ChangedBy, all: readonly string[]): void {
    const isFile = actor === FILE_ACTOR;
    const changes = all.slice(0, SENTENCES_MAX);
    if (all.length > changes.length) changes.push(`and ${all.length - changes.length} more`);
    this.#changes.add({
      version,
      hash,
      at: new Date(this.#clock.wallMs()).toISOString(),
      by: isFile ? 'file' : actor,
      reason: isFile ? (REASONS[reason] ?? reason) : reason,
      changes,
    });
  }
}
