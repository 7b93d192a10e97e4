/**
 * What do limits on load cost? Nanoseconds a request, best of ten rounds, since noise only ever adds; and what it costs
 * to know the load: a tick of its own, or Node's histogram of the event loop. Run: npm exec -c 'node bench/micro/limits.ts'
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { Shedding } from '../../src/proxy/shedding.ts';
import { Limiter } from '../../src/resilience/limiter.ts';
import { RateLimit } from '../../src/resilience/rate-limit.ts';
import { silentLog } from '../../src/telemetry/log.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';

const ROUNDS = 10;
const UNITS = 100_000;

function nanoseconds(what: string, calls: number, call: (i: number) => unknown): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) call(i);
    best = Math.min(best, Number(process.hrtime.bigint() - start) / calls);
  }
  process.stdout.write(`${what}: ${best.toFixed(0)} ns\n`);
}

let nowMs = 1;
const fixed = new Limiter('app', { kind: 'fixed', max: 100 });
nanoseconds('concurrency, fixed: in and out', 1e6, () => {
  fixed.acquire();
  fixed.release(5, true, nowMs++);
});
const adaptive = new Limiter('app', {
  kind: 'adaptive',
  initial: 20,
  min: 20,
  max: 200,
  queue: 4,
  tolerance: 1.5,
});
nanoseconds('concurrency, adaptive: in and out', 1e6, (i) => {
  adaptive.acquire();
  adaptive.release(5 + (i % 3), true, nowMs++);
});
const all = new RateLimit('all', { perSecond: 1e6, burst: 1000, entriesMax: 0 }, 1, 0);
nanoseconds('rate, for all together', 1e6, () => all.take(null, nowMs++));
const units = Array.from({ length: UNITS }, (_, i) => `user-${i.toString(36).padStart(8, '0')}`);
const each = new RateLimit('each', { perSecond: 0.001, burst: 1e6, entriesMax: UNITS }, 1, 0);
nanoseconds(`rate, for each of ${UNITS} units that are all busy`, UNITS, (i) =>
  each.take(units[i]!, nowMs++),
);

const metrics = new Metrics({ version: 'bench', node: process.version, isProcessIncluded: false });
const load = { delayMs: 100, memoryBytes: 2 ** 40, memoryRatio: 0.9, heapRatio: 0.9 };
const shedding = new Shedding(load, metrics, silentLog);
nanoseconds('a request, while nothing is shed', 1e6, () => shedding.shedsRequest(false));
nanoseconds('a tick, twenty a second, without a look at the memory', 1e5, () => shedding.tick(1));
nanoseconds('resident memory, once a second', 1e4, () => process.memoryUsage.rss());
nanoseconds('heap statistics, once a second', 1e4, () => getHeapStatistics());

/** CPU time of this process, idle for a second; the other way to know the delay. */
async function idleMicroseconds(): Promise<number> {
  const before = process.cpuUsage();
  await sleep(1000);
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

const without = await idleMicroseconds();
const histogram = monitorEventLoopDelay({ resolution: 10 });
histogram.enable();
const withIt = await idleMicroseconds();
histogram.disable();
process.stdout.write(
  `monitorEventLoopDelay at 10 ms: ${withIt - without} us of CPU a second (idle without it: ${without} us)\n`,
);
