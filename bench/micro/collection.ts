/**
 * What does collecting for the analysis cost a request? Nanoseconds of CPU a settled request, best of ten rounds, since
 * noise only ever adds: to look whether there is an analysis, to take a request down, and to add it up, which with workers is
 * done by the primary. Run: npm exec -c 'node bench/micro/collection.ts'
 */
import { systemClock, systemRandom } from '../../src/base/clock.ts';
import { compile } from '../../src/config/compile.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { EMPTY_RUNTIME } from '../../src/config/runtime.ts';
import { Analysis } from '../../src/control/analysis.ts';
import { type Collector, Recorder } from '../../src/telemetry/collection/recorder.ts';
import { silentLog } from '../../src/telemetry/log.ts';
import { Counter } from '../../src/telemetry/series.ts';

const ROUNDS = 10;
const REQUESTS = 200_000;

function snapshotWith(metrics: string) {
  const text = `
version: 1
requireMetadata: false
upstreams: { app: "127.0.0.1:9001" }
routes: [{ name: api, match: { path: /* }, experiments: [ranking] }]
experiments: { ranking: { variants: { control: {}, candidate: { weight: 50% } }, analysis: { metrics: [${metrics}] } } }
`;
  const { config, issues } = parseConfig(text, 'bench.yaml');
  if (config === null) throw new Error(JSON.stringify(issues));
  return compile(config, EMPTY_RUNTIME, 1);
}

function collectorOf(metrics: string, isAdded: boolean): Collector {
  const snapshot = snapshotWith(metrics);
  const analysis = new Analysis({ clock: systemClock, random: systemRandom, log: silentLog });
  analysis.adopt(snapshot);
  const recorder = new Recorder({
    key: analysis.key,
    take: (delta) => {
      if (isAdded) analysis.take(delta, 'worker 1');
      return true;
    },
    dropped: new Counter(),
    malformed: new Counter(),
  });
  const { digest, measures } = snapshot.analyses.get('ranking')!;
  const shares = [500_000, 500_000];
  return recorder.collector({ experiment: 'ranking', route: 'api', digest, epoch: 1, shares, measures });
}

const settled = {
  ...{ assigned: 0, served: 0, outcome: 0, reason: 0, agent: 1, listener: 'inbound' },
  ...{ unit: '', latencyMs: 0, servedMs: 0, bytes: 0 },
  values: null as Float64Array | null,
};

/** As `proxy/collection.ts` has it. */
function settle(collector: Collector | null, unit: string, n: number, values: Float64Array | null): void {
  if (collector === null) return;
  settled.assigned = n & 1;
  settled.served = n & 1;
  settled.outcome = n % 50 === 0 ? 1 : 0;
  settled.unit = unit;
  settled.latencyMs = 1 + (n % 97);
  settled.servedMs = settled.latencyMs;
  settled.bytes = 1000 + (n % 1009);
  settled.values = values;
  collector.add(settled);
}

function measure(
  name: string,
  units: number,
  collector: Collector | null,
  values: Float64Array | null,
): void {
  const ids = Array.from({ length: units }, (_, unit) => `7f3c1d0b-user-${unit}`);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.threadCpuUsage();
    for (let n = 0; n < REQUESTS; n++) settle(collector, ids[(n * 7919) % units]!, n, values);
    const { user, system } = process.threadCpuUsage(start);
    best = Math.min(best, (1000 * (user + system)) / REQUESTS);
  }
  process.stdout.write(`${name}: ${best.toFixed(0)} ns\n`);
}

const BUILT_IN = 'errors, latency, p99, bytes';
const OWN = `${BUILT_IN}, { name: cost, header: x-cost, better: lower }, { name: tokens, trailer: x-tokens, better: lower }`;
measure('without an analysis', 10_000, null, null);
measure('taken down', 10_000, collectorOf(BUILT_IN, false), null);
measure('taken down and added up, 10,000 units', 10_000, collectorOf(BUILT_IN, true), null);
measure('taken down and added up, 200,000 units', 200_000, collectorOf(BUILT_IN, true), null);
measure('the same with two values', 10_000, collectorOf(OWN, true), Float64Array.of(3, 5));
