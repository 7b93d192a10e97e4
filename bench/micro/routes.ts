/**
 * Does finding a route cost the same with 1, 100 and 10,000 of them? Nanoseconds a match, best of ten rounds, since
 * noise only ever adds. Run: npm exec -c 'node bench/micro/routes.ts'
 */
import { parsePathMatch, RouteTable } from '../../src/routing/match.ts';

const CALLS = 100_000;
const ROUNDS = 10;

function tableOf(count: number): RouteTable<number> {
  return new RouteTable(
    Array.from({ length: count }, (_, index) => ({
      match: { hosts: [], path: parsePathMatch(`/service-${index}/items/*`), methods: [] },
      value: index,
    })),
  );
}

function nanosecondsPerMatch(table: RouteTable<number>, path: string): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < CALLS; i++)
      if (table.match('x.test', path, 'GET') === null) throw new Error('no match');
    best = Math.min(best, Number(process.hrtime.bigint() - start) / CALLS);
  }
  return best;
}

for (const count of [1, 100, 10_000]) {
  const nanoseconds = nanosecondsPerMatch(tableOf(count), `/service-${count - 1}/items/17`);
  process.stdout.write(`${count} routes: ${nanoseconds.toFixed(0)} ns a match\n`);
}
