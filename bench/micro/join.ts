/**
 * What does it cost to remember a request, and to join a call to it? Nanoseconds each, best of ten rounds, since noise
 * only ever adds; with a full memory, so that each request also forgets one. With workers, also what one tells the
 * others and hears of them. Run: npm exec -c 'node bench/micro/join.ts'
 */
import { closeSync } from 'node:fs';
import { systemRandom } from '../../src/base/clock.ts';
import { FreshIds, requestIdIn, traceparentIn } from '../../src/propagation/fresh-ids.ts';
import { TraceMemory } from '../../src/propagation/memory.ts';
import { openSharedRecords, SharedRecords } from '../../src/workers/shared-records.ts';

const CALLS = 100_000;
const ROUNDS = 10;
const TEXTS = ['checkout=control', 'checkout=candidate'];

const ids = new FreshIds(systemRandom);
const traces: string[] = [];
const requests: string[] = [];
for (let i = 0; i < CALLS; i++) {
  ids.advance();
  traces.push(traceparentIn(ids.lines));
  requests.push(requestIdIn(ids.lines));
}

function nanoseconds(what: string, call: (i: number) => unknown): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < CALLS; i++) call(i);
    best = Math.min(best, Number(process.hrtime.bigint() - start) / CALLS);
  }
  process.stdout.write(`${what}: ${best.toFixed(0)} ns\n`);
}

// Half as many entries as requests: by the time an id comes again it has been forgotten.
const memory = new TraceMemory({ entriesMax: CALLS / 2, bytesMax: 2 ** 30, ttlMs: 60_000 }, 1);
const store = (i: number) => memory.store(traces[i]!, requests[i]!, TEXTS[i & 1]!, i);
nanoseconds('remember a request, by both ids', store);
nanoseconds('join by traceparent', (i) => {
  const at = CALLS / 2 + (i % (CALLS / 2));
  if (memory.find(traces[at]!, '', CALLS).by !== 'traceparent') throw new Error('not joined');
});
nanoseconds('join by request id', (i) => {
  const at = CALLS / 2 + (i % (CALLS / 2));
  if (memory.find('', requests[at]!, CALLS).by !== 'request_id') throw new Error('not joined');
});
nanoseconds('a call that is not joined', (i) => memory.find(traces[i % 1000]!, requests[i % 1000]!, CALLS));

const WORKERS = 4;
const file = openSharedRecords(WORKERS);
const [one, two] = [new SharedRecords(file, WORKERS, 1), new SharedRecords(file, WORKERS, 2)];
nanoseconds('workers: tell the others', (i) => one.write(traces[i]!, requests[i]!, TEXTS[i & 1]!));
two.read(() => {});
nanoseconds('workers: hear that three others have nothing new', () => two.read(() => {}));
nanoseconds('workers: tell, and one other hears and remembers it', (i) => {
  one.write(traces[i]!, requests[i]!, TEXTS[i & 1]!);
  two.read((traceparent, requestId, text) => memory.learn(traceparent, requestId, text, i));
});
closeSync(file);
