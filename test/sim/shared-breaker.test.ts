/** A breaker that workers share against one that sees all the calls itself: the same traffic, the same faults. */
import { afterAll, describe, expect, test } from 'vitest';
import { type BreakerSettings, Call } from '../../src/resilience/breaker.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { SharedBench } from '../support/shared-bench.ts';
import { logNormalMs, type Service, simulate } from '../support/traffic.ts';

const SETTINGS: BreakerSettings = {
  windowMs: 10_000,
  minimumRequests: 20,
  errorRatio: 0.05,
  slow: { thresholdMs: 250, ratio: 0.2 },
  consecutiveFailures: null,
  openForMs: 5_000,
  openForMaxMs: 60_000,
  halfOpenRequests: 5,
};
const SEEDS = Array.from({ length: 10 }, (_, index) => index + 1);
const FAULT_MS = 5_000;
/** The longest way of a call's outcome to the other workers: a report, its passing on, and two messages. */
const SPREAD_MS = 50 + 25 + 4;

function failing(ratio: number): Service {
  return (_, random) => ({
    durationMs: logNormalMs(40, random),
    outcome: random() < ratio ? 'failure' : 'ok',
  });
}
const healthy = failing(0.005);
const hang: Service = () => ({ durationMs: 30_000, outcome: 'failure' });
const sickens =
  (fault: Service): Service =>
  (atMs, random) =>
    (atMs < FAULT_MS ? healthy : fault)(atMs, random);

interface SharedTrace {
  readonly openedMs: number;
  readonly causes: readonly string[];
  readonly bad: number;
}

/** As `simulate`, with each call at a worker of its own choice. */
function simulateShared(workers: number, seed: number, service: Service, lengthMs: number): SharedTrace {
  const random = seededRandom(seed);
  const spread = seededRandom(seed + 1000);
  const bench = new SharedBench({ workers, settings: SETTINGS, seed: seed + 2000 });
  const startMs = bench.nowMs;
  const ends = new Map<number, (() => void)[]>();
  let [nextMs, bad] = [0, 0];
  while (bench.nowMs - startMs <= lengthMs) {
    const atMs = bench.nowMs - startMs;
    for (const end of ends.get(bench.nowMs) ?? []) end();
    ends.delete(bench.nowMs);
    for (; nextMs <= atMs; nextMs += (-Math.log(1 - random.next()) * 1_000) / 200) {
      const breaker = bench.worker(1 + Math.floor(spread.next() * workers));
      const call = new Call();
      if (!breaker.admit(call, bench.nowMs)) continue;
      const { durationMs, outcome } = service(atMs, random.next);
      if (outcome !== 'ok') bad++;
      const endMs = bench.nowMs + Math.max(1, Math.round(durationMs));
      ends.set(endMs, [...(ends.get(endMs) ?? []), () => breaker.settle(call, outcome, endMs)]);
    }
    bench.step();
  }
  const opening = bench.moves.find(({ to }) => to === 'open');
  return {
    openedMs: (opening?.atMs ?? Number.POSITIVE_INFINITY) - startMs,
    causes: bench.moves.map(({ cause }) => cause),
    bad,
  };
}

const report: string[] = [];
afterAll(() => console.log(['shared by workers, 200/s, 10 seeds', ...report].join('\n')));

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

describe.each([
  ['total outage', failing(1), 1_000],
  ['30 % errors', failing(0.3), 5_000],
  ['hang', hang, 5_000],
] as const)('%s', (name, fault, lengthMs) => {
  test('opens 4 and 16 workers within one spreading of the news of a single one', () => {
    const alone = SEEDS.map((seed) => {
      const { moves } = simulate({
        settings: SETTINGS,
        seed,
        callsPerSecond: 200,
        lengthMs: FAULT_MS + lengthMs,
        service: sickens(fault),
      });
      return moves.find(({ to }) => to === 'open')!.atMs - FAULT_MS;
    });
    const line = [`${name}: one ${median(alone)} ms`];
    for (const workers of [4, 16]) {
      const times = SEEDS.map(
        (seed) => simulateShared(workers, seed, sickens(fault), FAULT_MS + lengthMs).openedMs - FAULT_MS,
      );
      line.push(`${workers} workers ${median(times)} ms`);
      for (const ms of times) expect(ms).toBeGreaterThan(0);
      // The calls are not the very same ones: what a call draws depends on those turned away before it.
      expect(median(times)).toBeLessThanOrEqual(median(alone) * 1.1 + SPREAD_MS);
    }
    report.push(line.join(', '));
  });
});

describe('healthy traffic', () => {
  test('never opens the breaker of 4 workers, in 10 times 2 minutes', () => {
    for (const seed of SEEDS) expect(simulateShared(4, seed, healthy, 120_000).causes).toEqual([]);
  });
});

describe('after the fault', () => {
  test('the breaker of 4 workers closes with as many probes as that of one', () => {
    const outage: Service = (atMs, random) => (atMs < 8_000 ? sickens(failing(1)) : healthy)(atMs, random);
    for (const seed of SEEDS) {
      const { causes } = simulateShared(4, seed, outage, 30_000);
      expect([seed, causes]).toEqual([seed, ['error-rate', 'timer', 'probes-ok']]);
    }
  });
});
