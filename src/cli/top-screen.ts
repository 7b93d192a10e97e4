/**
 * A terminal that is drawn upon as a whole: on its other screen, with the cursor hidden and keys read one by one. What it
 * was is restored by `close`, and if the process ends without it. The only file that reads keys or writes control
 * sequences for a view.
 */
import type { Io } from './io.ts';

export type Key = 'up' | 'down' | 'first' | 'last' | 'enter' | 'quit' | 'interrupt';

export interface Screen {
  readonly columns: number;
  readonly rows: number;
  readonly isColoured: boolean;
  /** Lines that are no wider than the screen and have no "\n". */
  draw(lines: readonly string[]): void;
  /** Calls back for each key, and when the size has changed. */
  listen(onKey: (key: Key) => void, onResize: () => void): void;
  close(): void;
}

/** The other screen, no cursor, no wrapping: a line that is wider than we think must not shift the rest. */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l';
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

/** A terminal may not say how large it is. */
const UNKNOWN_SIZE = { columns: 80, rows: 24 } as const;

const KEYS: Readonly<Record<string, Key>> = {
  '\u001b[A': 'up',
  '\u001bOA': 'up',
  k: 'up',
  '\u001b[B': 'down',
  '\u001bOB': 'down',
  j: 'down',
  '\u001b[H': 'first',
  g: 'first',
  '\u001b[F': 'last',
  G: 'last',
  '\r': 'enter',
  '\n': 'enter',
  q: 'quit',
  Q: 'quit',
  '\u0003': 'interrupt',
};

/** Null: what is written is no terminal that could be drawn upon. */
export function openScreen(env: Io['env']): Screen | null {
  const { stdin, stdout } = process;
  if (stdout.isTTY !== true || env.TERM === 'dumb') return null;
  const hasKeys = stdin.isTTY === true;
  let onKey: (key: Key) => void = () => {};
  let onResize: () => void = () => {};
  const onData = (text: string): void => {
    for (const key of keysIn(text)) onKey(key);
  };
  const onSize = (): void => onResize();
  const restore = (): void => {
    stdout.write(LEAVE);
    if (hasKeys) stdin.setRawMode(false);
  };
  process.once('exit', restore);
  stdout.write(ENTER);
  stdout.on('resize', onSize);
  if (hasKeys) {
    stdin.setRawMode(true);
    stdin.setEncoding('utf8');
    stdin.on('data', onData);
  }
  return {
    get columns() {
      return stdout.columns || UNKNOWN_SIZE.columns;
    },
    get rows() {
      return stdout.rows || UNKNOWN_SIZE.rows;
    },
    isColoured: !env.NO_COLOR,
    // One write, without clearing first: nothing flickers.
    draw: (lines) => {
      // Cleared before: behind a line as wide as the screen the cursor still stands on its last character.
      const text = lines.map((line) => `${CLEAR_LINE}${line}`).join('\r\n');
      const below = lines.length < (stdout.rows || UNKNOWN_SIZE.rows) ? `\r\n${CLEAR_BELOW}` : '';
      stdout.write(`${HOME}${text}${below}`);
    },
    listen: (key, resize) => {
      onKey = key;
      onResize = resize;
    },
    close: () => {
      process.removeListener('exit', restore);
      stdout.removeListener('resize', onSize);
      if (hasKeys) {
        stdin.removeListener('data', onData);
        stdin.pause();
      }
      restore();
    },
  };
}

/** Keys in what was read at once: several, when somebody holds one down. What is none of ours is passed over. */
export function keysIn(text: string): Key[] {
  const keys: Key[] = [];
  for (const [sequence] of text.matchAll(/\u001b[[O][0-9;]*[A-Za-z~]|./gs)) {
    const key = KEYS[sequence];
    if (key !== undefined) keys.push(key);
  }
  return keys;
}
