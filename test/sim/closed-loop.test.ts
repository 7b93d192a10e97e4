/** Callers that wait for their answer before they ask again, and outages that last: the figures of docs/breakers.md. */
import { expect, test } from 'vitest';
import { Bench } from '../support/breaker-bench.ts';

const CALLERS = 32;

/** Ten seconds of 2,000 good calls a second; then as many calls hang as there are callers, and no more come. */
function hanging(changes: ConstructorParameters<typeof Bench>[0]) {
  const bench = new Bench(changes);
  for (let i = 0; i < 200; i++) {
    bench.run(100, 'ok');
    bench.wait(50);
  }
  return { bench, calls: bench.start(CALLERS), hungMs: bench.nowMs };
}

test('callers that all wait for a variant that hangs trip it 100 ms after the threshold', () => {
  const { bench, hungMs } = hanging({ slow: { thresholdMs: 250, ratio: 0.2 } });
  while (bench.state === 'closed') bench.wait(50);
  expect(bench.last).toMatchObject({
    cause: 'stall',
    reason:
      '32 calls hang, the first for 350ms, and nothing that began after it was answered in time; open for 5s',
  });
  expect(bench.nowMs - hungMs).toBe(350);
});

test('or after as long as is said, or never', () => {
  const later = hanging({ slow: { thresholdMs: 250, ratio: 0.2, stallMs: 1000 } });
  while (later.bench.state === 'closed') later.bench.wait(50);
  expect(later.bench.last.cause).toBe('stall');
  expect(later.bench.nowMs - later.hungMs).toBe(1_000);
  const never = hanging({ slow: { thresholdMs: 250, ratio: 0.2, stallMs: null } });
  while (never.bench.state === 'closed') never.bench.wait(50);
  expect(never.bench.last.cause).toBe('slow-rate');
  expect(never.bench.nowMs - never.hungMs).toBeGreaterThan(9_500);
});

test('a pause that is over within that time trips nothing, nor does one of this process', () => {
  const paused = hanging({ slow: { thresholdMs: 250, ratio: 0.2 } });
  for (let waitedMs = 0; waitedMs < 300; waitedMs += 50) paused.bench.wait(50);
  paused.bench.end(paused.calls, 'slow');
  expect(paused.bench.state).toBe('closed');
  // The timer comes first, and then what has been waiting to be read.
  const stood = hanging({ slow: { thresholdMs: 250, ratio: 0.2 } });
  stood.bench.wait(3_000);
  stood.bench.end(stood.calls, 'slow');
  stood.bench.run(1, 'ok');
  stood.bench.wait(50);
  expect(stood.bench.state).toBe('closed');
});

test('calls that are given up, so that there are never many at a time, hang as well', () => {
  const { bench, hungMs } = hanging({ slow: { thresholdMs: 250, ratio: 0.2 }, errorRatio: null });
  // Ten a tick, each cut off after 300 ms.
  const begun: ReturnType<Bench['start']>[] = [];
  while (bench.state === 'closed') {
    begun.push(bench.start(10));
    bench.wait(50);
    if (begun.length > 6) bench.end(begun.shift()!, 'failure');
  }
  expect(bench.last.cause).toBe('stall');
  expect(bench.nowMs - hungMs).toBe(350);
});

test('calls that were given up a window ago say nothing of now, nor do those before a good one', () => {
  const settings = { slow: { thresholdMs: 250, ratio: 1 }, errorRatio: null, windowMs: 1_000 } as const;
  const old = hanging(settings);
  const recent = hanging(settings);
  for (const { bench, calls } of [old, recent]) {
    bench.wait(260);
    bench.end(calls, 'failure');
  }
  recent.bench.run(1, 'ok');
  old.bench.wait(1_001);
  for (const { bench } of [old, recent]) {
    bench.start(1);
    for (let waitedMs = 0; waitedMs < 600; waitedMs += 50) bench.wait(50);
    expect(bench.moves.map(({ cause }) => cause)).not.toContain('stall');
  }
});

test('calls that hang are no stall while later ones are answered, nor when they are too few', () => {
  const some = hanging({ slow: { thresholdMs: 250, ratio: 0.2 } });
  for (let waitedMs = 0; waitedMs < 5_000; waitedMs += 50) {
    some.bench.run(10, 'ok');
    some.bench.wait(50);
  }
  expect(some.bench.state).toBe('closed');
  const few = hanging({ slow: { thresholdMs: 250, ratio: 0.2 }, minimumRequests: 33 });
  for (let waitedMs = 0; waitedMs < 5_000; waitedMs += 50) few.bench.wait(50);
  expect(few.bench.state).toBe('closed');
});

test('they trip failures in a row as soon as those calls are given up', () => {
  const { bench, calls, hungMs } = hanging({ consecutiveFailures: 10 });
  bench.wait(300);
  bench.end(calls, 'failure');
  expect(bench.last).toMatchObject({ to: 'open', cause: 'consecutive-failures' });
  expect(bench.nowMs - hungMs).toBe(300);
});

test('one outage that lasts is three openings after 15 seconds, or a little more by jitter', () => {
  const bench = new Bench({ openForMs: 5_000 }).open();
  const fromMs = bench.nowMs;
  for (const openMs of [5_000, 10_000]) {
    bench.wait(openMs);
    bench.run(1, 'failure');
  }
  expect(bench.moves.filter(({ to }) => to === 'open')).toHaveLength(3);
  expect(bench.nowMs - fromMs).toBe(15_000);
});
