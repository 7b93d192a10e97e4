/** Columns without lines, for people and for awk. */
import Table from 'cli-table3';
import { NO_LINES } from './get-table.ts';

export function table(head: readonly string[], rows: readonly (string | number)[][]): string {
  const grid = new Table({
    chars: NO_LINES,
    style: { 'padding-left': 0, 'padding-right': 3, head: [], border: [] },
  });
  grid.push([...head], ...rows.map((row) => [...row]));
  return `${grid.toString().replace(/ +$/gm, '')}\n`;
}
