/**
 * Shots in rounds of alternating order, and what comes of them: for each quantity the median with quartiles, and of
 * its ratio to the base's value in the same round. Pure.
 */
import { type Spread, spread } from './statistics.ts';

/** What the ledger knows of a candidate. */
export interface Entrant {
  readonly name: string;
  /** The one that it is held against; the first of the run unless given. */
  readonly base?: string;
  /** So far behind that few rounds tell: it takes part in every third. */
  readonly isSlow?: boolean;
}

/** One measurement of one candidate. */
export interface Shot {
  readonly values: Readonly<Record<string, number>>;
  readonly errors: number;
  /** Others used the proxy's core, and repeating it did not help. */
  readonly isDisturbed?: boolean;
}

export interface Measured {
  readonly value: Spread;
  /** To the base's in the same round; 1 for the base itself. */
  readonly ratio: Spread;
}

export interface Row {
  readonly name: string;
  readonly base: string;
  readonly shots: number;
  readonly errors: number;
  readonly disturbed: number;
  readonly values: Readonly<Record<string, Measured>>;
}

const SLOW_EVERY_ROUNDS = 3;

/** The candidates of a round in its order. */
export function orderOf<T extends Entrant>(candidates: readonly T[], round: number): T[] {
  const taking = candidates.filter((one) => !one.isSlow || round % SLOW_EVERY_ROUNDS === 0);
  return round % 2 === 0 ? taking : taking.reverse();
}

/** Shots by candidate and round. */
export class Ledger {
  readonly #shots = new Map<string, Map<number, Shot>>();
  readonly #bases = new Map<string, string>();

  /** The first of the candidates is the base of those that name none. */
  constructor(candidates: readonly Entrant[]) {
    for (const { name, base } of candidates) {
      this.#shots.set(name, new Map());
      this.#bases.set(name, base ?? candidates[0]!.name);
    }
  }

  add(name: string, round: number, shot: Shot): void {
    this.#shots.get(name)!.set(round, shot);
  }

  /** A row for each candidate with a shot. */
  rows(): Row[] {
    return [...this.#shots]
      .filter(([, shots]) => shots.size > 0)
      .map(([name, shots]) => this.#row(name, shots));
  }

  #row(name: string, shots: ReadonlyMap<number, Shot>): Row {
    const base = this.#bases.get(name)!;
    const baseShots = this.#shots.get(base) ?? shots;
    const all = [...shots.values()];
    const values: Record<string, Measured> = {};
    for (const key of Object.keys(all[0]!.values)) {
      const ratios = [...shots].flatMap(([round, shot]) => {
        const ofBase = baseShots.get(round)?.values[key];
        return ofBase === undefined || ofBase === 0 ? [] : [shot.values[key]! / ofBase];
      });
      values[key] = {
        value: spread(all.map((shot) => shot.values[key]!)),
        ratio: spread(ratios.length > 0 ? ratios : [Number.NaN]),
      };
    }
    return {
      name,
      base,
      shots: all.length,
      errors: all.reduce((sum, shot) => sum + shot.errors, 0),
      disturbed: all.filter((shot) => shot.isDisturbed).length,
      values,
    };
  }
}
