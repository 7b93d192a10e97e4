/**
 * What does it cost to choose an endpoint? Nanoseconds a choice, best of five rounds, since noise only ever adds: each
 * policy with 1, 2, 10 and 100 endpoints, and an answer that is counted and timed. Run:
 * npm exec -c 'node bench/micro/balance.ts'
 */
import { systemRandom } from '../../src/base/clock.ts';
import { PeakEwma } from '../../src/resilience/ewma.ts';
import { type OutlierSettings, Outliers } from '../../src/resilience/outlier.ts';
import { OutlierRecord } from '../../src/resilience/outlier-record.ts';
import { snapshotOf, startPlane } from '../../test/support/plane.ts';

const COUNTS = [1, 2, 10, 100];
const POLICIES = ['roundRobin', 'leastRequest', 'peakEwma', 'ringHash'];
const CALLS = 2_000_000;
const ROUNDS = 5;

/** The best of some rounds: what disturbs only ever adds. */
function nanoseconds(call: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    for (let i = 0; i < CALLS; i++) call();
    best = Math.min(best, ((performance.now() - began) * 1e6) / CALLS);
  }
  return best;
}

function configOf(policy: string, count: number): string {
  const endpoints = Array.from({ length: count }, (_, index) => `127.0.0.1:${10_000 + index}`);
  const hashKey = policy === 'ringHash' ? { hashKey: { header: 'x-user-id' } } : {};
  return JSON.stringify({
    version: 1,
    listeners: [{ name: 'inbound', address: '127.0.0.1:0' }],
    upstreams: { app: { endpoints, balance: policy, ...hashKey } },
  });
}

const KEYS = Array.from({ length: 1024 }, (_, index) => `user-${index}-of-many`);

async function measure(policy: string, count: number): Promise<number> {
  const text = configOf(policy, count);
  const { plane, close } = await startPlane(text);
  const group = plane.plan.snapshot.upstreams.get('app')!;
  const chosen = plane.group(group);
  for (const pool of chosen.pools) pool.ewma?.succeeded(5, plane.clock.now());
  let at = 0;
  const result = nanoseconds(() => {
    chosen.choose(null, KEYS[at++ & 1023]);
  });
  close();
  return result;
}

const SETTINGS: OutlierSettings = snapshotOf(configOf('leastRequest', 2)).upstreams.get('app')!.outlier!;

function measureAnswer(): { outlier: number; ewma: number } {
  const outliers = new Outliers(SETTINGS, systemRandom, () => {});
  const records = [new OutlierRecord('a', SETTINGS.windowMs), new OutlierRecord('b', SETTINGS.windowMs)];
  outliers.adopt(records);
  const ewma = new PeakEwma();
  let nowMs = 0;
  return {
    outlier: nanoseconds(() => {
      nowMs += 0.01;
      outliers.succeeded(records[0]!, 5, nowMs);
    }),
    ewma: nanoseconds(() => {
      nowMs += 0.01;
      ewma.succeeded(5, nowMs);
    }),
  };
}

console.log(
  `policy         ${COUNTS.map((count) => String(count).padStart(7)).join('')}   endpoints, ns a choice`,
);
for (const policy of POLICIES) {
  const cells: string[] = [];
  for (const count of COUNTS) cells.push((await measure(policy, count)).toFixed(0).padStart(7));
  console.log(`${policy.padEnd(15)}${cells.join('')}`);
}
const { outlier, ewma } = measureAnswer();
console.log(
  `an answer counted for outliers ${outlier.toFixed(0)} ns, timed for peakEwma ${ewma.toFixed(0)} ns`,
);
