/**
 * What would a user see? autocannon against the upstream itself and through each proxy, in one run and in rounds
 * of alternating order. autocannon shares its core with the upstream and is the bottleneck of the fast ones, so
 * the differences read smaller here than they are; `cpu.ts` is the measurement, this is the picture.
 */
import autocannon from 'autocannon';
import { CONTROL_PORT } from './proxies/split.ts';
import { type Candidate, startResponder } from './support/candidates.ts';
import { type Started, start } from './support/processes.ts';
import { type Spread, spread } from './support/statistics.ts';

export interface ThroughputRow {
  readonly name: string;
  /** Requests per second, to `direct` within each round. */
  readonly ratio: Spread;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
}

/** Measures `direct` and every candidate. */
export async function measureThroughput(
  candidates: readonly Candidate[],
  options: { connections: number; rounds: number; seconds: number },
  say: (text: string) => void,
): Promise<ThroughputRow[]> {
  const responder = await startResponder(1);
  const processes: Started[] = [];
  const all = [{ name: 'direct', port: CONTROL_PORT }, ...candidates];
  const results = new Map<string, autocannon.Result[]>(all.map(({ name }) => [name, []]));
  try {
    for (const one of candidates) processes.push(await start(one.command, { core: 0, port: one.port }));
    for (const one of all) await cannon(one.port, options.connections, 2);
    for (let round = 0; round < options.rounds; round++) {
      say(`autocannon round ${round + 1}/${options.rounds}`);
      for (const one of round % 2 === 0 ? all : [...all].reverse()) {
        results.get(one.name)!.push(await cannon(one.port, options.connections, options.seconds));
      }
    }
  } finally {
    await Promise.all([...processes, responder].map((one) => one.stop()));
  }
  const direct = results.get('direct')!.map((result) => result.requests.average);
  return all.map(({ name }) => toRow(name, results.get(name)!, direct));
}

function toRow(
  name: string,
  results: readonly autocannon.Result[],
  direct: readonly number[],
): ThroughputRow {
  return {
    name,
    ratio: spread(results.map((result, round) => result.requests.average / direct[round]!)),
    requestsPerSecond: Math.round(spread(results.map((result) => result.requests.average)).median),
    p50Ms: spread(results.map((result) => result.latency.p50)).median,
    p99Ms: spread(results.map((result) => result.latency.p99)).median,
    errors: results.reduce((sum, result) => sum + result.errors + result.timeouts + result.non2xx, 0),
  };
}

async function cannon(port: number, connections: number, duration: number): Promise<autocannon.Result> {
  return autocannon({
    url: `http://127.0.0.1:${port}/api/items`,
    connections,
    duration,
    requests: Array.from({ length: 100 }, (_, user) => ({ headers: { 'x-user-id': `user-${user}` } })),
  });
}
