/** Lines of a terminal view, made of pieces with a style each, cut to a width. Pure. */
import { styleText } from 'node:util';
import { printable } from './live-text.ts';

export type Style = 'plain' | 'title' | 'faint' | 'good' | 'warning' | 'bad' | 'selected';

export interface Piece {
  readonly text: string;
  readonly style: Style;
}

export type Line = readonly Piece[];

type Format = Parameters<typeof styleText>[0];

const FORMATS: Readonly<Record<Exclude<Style, 'plain'>, Format>> = {
  title: 'bold',
  faint: 'dim',
  good: 'green',
  warning: 'yellow',
  bad: ['red', 'bold'],
  selected: 'inverse',
};

/** Text from anywhere: what would move the cursor is taken out. */
export function piece(text: unknown, style: Style = 'plain'): Piece {
  return { text: printable(text), style };
}

/** Exactly what is shown of a line: at most `width` characters, the last one "…" when there was more. */
export function renderLine(line: Line, width: number, isColoured: boolean): string {
  const length = line.reduce((sum, { text }) => sum + lengthOf(text), 0);
  let left = length > width ? width - 1 : width;
  let rendered = '';
  for (const { text, style } of line) {
    if (left <= 0) break;
    const shown = lengthOf(text) > left ? [...text].slice(0, left).join('') : text;
    left -= lengthOf(shown);
    const isPlain = !isColoured || style === 'plain' || shown.trim() === '';
    rendered += isPlain ? shown : styleText(FORMATS[style], shown, { validateStream: false });
  }
  return length > width && width > 0 ? `${rendered}…` : rendered.trimEnd();
}

/** A sentence over as many lines as it takes, each indented. */
export function wrap(sentence: string, width: number, indent: string): string[] {
  const room = Math.max(20, width - indent.length);
  const lines: string[] = [];
  let line = '';
  for (const word of printable(sentence).split(' ')) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(indent + line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, indent + line];
}

function lengthOf(text: string): number {
  // Names and figures are ASCII, where this is the same.
  return /^[\x20-\x7e]*$/.test(text) ? text.length : [...text].length;
}
