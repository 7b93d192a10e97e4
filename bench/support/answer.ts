/** What a question answers: tables, targets with what was measured beside them, and the numbers themselves. Pure. */
import type { Row } from './ledger.ts';
import type { Spread } from './statistics.ts';

export interface Table {
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Something that was promised. */
export interface Target {
  readonly text: string;
  readonly limit: number;
  /** The measured value must reach the limit instead of staying below it. */
  readonly isMinimum?: boolean;
  /** What follows the numbers, such as ' KB'; 'x' by default, a ratio. */
  readonly unit?: string;
  /** Null when it could not be measured. */
  readonly measured: number | null;
  /** The yardstick's own spread is larger than the difference. */
  readonly isUnresolved?: boolean;
}

export interface Answer {
  readonly title: string;
  readonly tables: readonly Table[];
  readonly targets: readonly Target[];
  /** Whole sentences: what was left out, what to keep in mind. */
  readonly notes: readonly string[];
  /** What the tables were made of. */
  readonly data: unknown;
}

/** Whether a target is met: the number decides, unless it says nothing. */
export function verdict(target: Target): 'met' | 'missed' | 'unresolved' | 'not measured' {
  const { measured, limit, isMinimum = false, isUnresolved = false } = target;
  if (measured === null || Number.isNaN(measured)) return 'not measured';
  const isMet = isMinimum ? measured >= limit : measured <= limit;
  if (isUnresolved) return 'unresolved';
  return isMet ? 'met' : 'missed';
}

/** The median of a ratio in a row; null without it, or when requests failed: failing is cheaper than answering. */
export function ratioOf(rows: readonly Row[], name: string, key: string): number | null {
  const row = rows.find((one) => one.name === name);
  const base = rows.find((one) => one.name === row?.base);
  return row === undefined || row.errors > 0 || (base?.errors ?? 0) > 0
    ? null
    : (row.values[key]?.ratio.median ?? null);
}

/** `1.21 (1.04-1.30)`: median and quartiles. */
export function spreadText({ median, q1, q3 }: Spread, digits: number): string {
  if (Number.isNaN(median)) return '-';
  return `${median.toFixed(digits)} (${q1.toFixed(digits)}-${q3.toFixed(digits)})`;
}

export function ratioText(value: Spread): string {
  if (Number.isNaN(value.median)) return '-';
  return `**${value.median.toFixed(2)}** (${value.q1.toFixed(2)}-${value.q3.toFixed(2)})`;
}

/** A row's name, with what it is held against when that is not what the column says. */
export function nameText(row: Row, base: string): string {
  return row.base === base || row.name === row.base ? row.name : `${row.name} (to ${row.base})`;
}

export function errorsText(row: Pick<Row, 'errors' | 'disturbed'>): string {
  return `${row.errors}${row.disturbed > 0 ? ` (${row.disturbed} shots disturbed)` : ''}`;
}

export function tableMarkdown({ caption, head, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [caption, '', line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The targets beside what was measured. */
export function targetsMarkdown(targets: readonly Target[]): string {
  return tableMarkdown({
    caption: 'Targets:',
    head: ['target', 'limit', 'measured', ''],
    rows: targets.map((target) => {
      const { text, limit, isMinimum = false, unit = 'x', measured } = target;
      const digits = unit === 'x' ? 2 : unit === '' ? 0 : 1;
      const value = measured === null || Number.isNaN(measured) ? '-' : `${measured.toFixed(digits)}${unit}`;
      return [text, `${isMinimum ? '>=' : '<='} ${limit}${unit}`, value, `**${verdict(target)}**`];
    }),
  });
}
