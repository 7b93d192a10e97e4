/**
 * What would a user of autocannon see? It shares its core with the upstream and is the bottleneck of the fast ones,
 * so the differences read smaller here than they are; `cpu.ts` is the measurement, this is the picture.
 */
import autocannon from 'autocannon';
import type { Candidate } from './peers/candidate.ts';
import { fairlead } from './peers/fairlead.ts';
import { httpProxy, undici } from './peers/node.ts';
import { CONTROL_PORT } from './proxies/split.ts';
import { type Answer, ratioText } from './support/answer.ts';
import { Ledger, orderOf, type Row, type Shot } from './support/ledger.ts';
import { chosen, type Effort, type Extent, extent, type Question } from './support/question.ts';
import { PROXY_CORES } from './support/rig.ts';
import { running } from './support/rounds.ts';

const FULL: Extent = { rounds: 5, blocks: 1, shotSeconds: 2, warmSeconds: 2 };
const DIRECT = { name: 'direct', port: CONTROL_PORT };

export const throughput: Question = {
  name: 'throughput',
  seconds(effort) {
    const { rounds, shotSeconds } = extent(effort, FULL);
    return (candidates(effort).length + 1) * (rounds + 1) * (shotSeconds + 0.2) + 4;
  },
  async answer(effort, say) {
    const all = [DIRECT, ...candidates(effort).map((one) => ({ ...one, isSlow: false }))];
    const ledger = new Ledger(all);
    const { rounds, shotSeconds } = extent(effort, FULL);
    const shoot = ({ port }: { port: number }) => cannon(port, effort.connections, shotSeconds);
    await running(candidates(effort), PROXY_CORES, async () => {
      for (const one of all) await shoot(one);
      for (let round = 0; round < rounds; round++) {
        say(`round ${round + 1}/${rounds}`);
        for (const one of orderOf(all, round)) ledger.add(one.name, round, await shoot(one));
      }
    });
    return answerOf(ledger.rows(), effort);
  },
};

let all: Candidate[] | null = null;

function candidates(effort: Effort): Candidate[] {
  all ??= [fairlead(), undici(), httpProxy()];
  return chosen(all, effort);
}

async function cannon(port: number, connections: number, duration: number): Promise<Shot> {
  const result = await autocannon({
    url: `http://127.0.0.1:${port}/api/items`,
    connections,
    duration,
    requests: Array.from({ length: 100 }, (_, user) => ({ headers: { 'x-user-id': `user-${user}` } })),
  });
  return {
    values: { requestsPerSecond: result.requests.average, p50: result.latency.p50, p99: result.latency.p99 },
    errors: result.errors + result.timeouts + result.non2xx,
  };
}

function answerOf(rows: readonly Row[], effort: Effort): Answer {
  const median = (row: Row, key: string): string => row.values[key]!.value.median.toFixed(0);
  return {
    title: 'What autocannon sees',
    tables: [
      {
        caption: `Requests per second (autocannon, ${effort.connections} connections; it is the bottleneck of the fast ones):`,
        head: ['', 'ratio to direct', 'requests/s', 'p50, ms', 'p99, ms', 'errors'],
        rows: rows.map((row) => [
          row.name,
          ratioText(row.values.requestsPerSecond!.ratio),
          median(row, 'requestsPerSecond'),
          median(row, 'p50'),
          median(row, 'p99'),
          String(row.errors),
        ]),
      },
    ],
    targets: [],
    notes: [],
    data: rows,
  };
}
