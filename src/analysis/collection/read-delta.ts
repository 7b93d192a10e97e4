/** The rows of a delta, one after the other. Pure. */
import { type CollectedRow, type Delta, FACTS, Fact, Figure, NUMBERS } from './delta.ts';

/**
 * Calls `visit` with the number of the subject and each row, which is the same object each time.
 *
 * @param worker Who sends it.
 */
export function readDelta(
  { subjects, listeners, rows, facts, numbers }: Delta,
  worker: string,
  visit: (subject: number, row: CollectedRow) => void,
): void {
  const values = subjects.map(({ measures }) => new Float64Array(measures.length));
  const row: { -readonly [K in keyof CollectedRow]: CollectedRow[K] } = { ...NO_ROW, worker };
  let from = 0;
  for (let i = 0; i < rows; i++) {
    const at = i * FACTS;
    const subject = facts[at + Fact.subject]!;
    row.assigned = facts[at + Fact.assigned]!;
    row.served = facts[at + Fact.served]!;
    row.outcome = facts[at + Fact.outcome]!;
    row.reason = facts[at + Fact.reason]!;
    row.agent = facts[at + Fact.agent]!;
    row.listener = listeners[facts[at + Fact.listener]!]!;
    row.route = subjects[subject]!.route;
    row.unit = numbers[from + Figure.unit]!;
    row.latencyMs = numbers[from + Figure.latency]!;
    row.servedMs = numbers[from + Figure.served]!;
    row.bytes = numbers[from + Figure.bytes]!;
    row.values = values[subject]!;
    for (let m = 0; m < row.values.length; m++) row.values[m] = numbers[from + NUMBERS + m]!;
    from += NUMBERS + row.values.length;
    visit(subject, row);
  }
}

const NO_ROW: CollectedRow = {
  ...{ assigned: 0, served: 0, outcome: 0, reason: 0, agent: 0 },
  ...{ listener: '', route: '', worker: '' },
  ...{ unit: 0, latencyMs: 0, servedMs: 0, bytes: 0, values: new Float64Array(0) },
};
