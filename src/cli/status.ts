/**
 * `fairlead status [NAME] [-w]`: where experiments stand, in sentences. `-w` follows the rollout of one until it is over:
 * each thing that happens is a line, as the audit has it, so none is missed between two looks. Only reads.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../base/clock.ts';
import { type AdminTarget, adminGet } from './admin-client.ts';
import { CliError, Exit, type Io } from './io.ts';
import { type LiveExperiment, type RolloutView, readLive, unlessMissing } from './live-data.ts';
import { piece, renderLine } from './live-line.ts';
import { printable } from './live-text.ts';
import {
  type Happening,
  happeningText,
  isAbout,
  isSaidElsewhere,
  progressText,
  rolloutText,
  statusText,
} from './status-text.ts';
import { type Interruption, untilInterrupted } from './until-interrupted.ts';

export interface StatusOptions extends AdminTarget {
  /** Null: all. */
  readonly name: string | null;
  readonly watch?: boolean;
  readonly output: 'text' | 'json';
}

const WATCH_MS = 500;
/** More do not happen between two looks; the trail has them. */
const HAPPENINGS_MAX = 100;
/** A restart takes seconds; whoever is away for longer may not come back. */
const AWAY_MAX_MS = 60_000;
/** From the beginning of the line, and clear the rest of it. */
const REDRAW = '\r\u001b[K';

/**
 * 0; with `watch` 0 when the rollout was promoted, 1 when it was rolled back or none was started, 130 on Ctrl-C.
 * @throws CliError (1) when there is no such experiment, (5) when nobody answers, at first or for a minute
 */
export async function statusCommand(options: StatusOptions, io: Io, everyMs = WATCH_MS): Promise<number> {
  const { experiments } = await readLive(options, io.env);
  const chosen = options.name === null ? experiments : [named(experiments, options.name)];
  if (options.watch === true) {
    const [one, ...others] = chosen;
    if (one === undefined || others.length > 0)
      throw new CliError(Exit.usage, `name one experiment to follow: ${namesOf(experiments)}`);
    return await new Follower(options, one.name, io).follow(one, everyMs);
  }
  if (options.output === 'json') io.out(`${JSON.stringify(chosen, null, 2)}\n`);
  else if (chosen.length === 0) io.err('there are no experiments\n');
  else io.out(chosen.map(statusText).join('\n'));
  return Exit.ok;
}

function named(experiments: readonly LiveExperiment[], name: string): LiveExperiment {
  const found = experiments.find((experiment) => experiment.name === name);
  if (found !== undefined) return found;
  throw new CliError(
    Exit.negative,
    `there is no experiment ${JSON.stringify(name)}; there are: ${namesOf(experiments)}`,
  );
}

function namesOf(experiments: readonly LiveExperiment[]): string {
  return experiments.length === 0 ? 'none' : experiments.map(({ name }) => name).join(', ');
}

function isEnd({ phase }: RolloutView): boolean {
  return phase === 'promoted' || phase === 'rolled-back';
}

class Follower {
  readonly #options: StatusOptions;
  readonly #name: string;
  readonly #io: Io;
  #lastId = 0;
  #said = '';
  /** Since when nobody answers. */
  #awayMs: number | null = null;
  /** What stands on the terminal's last line, to be written over. */
  #isLineOpen = false;

  constructor(options: StatusOptions, name: string, io: Io) {
    this.#options = options;
    this.#name = name;
    this.#io = io;
  }

  async follow(first: LiveExperiment, everyMs: number): Promise<number> {
    this.#lastId = (await this.#happenings()).at(0)?.id ?? 0;
    if (this.#options.output === 'text') this.#io.out(statusText(first));
    const interrupted = untilInterrupted();
    try {
      return await this.#until(first, everyMs, interrupted);
    } finally {
      interrupted.close();
      if (this.#isLineOpen) this.#io.out('\n');
    }
  }

  async #until(first: LiveExperiment, everyMs: number, interrupted: Interruption): Promise<number> {
    const { signal } = interrupted;
    let experiment = first;
    for (;;) {
      this.#say(experiment);
      const { rollout } = experiment;
      if (rollout === null) {
        this.#io.err(
          `${this.#name} has no rollout to follow; \`fairlead start-rollout ${this.#name}\` begins one\n`,
        );
        return Exit.negative;
      }
      if (isEnd(rollout)) return rollout.phase === 'promoted' ? Exit.ok : Exit.negative;
      await delay(everyMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return interrupted.exitCode ?? Exit.interrupted;
      experiment = (await this.#look()) ?? experiment;
    }
  }

  /** Null: nobody answered, for not so long yet that it is given up. A sidecar that restarts goes on with its rollout. */
  async #look(): Promise<LiveExperiment | null> {
    try {
      const { experiments } = await readLive(this.#options, this.#io.env);
      // Read after the state: what led to it is on record by now.
      await this.#tellHappenings();
      this.#awayMs = null;
      return named(experiments, this.#name);
    } catch (error) {
      if (!(error instanceof CliError) || error.exitCode !== Exit.adminUnreachable) throw error;
      const nowMs = systemClock.now();
      if (this.#awayMs === null) this.#io.err(`${error.message}; asking again for a minute\n`);
      this.#awayMs ??= nowMs;
      if (nowMs - this.#awayMs > AWAY_MAX_MS) throw error;
      return null;
    }
  }

  async #tellHappenings(): Promise<void> {
    const news = (await this.#happenings()).filter(({ id }) => id > this.#lastId).reverse();
    this.#lastId = news.at(-1)?.id ?? this.#lastId;
    for (const happening of news) {
      if (!isAbout(happening, this.#name)) continue;
      if (this.#options.output === 'json') this.#write(`${JSON.stringify({ happening })}\n`);
      else if (!isSaidElsewhere(happening)) this.#write(happeningText(happening));
    }
  }

  /** What it waits for changes by the second: redrawn on a terminal. Elsewhere only its end is said. */
  #say(experiment: LiveExperiment): void {
    const { rollout } = experiment;
    if (rollout === null) return;
    if (this.#options.output === 'json') {
      const text = JSON.stringify({ experiment });
      if (text !== this.#said) this.#io.out(`${text}\n`);
      this.#said = text;
      return;
    }
    if (isEnd(rollout)) this.#write(`${printable(`${this.#name}: ${rolloutText(rollout)}`)}\n`);
    else if (this.#io.isTerminal) {
      const width = (process.stdout.columns || 80) - 1;
      this.#write(renderLine([piece(progressText(rollout))], width, false));
      this.#isLineOpen = true;
    }
  }

  /** In the place of the line that is to be written over, if there is one. */
  #write(text: string): void {
    this.#io.out(this.#isLineOpen ? REDRAW + text : text);
    this.#isLineOpen = false;
  }

  /** The newest first. */
  async #happenings(): Promise<readonly Happening[]> {
    const { env } = this.#io;
    const answer = await unlessMissing(adminGet(this.#options, `/v1/audit?limit=${HAPPENINGS_MAX}`, env));
    const { audit } = (answer ?? {}) as { audit?: unknown };
    return Array.isArray(audit) ? audit : [];
  }
}
