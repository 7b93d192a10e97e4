/**
 * Rounds in which every candidate is shot once, in alternating order, and what comes of them: for each quantity the
 * median with quartiles, and of its ratio to the base's value in the same round.
 */
import { type Candidate, startCandidate } from '../peers/candidate.ts';
import type { Started } from './processes.ts';
import { PROXY_CORES, startResponder } from './rig.ts';
import { type Spread, spread } from './statistics.ts';

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
const SETTLE_MS = 500;

/** The candidates of a round in its order. */
export function orderOf<T extends { readonly name: string; readonly isSlow?: boolean }>(
  candidates: readonly T[],
  round: number,
): T[] {
  const taking = candidates.filter((one) => !one.isSlow || round % SLOW_EVERY_ROUNDS === 0);
  return round % 2 === 0 ? taking : taking.reverse();
}

/** Shots by candidate and round. */
export class Ledger {
  readonly #shots = new Map<string, Map<number, Shot>>();
  readonly #bases = new Map<string, string>();

  /** The first of the candidates is the base of those that name none. */
  constructor(candidates: readonly Pick<Candidate, 'name' | 'base'>[]) {
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

export interface BlockOptions {
  readonly candidates: readonly Candidate[];
  readonly rounds: number;
  /** Blocks of fresh processes: the same program started twice can sit some percent apart. */
  readonly blocks: number;
  readonly cores?: string;
  readonly say: (text: string) => void;
  /** Before the first round of a block. */
  readonly warmUp: (candidate: Candidate, pid: number) => Promise<unknown>;
  readonly shoot: (candidate: Candidate, pid: number) => Promise<Shot>;
}

/** All candidates running at once, shot in turns. */
export async function measure(options: BlockOptions): Promise<Row[]> {
  const { candidates, rounds, blocks } = options;
  const ledger = new Ledger(candidates);
  for (let block = 0; block < blocks; block++) {
    await running(candidates, options.cores ?? PROXY_CORES, async (processes) => {
      for (const one of candidates) await options.warmUp(one, processes.get(one.name)!.pid);
      for (let round = 0; round < rounds; round++) {
        options.say(`block ${block + 1}/${blocks} round ${round + 1}/${rounds}`);
        for (const one of orderOf(candidates, round)) {
          ledger.add(
            one.name,
            block * rounds + round,
            await options.shoot(one, processes.get(one.name)!.pid),
          );
        }
      }
    });
  }
  return ledger.rows();
}

/** Runs `work` while the upstreams and these candidates run. */
export async function running(
  candidates: readonly Candidate[],
  cores: string,
  work: (processes: ReadonlyMap<string, Started>) => Promise<void>,
): Promise<void> {
  const responder = await startResponder();
  const processes = new Map<string, Started>();
  try {
    for (const one of candidates) processes.set(one.name, await startCandidate(one, cores));
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    await work(processes);
  } finally {
    await Promise.all([...processes.values(), responder].map((one) => one.stop()));
  }
}

/** How many shots `measure` makes, for estimates. */
export function shotCount(candidates: readonly Candidate[], rounds: number, blocks: number): number {
  let shots = 0;
  for (let round = 0; round < rounds; round++) shots += orderOf(candidates, round).length;
  return shots * blocks;
}
