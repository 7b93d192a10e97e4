/** Questions of the kind "does a request cost the same however many ... there are?", Fairlead against itself. */
import type { Candidate } from '../peers/candidate.ts';
import { type Answer, errorsText, ratioOf, ratioText, spreadText } from './answer.ts';
import type { Row } from './ledger.ts';
import { type Effort, type Extent, extent } from './question.ts';
import { measure, shotCount } from './rounds.ts';
import { runWrk, shoot } from './wrk.ts';

// The same program started twice can sit 15 % apart, so one block would compare processes and not numbers.
const FULL: Extent = { rounds: 5, blocks: 3, shotSeconds: 1, warmSeconds: 2 };
const FLAT_RATIO = 1.05;

interface Flatness {
  readonly title: string;
  /** What there are more of. */
  readonly subject: string;
  /** Names of the candidates that must be flat; the first is the base. */
  readonly held: readonly string[];
}

/** How long `measureFlatness` takes, about. */
export function flatnessSeconds(candidates: readonly Candidate[], effort: Effort): number {
  const { rounds, blocks, shotSeconds, warmSeconds } = extent(effort, FULL);
  const warming = blocks * candidates.length * (warmSeconds + 1);
  return shotCount(candidates, rounds, blocks) * (shotSeconds + 0.15) + warming;
}

/** CPU per request of each candidate, to the first one's; `services` as the load has it, by candidate. */
export function measureFlatness(
  candidates: readonly Candidate[],
  effort: Effort,
  load: { readonly services?: (name: string) => number },
  say: (text: string) => void,
): Promise<Row[]> {
  const loadOf = (name: string) => ({
    connections: effort.connections,
    services: load.services?.(name) ?? 0,
  });
  const size = extent(effort, FULL);
  return measure({
    candidates,
    ...size,
    say,
    warmUp: ({ name, port }) => runWrk(port, { ...loadOf(name), seconds: size.warmSeconds }),
    shoot: (one, pid) => shoot(one, pid, { ...loadOf(one.name), seconds: size.shotSeconds }),
  });
}

/** The table, and the target that the dearest of `held` stays within 5 %. */
export function flatnessAnswer(rows: readonly Row[], effort: Effort, flatness: Flatness): Answer {
  const base = rows[0]!.name;
  const ratios = flatness.held.map((name) => ratioOf(rows, name, 'usPerRequest'));
  const isComplete = ratios.every((ratio) => ratio !== null) && base === flatness.held[0];
  return {
    title: flatness.title,
    tables: [
      {
        caption: `CPU time of Fairlead per request (wrk, ${effort.connections} connections; ratio within each round, median and quartiles):`,
        head: ['', `ratio to ${base}`, 'us/request', 'errors'],
        rows: rows.map((row) => [
          row.name,
          ratioText(row.values.usPerRequest!.ratio),
          spreadText(row.values.usPerRequest!.value, 1),
          errorsText(row),
        ]),
      },
    ],
    targets: [
      {
        text: `CPU per request, the dearest number of ${flatness.subject} to the smallest`,
        limit: FLAT_RATIO,
        measured: isComplete ? Math.max(...(ratios as number[])) : null,
      },
    ],
    notes: ['What separates the twins is noise.'],
    data: rows,
  };
}
