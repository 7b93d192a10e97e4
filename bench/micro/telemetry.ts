/**
 * What do exposures and spans cost a request? Nanoseconds a call, best of ten rounds, since noise only ever adds.
 * Run: npm exec -c 'node bench/micro/telemetry.ts'
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock, systemRandom } from '../../src/base/clock.ts';
import { FreshIds, traceparentIn } from '../../src/propagation/fresh-ids.ts';
import { type ExposureFormat, Exposures } from '../../src/telemetry/exposure.ts';
import { silentLog } from '../../src/telemetry/log.ts';
import { Spool } from '../../src/telemetry/pipeline/spool.ts';
import { Counter } from '../../src/telemetry/series.ts';
import { type SpanFacts, Tracing } from '../../src/telemetry/tracing.ts';

const ROUNDS = 10;
const WALL_MS = 1_800_000_000_000;

async function measure(name: string, calls: number, call: (n: number) => void): Promise<void> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    for (let n = 0; n < calls; n++) call(round * calls + n);
    best = Math.min(best, Number(process.hrtime.bigint() - start) / calls);
    // What waits to be written or sent is.
    await sleep(100);
  }
  process.stdout.write(`${name}: ${best.toFixed(0)} ns\n`);
}

function exposures(target: { write(line: string): boolean }, format: ExposureFormat): Exposures {
  return new Exposures({
    target,
    service: 'shop',
    format,
    unitKeys: [{ id: 'k1', key: 'a-key', fromMs: 0 }],
    isPlain: false,
    dedupeEntriesMax: 100_000,
    dedupeMs: 3_600_000,
    written: new Counter(),
    deduplicated: new Counter(),
  });
}

function record(into: Exposures, n: number): void {
  into.record({
    experiment: 'ranking',
    epoch: 1,
    assigned: 'candidate',
    served: 'candidate',
    reason: 'split',
    unit: `user-${n}`,
    unitSource: 'header x-user-id',
    atMs: WALL_MS + (n >> 4),
    route: 'api',
    requestId: '4bf92f3577b34da6a3ce929d0e0e4736',
  });
}

async function ofExposures(): Promise<void> {
  const nowhere = { write: (line: string) => line.length > 0 };
  const plain = exposures(nowhere, 'ndjson');
  await measure('an exposure, as NDJSON', 10_000, (n) => record(plain, n));
  const events = exposures(nowhere, 'cloudevents');
  await measure('an exposure, as a CloudEvent', 10_000, (n) => record(events, n));
  const dir = mkdtempSync(join(tmpdir(), 'fairlead-bench-'));
  const spool = new Spool({
    dir,
    maxBytes: 64 * 1024 * 1024,
    segmentBytes: 8 * 1024 * 1024,
    fsync: 'off',
    readers: ['lake'],
    dropped: new Counter(),
    onProblem: (sentence) => void process.stderr.write(`${sentence}\n`),
  });
  await spool.flush();
  const spooled = exposures(spool, 'cloudevents');
  await measure('an exposure, as a CloudEvent into the spool', 10_000, (n) => record(spooled, n));
  await spool.close();
  rmSync(dir, { recursive: true });
}

const FACTS: SpanFacts = {
  kind: 'server',
  name: 'GET api',
  startMs: WALL_MS,
  endMs: WALL_MS + 12.5,
  attributes: {
    'http.request.method': 'GET',
    'http.response.status_code': 200,
    'fairlead.route': 'api',
    'fairlead.upstream': '127.0.0.1:9001',
    'fairlead.outcome': 'ok',
    'fairlead.request_id': '4bf92f3577b34da6a3ce929d0e0e4736',
  },
  isError: false,
  evaluations: [{ experiment: 'ranking', assigned: 'candidate', served: 'candidate', reason: 'split' }],
};

async function ofSpans(): Promise<void> {
  const server = createServer((request, response) => request.resume().on('end', () => response.end('{}')));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`;
  const ids = new FreshIds(systemRandom);
  const sent = new Counter();
  const tracing = (samplePpm: number): Tracing =>
    new Tracing({
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      resource: { service: 'shop', version: '0' },
      post: { url, headers: {}, timeoutMs: 5000, isGzip: false },
      samplePpm,
      sent,
      dropped: new Counter(),
    });
  const request = (by: Tracing): void => {
    ids.advance();
    const span = by.begin(traceparentIn(ids.lines), true);
    if (span !== null) by.end(span, { ...FACTS, attributes: { ...FACTS.attributes } });
  };
  await measure('ids of a request, for what follows', 100_000, () => {
    ids.advance();
    if (traceparentIn(ids.lines) === '') throw new Error('no id');
  });
  const none = tracing(1);
  await measure('the same with tracing, not sampled', 100_000, () => request(none));
  const some = tracing(10_000);
  await measure('the same with tracing, 1 % sampled', 100_000, () => request(some));
  const all = tracing(1_000_000);
  await measure('the same with tracing, all sampled, until they are queued', 4000, () => request(all));
  const busy = process.cpuUsage();
  const before = sent.value;
  for (let n = 0; n < 4000; n++) request(all);
  await all.close();
  const { user, system } = process.cpuUsage(busy);
  const spans = sent.value - before;
  process.stdout.write(
    `a span from its begin until it is sent, CPU time of all threads and of who takes it: ${(((user + system) * 1000) / spans).toFixed(0)} ns\n`,
  );
  await Promise.all([none.close(), some.close()]);
  server.close();
}

await ofExposures();
await ofSpans();
