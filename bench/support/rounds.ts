/** All candidates running at once, shot in turns, in blocks of fresh processes. */
import { type Candidate, startCandidate } from '../peers/candidate.ts';
import { Ledger, orderOf, type Row, type Shot } from './ledger.ts';
import { type Started, sleep } from './processes.ts';
import { PROXY_CORES, startResponder } from './rig.ts';

const SETTLE_MS = 500;

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
    await sleep(SETTLE_MS);
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
