/**
 * `fairlead top`: the experiments of a running sidecar, drawn again every two seconds. Changes nothing. Without a terminal
 * it prints the same again and again, for a log or a pipe.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { AdminTarget } from './admin-client.ts';
import { Exit, type Io } from './io.ts';
import { type LiveReading, readLive } from './live-data.ts';
import { renderLine } from './live-line.ts';
import { type Key, openScreen, type Screen } from './top-screen.ts';
import { SeenShares, type Shares } from './top-shares.ts';
import { topLines } from './top-view.ts';
import { untilInterrupted } from './until-interrupted.ts';

export interface TopOptions extends AdminTarget {
  /** Seconds between two readings. */
  readonly interval: number;
  /** How many readings before it ends; undefined: until somebody ends it. */
  readonly count?: number;
}

/** What a test changes. */
export interface TopSetup {
  readonly screen: Screen | null;
  readonly everyMs: number;
}

/** 0 when somebody quit or all was read, 130 on Ctrl-C. @throws CliError (5) when nobody answers at first */
export async function topCommand(
  options: TopOptions,
  io: Io,
  setup: () => TopSetup = () => ({ screen: openScreen(io.env), everyMs: options.interval * 1000 }),
): Promise<number> {
  const first = await readLive(options, io.env);
  const { screen, everyMs } = setup();
  const interrupted = untilInterrupted();
  const view = new View(options.admin, screen);
  try {
    view.take(first, io);
    screen?.listen(
      (key) => {
        if (key === 'quit') interrupted.end(Exit.ok);
        else if (key === 'interrupt') interrupted.end(Exit.interrupted);
        else view.press(key);
      },
      () => view.draw(),
    );
    const { count = Number.POSITIVE_INFINITY } = options;
    for (let readings = 1; readings < count && !interrupted.signal.aborted; readings++) {
      await delay(everyMs, undefined, { signal: interrupted.signal }).catch(() => undefined);
      if (interrupted.signal.aborted) break;
      const next = readLive(options, io.env).then(
        (reading) => () => view.take(reading, io),
        (error: Error) => () => view.fail(error.message, io),
      );
      // Whoever quits does not wait for an answer.
      (await Promise.race([next, interrupted.ended]))?.();
    }
    return interrupted.exitCode ?? Exit.ok;
  } finally {
    interrupted.close();
    screen?.close();
  }
}

class View {
  readonly #admin: string;
  readonly #screen: Screen | null;
  readonly #shares = new SeenShares();
  #reading: LiveReading | null = null;
  #seen: Shares = new Map();
  #problem: string | null = null;
  #selected: string | null = null;
  #isDetailed = false;

  constructor(admin: string, screen: Screen | null) {
    this.#admin = admin;
    this.#screen = screen;
  }

  take(reading: LiveReading, io: Io): void {
    this.#reading = reading;
    this.#seen = this.#shares.take(reading);
    this.#problem = null;
    const names = reading.experiments.map(({ name }) => name);
    if (this.#screen !== null && (this.#selected === null || !names.includes(this.#selected)))
      this.#selected = names[0] ?? null;
    if (this.#screen === null) io.out(`${this.#lines(wide).join('\n')}\n\n`);
    else this.draw();
  }

  /** What was read last stays, with a word that it is old. */
  fail(message: string, io: Io): void {
    this.#problem = message;
    if (this.#screen === null) io.err(`${message}\n`);
    else this.draw();
  }

  press(key: Key): void {
    const names = this.#reading?.experiments.map(({ name }) => name) ?? [];
    const at = this.#selected === null ? 0 : names.indexOf(this.#selected);
    const next = { up: at - 1, down: at + 1, first: 0, last: names.length - 1 }[key as string];
    if (key === 'enter') this.#isDetailed = !this.#isDetailed;
    else if (next !== undefined) this.#selected = names[next] ?? this.#selected;
    this.draw();
  }

  draw(): void {
    if (this.#screen !== null) this.#screen.draw(this.#lines(this.#screen));
  }

  #lines({ columns, rows, isColoured }: Pick<Screen, 'columns' | 'rows' | 'isColoured'>): string[] {
    if (this.#reading === null) return [];
    const state = {
      reading: this.#reading,
      seen: this.#seen,
      admin: this.#admin,
      problem: this.#problem,
      selected: this.#selected,
      isDetailed: this.#isDetailed,
    };
    return topLines(state, { columns, rows }).map((line) => renderLine(line, columns, isColoured));
  }
}

/** A log or a pipe: nothing is cut off. */
const wide = { columns: Number.POSITIVE_INFINITY, rows: Number.POSITIVE_INFINITY, isColoured: false };
