/**
 * The single writer of the rules. Everything that changes them (file reload, signal, admin API) comes through here:
 * it is validated, compiled, versioned and swapped in one step, and whoever subscribed is told. What is not valid
 * changes nothing.
 *
 * Invariants: `snapshot` is always a valid, frozen Snapshot; versions only grow; reloads run one after the other;
 * a change takes effect before it is written to the state file, and a file that cannot be written undoes nothing.
 */
import type { Clock } from '../base/clock.ts';
import { type ArchivedRules, archiveRules } from '../config/archived-rules.ts';
import { compile } from '../config/compile.ts';
import { compileDecisions } from '../config/compile-decisions.ts';
import { redact } from '../config/hash.ts';
import { type ConfigIssue, formatIssue } from '../config/issue.ts';
import type { RuntimeState } from '../config/runtime.ts';
import type { Config } from '../config/schema.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { restartNeeded, sameConfig, summary } from './comparison.ts';
import { ConfigArchive } from './config-archive.ts';
import { type ChangedBy, type ControlEvent, FILE_ACTOR, type ReloadCause } from './events.ts';
import type { SavedRollouts } from './rollout-file.ts';
import {
  applyChange,
  type Change,
  markSeen,
  overtakenWeights,
  type Refusal,
  rememberSlots,
  withoutWeights,
} from './runtime-changes.ts';
import { type ConfigSource, type LoadedConfig, loadConfig } from './source.ts';
import { breakerLine, loadState, NOTHING_STORED, type SavedBreakers, type Stored } from './state-file.ts';
import { StateWriter } from './state-writer.ts';

export type { Change } from './runtime-changes.ts';

export interface ControlOptions extends ConfigSource {
  readonly clock: Clock;
  /** Told of everything worth a log line or an audit record. Must not throw. */
  readonly onEvent: (event: ControlEvent) => void;
}

export interface ReloadResult {
  readonly ok: boolean;
  /** Whether another Snapshot is in effect now. */
  readonly changed: boolean;
  readonly cause: ReloadCause;
  /** Wall time. */
  readonly atMs: number;
  /** Errors when not ok; warnings otherwise. */
  readonly issues: readonly ConfigIssue[];
  /** Parts of the config that differ and take effect only after a restart. */
  readonly restartNeeded: readonly string[];
}

export type ChangeResult =
  | { readonly ok: true; readonly version: number; readonly before: string; readonly after: string }
  | Refusal;

/** Declared, run-time and effective side by side, for `GET /v1/config`. No secrets. */
export interface ConfigView {
  readonly version: number;
  readonly hash: string;
  readonly file: string;
  readonly declared: Config;
  readonly runtime: RuntimeView;
  /** When this was looked at: wall time. */
  readonly wallMs: number;
  readonly lastReload: ReloadResult;
}

export type RuntimeView = Readonly<
  Record<string, { readonly status: unknown; readonly weights: unknown; readonly isDeclared: boolean }>
>;

export type Listener = (next: Snapshot, previous: Snapshot | null, by: ChangedBy) => void;

/** The configuration at start is not valid: there is nothing to run on. */
export class ConfigInvalidError extends Error {
  override readonly name = 'ConfigInvalidError';
  readonly issues: readonly ConfigIssue[];

  constructor(issues: readonly ConfigIssue[]) {
    super(
      issues
        .filter((issue) => issue.severity === 'error')
        .map(formatIssue)
        .join('\n'),
    );
    this.issues = issues;
  }
}

/** So many warnings of one configuration are logged one by one. */
const WARNINGS_MAX = 20;

interface Active {
  readonly config: Config;
  readonly runtime: RuntimeState;
  readonly snapshot: Snapshot;
  /** What is kept for the decision log; null: there is none. */
  readonly archived: ArchivedRules | null;
}

export class ControlState {
  readonly #options: ControlOptions;
  readonly #listeners = new Set<Listener>();
  readonly #writer: StateWriter;
  /** What was known of breakers at the start. */
  readonly savedBreakers: SavedBreakers;
  /** Where rollouts stood then. */
  readonly savedRollouts: SavedRollouts;
  /** Of the start, as the decision log is. */
  readonly #archive: ConfigArchive | null;
  #active: Active;
  #files: readonly string[];
  #lastReload: ReloadResult;
  #reloading: Promise<unknown> = Promise.resolve();

  private constructor(
    options: ControlOptions,
    loaded: LoadedConfig & { config: Config },
    { state: runtime, breakers, rollouts }: Stored,
  ) {
    this.#options = options;
    this.#files = loaded.files;
    this.#writer = new StateWriter(loaded.config.stateFile ?? null, (message) => this.#warn(message));
    this.#archive = archiveOf(loaded.config, (message) => this.#warn(message));
    this.savedBreakers = breakers;
    this.savedRollouts = rollouts;
    this.#writer.writeRollouts(rollouts);
    this.#writer.writeBreakers(Array.from(breakers, ([name, saved]) => breakerLine(name, saved)));
    this.#active = this.#activate(loaded.config, this.#withoutOvertaken(loaded.config, runtime), 1);
    this.#lastReload = this.#result('start', true, true, loaded.issues, []);
    this.#writer.write(this.#active.runtime);
    if (this.#active.archived !== null) this.#archive?.add(this.#active.archived);
  }

  /** @throws ConfigInvalidError */
  static async open(options: ControlOptions): Promise<ControlState> {
    const loaded = await loadConfig(options);
    if (loaded.config === null) throw new ConfigInvalidError(loaded.issues);
    const { stateFile } = loaded.config;
    const { problem, ...stored } =
      stateFile === undefined
        ? { ...NOTHING_STORED, problem: null }
        : await loadState(stateFile, options.clock.wallMs());
    const control = new ControlState(options, { ...loaded, config: loaded.config }, stored);
    if (problem !== null) control.#warn(problem);
    control.#warnOf(loaded.issues);
    return control;
  }

  /** The rules in effect. */
  get snapshot(): Snapshot {
    return this.#active.snapshot;
  }

  /** What that was compiled from, secrets included. */
  get rules(): {
    readonly config: Config;
    readonly runtime: RuntimeState;
    readonly version: number;
    readonly id: string;
    readonly hash: string;
  } {
    const { config, runtime, snapshot } = this.#active;
    return { config, runtime, version: snapshot.version, id: snapshot.rules, hash: snapshot.hash };
  }

  /** What was changed while running, and the slots as they are dealt out. No secrets. */
  get runtime(): RuntimeState {
    return this.#active.runtime;
  }

  get lastReload(): ReloadResult {
    return this.#lastReload;
  }

  /** Every file that the configuration was read from. */
  get files(): readonly string[] {
    return this.#files;
  }

  /** Told of every Snapshot that goes into effect from now on, at once and in order. Returns how to stop. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads the configuration again. Reloads asked for while one is under way run after it. */
  reload(cause: ReloadCause): Promise<ReloadResult> {
    const next = this.#reloading.then(() => this.#reload(cause));
    this.#reloading = next.catch(() => undefined);
    return next;
  }

  /** Takes effect before it returns; see `flush` for when it is on disk. */
  change(change: Change, actor: string): ChangeResult {
    const at = this.#at();
    const result = applyChange(change, { actor, at }, this.#active);
    if (!result.ok) return result;
    const previous = this.#active.snapshot;
    const reason = change.reason.trim();
    this.#swap(this.#activate(this.#active.config, result.runtime, this.snapshot.version + 1), {
      actor,
      reason,
    });
    const { before, after } = inWords(change, previous, this.snapshot);
    this.#emit({
      kind: 'audit',
      at,
      actor,
      action: change.kind,
      target: change.experiment,
      reason,
      before,
      after,
    });
    return { ok: true, version: this.snapshot.version, before, after };
  }

  /** What `change` would answer; nothing is changed. */
  preview(change: Change): ChangeResult {
    const { config, snapshot } = this.#active;
    const result = applyChange(change, { actor: '', at: this.#at() }, this.#active);
    if (!result.ok) return result;
    const next = activate(config, result.runtime, snapshot.version, this.#at()).snapshot;
    return { ok: true, version: snapshot.version, ...inWords(change, snapshot, next) };
  }

  /** Goes into the state file, with what else is there. */
  keepBreakers(lines: readonly string[]): void {
    this.#writer.writeBreakers(lines);
  }

  /** Where rollouts stand goes into the state file, with what else is there: a copy is taken. */
  keepRollouts(rollouts: SavedRollouts): void {
    this.#writer.writeRollouts(new Map(rollouts));
  }

  view(): ConfigView {
    const { config, runtime, snapshot } = this.#active;
    const changed = [...runtime.experiments].filter(
      ([, experiment]) => experiment.status !== null || experiment.weights !== null,
    );
    return {
      version: snapshot.version,
      hash: snapshot.hash,
      file: this.#options.file,
      declared: redact(config),
      runtime: Object.fromEntries(
        changed.map(([name, { status, weights }]) => [
          name,
          { status, weights, isDeclared: Object.hasOwn(config.experiments, name) },
        ]),
      ),
      wallMs: this.#options.clock.wallMs(),
      lastReload: this.#lastReload,
    };
  }

  /** Resolves when every change up to now is in the state file, or has been reported as not writable. */
  async flush(): Promise<void> {
    await this.#writer.flush();
    await this.#archive?.flush();
  }

  #activate(config: Config, known: RuntimeState, version: number): Active {
    const active = activate(config, known, version, this.#at());
    if (this.#archive === null) return active;
    const archived = archiveRules(config, active.runtime);
    return { ...active, archived, snapshot: Object.freeze({ ...active.snapshot, rules: archived.id }) };
  }

  async #reload(cause: ReloadCause): Promise<ReloadResult> {
    const loaded = await loadConfig(this.#options);
    this.#files = loaded.files.length > 1 || loaded.config !== null ? loaded.files : this.#files;
    if (loaded.config === null) {
      this.#emit({ kind: 'reload-refused', at: this.#at(), cause, issues: loaded.issues });
      this.#lastReload = this.#result(cause, false, false, loaded.issues, []);
      return this.#lastReload;
    }
    const { config } = loaded;
    const isChanged = !sameConfig(config, this.#active.config);
    const restart = restartNeeded(this.#active.config, config);
    if (isChanged) {
      this.#adopt(config, cause, restart);
      this.#warnOf(loaded.issues);
    }
    this.#lastReload = this.#result(cause, true, isChanged, loaded.issues, restart);
    return this.#lastReload;
  }

  #adopt(config: Config, cause: ReloadCause, restart: readonly string[]): void {
    const before = this.snapshot;
    const runtime = this.#withoutOvertaken(config, this.#active.runtime);
    this.#swap(this.#activate(config, runtime, before.version + 1), { actor: FILE_ACTOR, reason: cause });
    this.#emit({
      kind: 'audit',
      at: this.#at(),
      actor: FILE_ACTOR,
      action: 'reload',
      target: this.#options.file,
      reason: cause,
      before: `version ${before.version} (${before.hash})`,
      after: `version ${this.snapshot.version} (${this.snapshot.hash})`,
    });
    if (restart.length > 0)
      this.#warn(
        `changed in ${this.#options.file} but in effect only after a restart: ${restart.join(', ')}`,
      );
  }

  #withoutOvertaken(config: Config, runtime: RuntimeState): RuntimeState {
    const names = overtakenWeights(config, runtime);
    const at = this.#at();
    for (const name of names) {
      const weights = runtime.experiments.get(name)?.weights;
      this.#emit({
        kind: 'audit',
        at,
        actor: FILE_ACTOR,
        action: 'drop-weights',
        target: name,
        reason: 'the declared weights were changed after the run-time ones, so the file wins',
        before: JSON.stringify(weights?.weightsPpm),
        after: 'as declared',
      });
    }
    return withoutWeights(runtime, names);
  }

  #swap(next: Active, by: ChangedBy): void {
    const previous = this.#active.snapshot;
    this.#active = next;
    this.#writer.write(next.runtime);
    if (next.archived !== null) this.#archive?.add(next.archived);
    for (const listener of this.#listeners) listener(next.snapshot, previous, by);
  }

  #result(
    cause: ReloadCause,
    ok: boolean,
    changed: boolean,
    issues: readonly ConfigIssue[],
    restart: readonly string[],
  ): ReloadResult {
    return { ok, changed, cause, atMs: this.#options.clock.wallMs(), issues, restartNeeded: restart };
  }

  #at(): string {
    return new Date(this.#options.clock.wallMs()).toISOString();
  }

  #warn(message: string): void {
    this.#emit({ kind: 'warning', at: this.#at(), message });
  }

  /** What `validate` would say of a configuration that is in effect now. */
  #warnOf(issues: readonly ConfigIssue[]): void {
    const warnings = issues.filter(({ severity }) => severity === 'warning');
    for (const warning of warnings.slice(0, WARNINGS_MAX)) this.#warn(formatIssue(warning));
    const more = warnings.length - WARNINGS_MAX;
    if (more > 0) this.#warn(`${this.#options.file} has ${more} more warnings; see fairlead validate`);
  }

  #emit(event: ControlEvent): void {
    this.#options.onEvent(event);
  }
}

function activate(config: Config, known: RuntimeState, version: number, at: string): Active {
  const runtime = markSeen(config, known, at);
  const snapshot = compile(config, runtime, version);
  return { config, runtime: rememberSlots(runtime, snapshot), snapshot, archived: null };
}

/** How things are, and how they are then. */
function inWords({ kind, experiment }: Change, before: Snapshot, after: Snapshot) {
  if (kind === 'forget-results') return { before: 'what was collected', after: 'nothing' };
  return { before: summary(before, experiment), after: summary(after, experiment) };
}

function archiveOf(config: Config, onProblem: (message: string) => void): ConfigArchive | null {
  const settings = compileDecisions(config.decisions);
  if (settings === null) return null;
  return new ConfigArchive({ folder: settings.configsDir, keep: settings.configsMax, onProblem });
}
