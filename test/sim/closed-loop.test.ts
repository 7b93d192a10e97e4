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

test('callers that all wait for a variant that hangs trip it after four times the threshold', () => {
  const { bench, hungMs } = hanging({ slow: { thresholdMs: 250, ratio: 0.2 } });
  while (bench.state === 'closed') bench.wait(50);
  expect(bench.last).toMatchObject({
    cause: 'stall',
    reason:
      '32 calls wait, the first for 1.1s, and nothing that began after it was answered in time; open for 5s',
  });
  expect(bench.nowMs - hungMs).toBe(1_050);
});

test('or after as long as is said, or never', () => {
  const soon = hanging({ slow: { thresholdMs: 250, ratio: 0.2, stallMs: 400 } });
  while (soon.bench.state === 'closed') soon.bench.wait(50);
  expect(soon.bench.last.cause).toBe('stall');
  expect(soon.bench.nowMs - soon.hungMs).toBe(450);
  const never = hanging({ slow: { thresholdMs: 250, ratio: 0.2, stallMs: null } });
  while (never.bench.state === 'closed') never.bench.wait(50);
  expect(never.bench.last.cause).toBe('slow-rate');
  expect(never.bench.nowMs - never.hungMs).toBeGreaterThan(9_500);
});

test('a pause that is over within that time trips nothing, nor does one of this process', () => {
  const paused = hanging({ slow: { thresholdMs: 250, ratio: 0.2 } });
  for (let waitedMs = 0; waitedMs < 900; waitedMs += 50) paused.bench.wait(50);
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
