/**
 * Latencies by size: columns that each reach 4.4 % higher than the one before, from 1 ms to 65.5 s, one for what is
 * shorter and one for what is longer. Pure.
 */

const PER_OCTAVE = 16;
const OCTAVES = 16;

export const LATENCY_COLUMNS = OCTAVES * PER_OCTAVE + 2;

/** The column of a latency. */
export function columnOf(ms: number): number {
  if (ms < 1) return 0;
  return Math.min(LATENCY_COLUMNS - 1, 1 + Math.floor(Math.log2(ms) * PER_OCTAVE));
}

/** The shortest latency of a column, and what all in the column before are shorter than. */
export function lowerMs(column: number): number {
  return column === 0 ? 0 : 2 ** ((column - 1) / PER_OCTAVE);
}

/** The first column that holds nothing shorter than `ms`; `LATENCY_COLUMNS`: there is none. */
export function firstFrom(ms: number): number {
  const column = columnOf(ms);
  return lowerMs(column) >= ms ? column : column + 1;
}
