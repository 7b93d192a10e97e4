/** A question of the benchmark, one file each in bench/. */
import type { Answer } from './answer.ts';

export interface Effort {
  /** For a look: fewer and shorter rounds, fewer sizes. */
  readonly isQuick: boolean;
  /** Instead of the question's own. */
  readonly rounds: number | null;
  readonly blocks: number | null;
  readonly connections: number;
  /** Names of candidates, the first being what the others are held against; null: all. */
  readonly only: readonly string[] | null;
}

export interface Question {
  readonly name: string;
  /** How long it takes, about. */
  seconds(effort: Effort): number;
  answer(effort: Effort, say: (text: string) => void): Promise<Answer>;
}

/** The candidates that were asked for, in that order. */
export function chosen<T extends { readonly name: string }>(all: readonly T[], effort: Effort): T[] {
  if (effort.only === null) return [...all];
  return effort.only.flatMap((name) => all.filter((one) => one.name === name));
}

/** How much a question measures. */
export interface Extent {
  readonly rounds: number;
  readonly blocks: number;
  readonly shotSeconds: number;
  /** For each candidate, before the first round. */
  readonly warmSeconds: number;
}

/** For a look. */
const QUICK: Extent = { rounds: 1, blocks: 1, shotSeconds: 1, warmSeconds: 1 };

/** What was asked for, or the question's own. */
export function extent(effort: Effort, full: Extent): Extent {
  const own = effort.isQuick ? QUICK : full;
  return { ...own, rounds: effort.rounds ?? own.rounds, blocks: effort.blocks ?? own.blocks };
}
